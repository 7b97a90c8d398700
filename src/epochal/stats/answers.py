"""Yes or no to each class: from logits to answers, and how many of them are right."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64, Int64, Num

# Temperatures looked at: from a 100 times too shy to a 100 times too sure network.
COLDEST, HOTTEST = 0.01, 100.0

Answers: TypeAlias = Num[np.ndarray, "n k"] | Bool[np.ndarray, "n k"]


def sigmoid(logits: Num[np.ndarray, "*any"]) -> Float64[np.ndarray, "*any"]:
    """Probabilities of a yes, in float64 and without overflow.

    >>> sigmoid(np.array([0.0, 1000.0, -1000.0])).tolist()
    [0.5, 1.0, 0.0]
    """
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64))))


def answer_nll(logits: Num[np.ndarray, "n k"], labels: Answers) -> Float64[np.ndarray, " n"]:
    """Mean negative log likelihood of each sample's answers: `mean_k log(1 + exp(z)) - y z`.

    Shapes: n samples, k classes.  Units: nats per class.

    >>> answer_nll(np.zeros((1, 3)), np.array([[1, 0, 0]])).round(4).tolist()
    [0.6931]
    """
    z = logits.astype(np.float64)
    return np.asarray((np.logaddexp(0, z) - labels.astype(np.float64) * z).mean(axis=1))


def answer_temperature(logits: Num[np.ndarray, "n k"], labels: Answers) -> float:
    """The number to divide all logits by for the best likelihood; above 1 the network is too sure.

    One for all classes. Fit it on validation samples. Where all answers are right or all wrong it ends at the edge of
    0.01 to 100; where all logits are 0 it is 1.

    Shapes: n samples, k classes.  Source: Guo et al. 2017, section 4.2, for yes-or-no questions.

    >>> round(8.0 / answer_temperature(np.full((10, 1), 8.0), np.array([[1]] * 9 + [[0]])), 3)  # log odds of 9 to 1
    2.197
    """
    z, y = logits.astype(np.float64), labels.astype(np.float64)
    if not z.any():
        return 1.0
    low, high = 1 / HOTTEST, 1 / COLDEST
    # In b = 1/T the likelihood is concave, so its slope crosses zero once: halve the range of log b.
    for _ in range(60):
        middle = np.sqrt(low * high)
        uphill = float(((y - sigmoid(z * middle)) * z).sum()) >= 0
        low, high = (middle, high) if uphill else (low, middle)
    return float(1 / np.sqrt(low * high))


def best_thresholds(logits: Num[np.ndarray, "n k"], labels: Answers) -> Float64[np.ndarray, " k"]:
    """The probability from which on each class is best named: the highest F1 on these samples, 0.5 without positives.

    It lies half-way between two scores that occur. Choose it on validation samples; on those it was chosen on, F1 looks
    better than it is.

    Shapes: n samples, k classes.  Source: Lipton et al. 2014 (it is half of the best F1, for calibrated scores).

    >>> best_thresholds(np.array([[-3.0], [-1.0], [1.0]]), np.array([[0], [1], [1]])).round(3).tolist()
    [0.158]
    """
    chances = sigmoid(logits)
    return np.array([_best_threshold(p, truth > 0) for p, truth in zip(chances.T, labels.T, strict=True)])


def answer_counts(said: Bool[np.ndarray, "n k"], labels: Answers) -> Int64[np.ndarray, "k 3"]:
    """Of each class: samples named rightly, named wrongly, and missed.

    Shapes: n samples, k classes.

    >>> answer_counts(np.array([[True], [True], [False]]), np.array([[1], [0], [1]])).tolist()
    [[1, 1, 1]]
    """
    truth = labels > 0
    counts = [(said & truth).sum(axis=0), (said & ~truth).sum(axis=0), (~said & truth).sum(axis=0)]
    return np.stack(counts, axis=1).astype(np.int64)


def f1(counts: Int64[np.ndarray, "*b 3"]) -> Float64[np.ndarray, "*b"]:
    """Harmonic mean of precision and recall: `2 hits / (2 hits + wrong + missed)`, 0 where nothing is named or there.

    >>> f1(np.array([[1, 1, 1], [0, 0, 0]])).tolist()
    [0.5, 0.0]
    """
    hits, wrong, missed = np.moveaxis(counts, -1, 0)
    return np.asarray(2 * hits / np.maximum(1, 2 * hits + wrong + missed))


def macro_f1(counts: Int64[np.ndarray, "k 3"]) -> float:
    """Mean F1 over the classes that have positives; NaN where none has.

    >>> macro_f1(np.array([[1, 0, 0], [0, 3, 0], [1, 1, 1]]))
    0.75
    """
    there = counts[:, 0] + counts[:, 2] > 0
    return float(f1(counts)[there].mean()) if there.any() else float("nan")


def micro_f1(counts: Int64[np.ndarray, "k 3"]) -> float:
    """F1 of all answers together, whatever their class.

    >>> micro_f1(np.array([[1, 0, 0], [0, 3, 0], [1, 1, 1]]))
    0.4444444444444444
    """
    return float(f1(np.asarray(counts.sum(axis=0))))


def _best_threshold(chances: Float64[np.ndarray, " n"], truth: Bool[np.ndarray, " n"]) -> float:
    if not truth.any():
        return 0.5
    order = np.argsort(-chances, kind="stable")
    p, hits = chances[order], truth[order].cumsum()
    last = np.append(p[1:] != p[:-1], [True])  # equal chances are named together
    scores = np.where(last, 2 * hits / (np.arange(1, len(p) + 1) + truth.sum()), -1.0)
    best = int(scores.argmax())
    below = p[best + 1] if best + 1 < len(p) else 0.0
    return float((p[best] + below) / 2)
