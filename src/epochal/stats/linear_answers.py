"""The linear model of images with several labels: logistic regression of each class against the rest, all at once.

Closed-form steps as in `epochal.stats.linear`: the curvature of each class's loss never exceeds `¼ XᵀX / n`, so one
factorisation serves all steps and all classes, each step lowers the loss, and no rate is chosen.
"""

from math import sqrt

import numpy as np
from jaxtyping import Float32, Num

from epochal.errors import DataError
from epochal.stats.answers import answer_nll
from epochal.stats.linear import BLOCKS, CHOOSERS, ENOUGH, STEPS, STRENGTHS, LinearMap, block_means


def fit_answers(
    features: Num[np.ndarray, "n d"],
    labels: Num[np.ndarray, "n k"],
    *,
    strength: float | None = None,
    steps: int = STEPS,
) -> LinearMap:
    """Logistic regression of each class, with one weight penalty for all, chosen on a held-out fifth if not given.

    Minimises `mean cross-entropy + ½ (strength / n) v |W|²` of each class, v the mean variance of the features. The
    bias is not penalised, and begins at the log odds of the class.

    Shapes: n samples, d features (up to about a thousand; one d x d matrix is factored), k classes.
    Raises: DataError for a label besides 0 and 1.
    Source: Böhning 1992; Beck and Teboulle 2009 (acceleration); O'Donoghue and Candès 2015 (restart).

    >>> x = np.array([[-1.0], [-0.8], [0.9], [1.0]])
    >>> fit_answers(x, np.array([[0, 1], [0, 1], [1, 0], [1, 0]]), strength=1.0).logits(x[2:]) > 0
    array([[ True, False],
           [ True, False]])
    """
    if not ((labels == 0) | (labels == 1)).all():
        raise DataError(
            f"A label is {labels[(labels != 0) & (labels != 1)].flat[0]}.",
            expected="1 where an image shows the class, 0 where it does not.",
            remedy="decide for each image and class, or leave the image out.",
        )
    inputs, answers = features.astype(np.float32), labels.astype(np.float32)
    start = _constant(answers, features=inputs.shape[1])
    if len(labels) < 2:
        return start
    if strength is None:
        strength = _chosen_strength(inputs, answers)
    return _descended(inputs, answers, start=start, strength=strength, steps=steps)


def fit_multi_label_images(
    images: Num[np.ndarray, "n c h w"],
    labels: Num[np.ndarray, "n k"],
    *,
    at_most: int = BLOCKS,
    strength: float | None = None,
) -> LinearMap:
    """The linear model of whole images, fitted on means of small blocks and spread back over the pixels.

    Averaging is linear too, so the map applies to the flattened image itself, as after `nn.Flatten`.

    Shapes: n samples; the map has c * h * w features, in that order, and k outputs.
    Raises: DataError for a label besides 0 and 1.

    >>> bright = np.stack([np.full((1, 8, 8), v) for v in (0.0, 0.1, 0.9, 1.0)])
    >>> fitted = fit_multi_label_images(bright, np.array([[0, 1], [0, 1], [1, 1], [1, 1]]), strength=1.0)
    >>> fitted.weight.shape, (fitted.logits(bright.reshape(4, -1)) > 0).astype(int).tolist()
    ((2, 64), [[0, 1], [0, 1], [1, 1], [1, 1]])
    """
    n, channels, height, width = images.shape
    ratio = min(1.0, sqrt(at_most / (channels * height * width)))
    rows = block_means(height, max(1, int(height * ratio)))
    columns = block_means(width, max(1, int(width * ratio)))
    small = np.matmul(np.matmul(rows, images.astype(np.float32, copy=False)), columns.T)
    fitted = fit_answers(small.reshape(n, -1), labels, strength=strength)
    weight = fitted.weight.reshape(labels.shape[1], channels, len(rows), len(columns))
    spread = np.matmul(np.matmul(rows.T, weight), columns)
    return LinearMap(weight=spread.reshape(labels.shape[1], -1), bias=fitted.bias)


def _constant(answers: Float32[np.ndarray, "n k"], *, features: int) -> LinearMap:
    """Log odds of each class, with one yes and one no added, whatever the features."""
    share = (answers.sum(axis=0) + 1) / (len(answers) + 2)
    bias = np.log(share) - np.log1p(-share)
    return LinearMap(weight=np.zeros((answers.shape[1], features), np.float32), bias=bias.astype(np.float32))


def _chosen_strength(inputs: Float32[np.ndarray, "n d"], answers: Float32[np.ndarray, "n k"]) -> float:
    order = np.random.default_rng(0).permutation(len(answers))[:CHOOSERS]
    cut = max(1, len(order) // 5)
    held, used = order[:cut], order[cut:]
    start = _constant(answers[used], features=inputs.shape[1])
    best, lowest = STRENGTHS[-1], float(answer_nll(start.logits(inputs[held]), answers[held]).mean())
    for strength in reversed(STRENGTHS):  # from the safest: a worse loss than the one before ends the search
        start = _descended(inputs[used], answers[used], start=start, strength=strength, steps=STEPS)
        loss = float(answer_nll(start.logits(inputs[held]), answers[held]).mean())
        if loss >= lowest:
            break
        best, lowest = strength, loss
    return best


def _descended(
    inputs: Float32[np.ndarray, "n d"],
    answers: Float32[np.ndarray, "n k"],
    *,
    start: LinearMap,
    strength: float,
    steps: int,
) -> LinearMap:
    n, d = inputs.shape
    mean = inputs.mean(axis=0, dtype=np.float64).astype(np.float32)
    x = inputs - mean
    gram = (x.T @ x) / n
    penalty = strength / n * max(float(np.trace(gram)) / d, 1e-12)
    inverse = np.linalg.inv(0.25 * gram.astype(np.float64) + penalty * np.eye(d)).astype(np.float32)
    weight, bias = start.weight.copy(), start.bias + start.weight @ mean
    ahead, ahead_bias, pace, before = weight, bias, 1.0, np.inf
    for _ in range(steps):
        z = x @ ahead.T + ahead_bias
        loss = float(answer_nll(z, answers).sum()) * z.shape[1] / n + 0.5 * penalty * float(np.square(ahead).sum())
        if before - loss < ENOUGH * abs(loss) and pace > 1:
            if loss <= before:
                break
            ahead, ahead_bias, pace = weight, bias, 1.0  # overshot: forget the momentum
            continue
        error = (0.5 * (1 + np.tanh(0.5 * z)) - answers) / n
        moved = ahead - (error.T @ x + penalty * ahead) @ inverse
        moved_bias = ahead_bias - 4 * error.sum(axis=0)
        following = (1 + sqrt(1 + 4 * pace**2)) / 2
        push = (pace - 1) / following
        ahead, ahead_bias = moved + push * (moved - weight), moved_bias + push * (moved_bias - bias)
        weight, bias, pace, before = moved, moved_bias, following, loss
    return LinearMap(weight=weight.astype(np.float32), bias=(bias - weight @ mean).astype(np.float32))
