"""The linear classifier: the first model on disk, and the baseline that a network must beat.

Multinomial logistic regression in closed-form steps.  The curvature of its loss never exceeds
`½ (I - 11ᵀ/c) ⊗ XᵀX / n`, so one factorisation of `XᵀX` serves all steps, each of which lowers the
loss, whatever the data.  No rate is chosen and nothing can diverge.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Float32, Float64, Int, Num

from epochal.stats.classification import nll, prior

# Weight penalties tried, as so many samples' worth of belief that weights are small.
# Chosen on a held-out fifth; benchmarks/healthy/linear.md shows where the best one lies.
STRENGTHS = (1.0, 10.0, 100.0, 300.0, 1000.0, 10_000.0)
# Features kept of an image: on CIFAR-10 as good as four times as many, in less than half the time (same table).
BLOCKS = 432
# Samples on which the penalty is chosen: more would cost time and not change it.
CHOOSERS = 4000
STEPS = 60
# A step that lowers the loss by less than this share ends the fit.
ENOUGH = 2e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearMap:
    """Weight and bias as `torch.nn.Linear` keeps them: `logits = x Wᵀ + b`.

    Shapes: c classes, d features.
    """

    weight: Float32[np.ndarray, "c d"]
    bias: Float32[np.ndarray, " c"]

    def logits(self, features: Num[np.ndarray, "n d"]) -> Float32[np.ndarray, "n c"]:
        """Scores of each class for each sample.

        >>> LinearMap(weight=np.ones((2, 3), np.float32), bias=np.zeros(2, np.float32)).logits(np.ones((1, 3)))
        array([[3., 3.]], dtype=float32)
        """
        return np.asarray(features.astype(np.float32) @ self.weight.T + self.bias)


def constant_map(labels: Int[np.ndarray, " n"], *, classes: int, features: int) -> LinearMap:
    """The prior baseline: a map that ignores its input and always answers with the class shares.

    Shapes: n samples.  Raises: DataError if a label is not one of the classes.  Source: tips K2.5, K2.7.

    >>> always = constant_map(np.array([0, 0, 0, 1]), classes=2, features=5)
    >>> always.logits(np.ones((1, 5))).argmax()
    np.int64(0)
    """
    shares = prior(labels, classes=classes)
    return LinearMap(weight=np.zeros((classes, features), np.float32), bias=np.log(shares).astype(np.float32))


def fit_logistic(
    features: Num[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    classes: int,
    strength: float | None = None,
    steps: int = STEPS,
) -> LinearMap:
    """Multinomial logistic regression, with its weight penalty chosen on a held-out fifth if not given.

    Minimises `mean cross-entropy + ½ (strength / n) v |W|²`, v the mean variance of the features,
    by accelerated steps under Böhning's curvature bound.  The bias is not penalised.
    Shapes: n samples, d features (up to about a thousand; one d x d matrix is factored).
    Raises: DataError if a label is not one of the classes.
    Source: Böhning 1992; Beck and Teboulle 2009 (acceleration); O'Donoghue and Candès 2015 (restart).

    >>> x = np.array([[-1.0], [-0.8], [0.9], [1.0]])
    >>> fit_logistic(x, np.array([0, 0, 1, 1]), classes=2, strength=1.0).logits(x).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """
    start = constant_map(labels, classes=classes, features=features.shape[1])
    if len(labels) < 2 or len(np.unique(labels)) < 2:
        return start
    inputs = features.astype(np.float32)
    if strength is None:
        strength = _chosen_strength(inputs, labels, classes=classes)
    return _descended(inputs, labels, start=start, strength=strength, steps=steps)


def fit_images(
    images: Num[np.ndarray, "n c h w"],
    labels: Int[np.ndarray, " n"],
    *,
    classes: int,
    at_most: int = BLOCKS,
    strength: float | None = None,
) -> LinearMap:
    """The linear classifier of whole images, fitted on means of small blocks and spread back over the pixels.

    Averaging is linear too, so the map applies to the flattened image itself, as after `nn.Flatten`.
    50,000 colour images of 32x32 pixels take about a second on one core, not minutes.
    Shapes: n samples; the map has c * h * w features, in that order.
    Raises: DataError if a label is not one of the classes.

    >>> bright = np.stack([np.full((1, 8, 8), v) for v in (0.0, 0.1, 0.9, 1.0)])
    >>> fitted = fit_images(bright, np.array([0, 0, 1, 1]), classes=2, strength=1.0)
    >>> fitted.weight.shape, fitted.logits(bright.reshape(4, -1)).argmax(axis=1).tolist()
    ((2, 64), [0, 0, 1, 1])
    """
    n, channels, height, width = images.shape
    ratio = min(1.0, sqrt(at_most / (channels * height * width)))
    rows = block_means(height, max(1, int(height * ratio)))
    columns = block_means(width, max(1, int(width * ratio)))
    small = np.matmul(np.matmul(rows, images.astype(np.float32, copy=False)), columns.T)
    fitted = fit_logistic(small.reshape(n, -1), labels, classes=classes, strength=strength)
    weight = fitted.weight.reshape(classes, channels, len(rows), len(columns))
    spread = np.matmul(np.matmul(rows.T, weight), columns)
    return LinearMap(weight=spread.reshape(classes, -1), bias=fitted.bias)


def block_means(size: int, cells: int) -> Float32[np.ndarray, "cells size"]:
    """The matrix that averages `size` values into `cells` stretches, as adaptive average pooling does.

    >>> block_means(4, 2).tolist()
    [[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]
    """
    cell, place = np.arange(cells)[:, None], np.arange(size)
    first, last = cell * size // cells, -(-(cell + 1) * size // cells)
    inside = ((place >= first) & (place < last)).astype(np.float32)
    return np.asarray(inside / inside.sum(axis=1, keepdims=True))


def _chosen_strength(inputs: Float32[np.ndarray, "n d"], labels: Int[np.ndarray, " n"], *, classes: int) -> float:
    order = np.random.default_rng(0).permutation(len(labels))[:CHOOSERS]
    cut = max(1, len(order) // 5)
    held, used = order[:cut], order[cut:]
    start = constant_map(labels[used], classes=classes, features=inputs.shape[1])
    best, lowest = STRENGTHS[-1], nll(start.logits(inputs[held]), labels[held])
    for strength in reversed(STRENGTHS):  # from the safest: a worse loss than the one before ends the search
        start = _descended(inputs[used], labels[used], start=start, strength=strength, steps=STEPS)
        loss = nll(start.logits(inputs[held]), labels[held])
        if loss >= lowest:
            break
        best, lowest = strength, loss
    return best


def _descended(
    inputs: Float32[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
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
    bound = 0.5 * gram.astype(np.float64) + penalty * np.eye(d)
    inverse = np.linalg.inv(bound).astype(np.float32)
    truth = np.zeros((n, len(start.bias)), np.float32)
    truth[np.arange(n), labels] = 1
    weight, bias = start.weight.copy(), start.bias + start.weight @ mean
    ahead, ahead_bias, pace, before = weight, bias, 1.0, np.inf
    for _ in range(steps):
        share, loss = _shares(x @ ahead.T + ahead_bias, labels)
        loss += 0.5 * penalty * float(np.square(ahead).sum())
        if before - loss < ENOUGH * abs(loss) and pace > 1:
            if loss <= before:
                break
            ahead, ahead_bias, pace = weight, bias, 1.0  # overshot: forget the momentum
            continue
        error = (share - truth) / n
        moved = ahead - (error.T @ x + penalty * ahead) @ inverse
        moved_bias = ahead_bias - 2 * error.sum(axis=0)
        following = (1 + sqrt(1 + 4 * pace**2)) / 2
        push = (pace - 1) / following
        ahead, ahead_bias = moved + push * (moved - weight), moved_bias + push * (moved_bias - bias)
        weight, bias, pace, before = moved, moved_bias, following, loss
    return LinearMap(weight=weight.astype(np.float32), bias=(bias - weight @ mean).astype(np.float32))


def _shares(
    logits: Float32[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]
) -> tuple[Float32[np.ndarray, "n c"], float]:
    """Softmax in float32, in place, with the mean loss: the log-likelihood falls out of the same sums."""
    logits -= logits.max(axis=1, keepdims=True)
    own = logits[np.arange(len(labels)), labels].astype(np.float64)
    np.exp(logits, out=logits)
    total: Float64[np.ndarray, " n"] = logits.sum(axis=1, dtype=np.float64)
    loss = float((np.log(total) - own).mean())
    logits /= total[:, None].astype(np.float32)
    return logits, loss
