"""A score of transferability that was tried beside the linear reading: LogME."""

import numpy as np


def logme(features: np.ndarray, labels: np.ndarray) -> float:
    """The logarithm of the evidence for a Bayesian linear model of the classes, for each sample and class.

    Source: You et al. 2021, "LogME: practical assessment of pre-trained models for transfer learning".
    """
    x = features.astype(np.float64) - features.mean(0)
    basis, lengths, _ = np.linalg.svd(x, full_matrices=False)
    squares, found = lengths**2, []
    for label in range(int(labels.max()) + 1):
        y = (labels == label).astype(np.float64)
        seen = np.square(basis.T @ y)
        found.append(_evidence(seen, squares, outside=float(y @ y - seen.sum()), shape=x.shape))
    return float(np.mean(found))


def _evidence(seen: np.ndarray, squares: np.ndarray, *, outside: float, shape: tuple[int, ...]) -> float:
    n, d = shape
    alpha = beta = 1.0
    length = rest = 0.0
    for _ in range(100):
        shrunk = alpha / beta + squares
        gamma = (squares / shrunk).sum()
        length = (squares * seen / shrunk**2).sum()
        rest = (seen * (alpha / beta / shrunk) ** 2).sum() + outside
        alpha, beta = gamma / (length + 1e-12), (n - gamma) / (rest + 1e-12)
    fit = d / 2 * np.log(alpha) + n / 2 * np.log(beta / (2 * np.pi)) - beta / 2 * rest - alpha / 2 * length
    spread = np.log(alpha + beta * squares).sum() + (d - len(squares)) * np.log(alpha)
    return float((fit - spread / 2) / n)
