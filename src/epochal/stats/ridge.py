"""Ridge regression in closed form: what a linear map of pixels can say about numbers, the baseline of a network.

    W = (XᵀX + λ I)⁻¹ XᵀY        λ the one with the smallest error on samples left out, all n of them, one at a time

The errors of leaving out each sample in turn follow from one decomposition, without n fits (Allen 1974), so nothing is
held back and nothing is drawn.
"""

from math import sqrt

import numpy as np
from jaxtyping import Float32, Float64, Num

from epochal.errors import DataError
from epochal.stats.linear import BLOCKS, LinearMap, block_means

# Penalties tried, as shares of the mean variance of a feature, times the samples: from hardly any to almost the mean.
# benchmarks/regression/needle.md shows where the best one lies.
STRENGTHS = tuple(10.0 ** (exponent / 2) for exponent in range(-12, 7))


def fit_ridge(
    features: Num[np.ndarray, "n d"], targets: Num[np.ndarray, "n k"], *, strength: float | None = None
) -> LinearMap:
    """The linear map of least squares with small weights; its penalty has the smallest left-out error if not given.

    Minimises `mean |y - W x - b|² + strength · v |W|²`, v the mean variance of the features. The bias is not
    penalised; all outputs share one penalty, so give them comparable scales.

    Shapes: n samples, d features (up to about a thousand: one d x d matrix is decomposed), k outputs.
    Raises: DataError for no sample, or numbers that are not finite.
    Source: Hoerl and Kennard 1970; Allen 1974 (PRESS).

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> fit_ridge(x, 2 * x + 1, strength=0.0).logits(np.array([[5.0]])).round(3).tolist()
    [[11.0]]
    """
    inputs, wanted = _checked(features, targets)
    mean, level = inputs.mean(axis=0), wanted.mean(axis=0)
    x, y = inputs - mean, wanted - level
    squares, directions = _principal(x)
    scale = float(squares.sum()) / x.shape[1]
    if strength is None:
        strength = _chosen(x @ directions, y, squares=squares, scale=scale)
    shrunk = _inverted(squares, strength * scale)[:, None]
    weight = ((directions * shrunk.T) @ (directions.T @ (x.T @ y))).T
    return LinearMap(weight=weight.astype(np.float32), bias=(level - weight @ mean).astype(np.float32))


def fit_ridge_images(
    images: Num[np.ndarray, "n c h w"],
    targets: Num[np.ndarray, "n k"],
    *,
    at_most: int = BLOCKS,
    strength: float | None = None,
) -> LinearMap:
    """The ridge regression of whole images, fitted on means of small blocks and spread back over the pixels.

    Averaging is linear too, so the map applies to the flattened image itself, as after `nn.Flatten`.

    Shapes: n samples, k outputs; the map has c * h * w features, in that order.
    Raises: DataError for no sample, or numbers that are not finite.

    >>> bright = np.stack([np.full((1, 8, 8), v) for v in (0.0, 0.1, 0.9, 1.0)])
    >>> fitted = fit_ridge_images(bright, np.array([[0.0], [1.0], [9.0], [10.0]]), strength=1e-6)
    >>> fitted.weight.shape, fitted.logits(np.full((1, 64), 0.5)).round(2).tolist()
    ((1, 64), [[5.0]])
    """
    rows, columns = _cells(images.shape, at_most=at_most)
    fitted = fit_ridge(_averaged(images, rows=rows, columns=columns), targets, strength=strength)
    weight = fitted.weight.reshape(-1, images.shape[1], len(rows), len(columns))
    spread = np.matmul(np.matmul(rows.T, weight), columns)
    return LinearMap(weight=spread.reshape(len(weight), -1), bias=fitted.bias)


def block_features(images: Num[np.ndarray, "n c h w"], *, at_most: int = BLOCKS) -> Float32[np.ndarray, "n d"]:
    """Means of blocks of each image, at most so many: cheap features for what needs few of them.

    >>> block_features(np.ones((2, 3, 32, 32)), at_most=192).shape
    (2, 192)
    """
    rows, columns = _cells(images.shape, at_most=at_most)
    return _averaged(images, rows=rows, columns=columns)


def left_out_errors(
    features: Num[np.ndarray, "n d"], targets: Num[np.ndarray, "n k"], *, strength: float
) -> Float64[np.ndarray, "n k"]:
    """How far the fit to all other samples is off on each: `(y - ŷ) / (1 - h)`, h how much a sample pulls on itself.

    Shapes: n samples, d features, k outputs.  Source: Allen 1974.

    >>> x = np.arange(4.0)[:, None]
    >>> left_out_errors(x, 2 * x + 1, strength=0.0).round(6).tolist()
    [[0.0], [0.0], [0.0], [0.0]]
    """
    inputs, wanted = _checked(features, targets)
    x, y = inputs - inputs.mean(axis=0), wanted - wanted.mean(axis=0)
    squares, directions = _principal(x)
    return _left_out(x @ directions, y, squares=squares, penalty=strength * float(squares.sum()) / x.shape[1])


def _chosen(
    turned: Float64[np.ndarray, "n d"],
    targets: Float64[np.ndarray, "n k"],
    *,
    squares: Float64[np.ndarray, " d"],
    scale: float,
) -> float:
    """The penalty with the smallest left-out error."""
    errors = [
        float(np.square(_left_out(turned, targets, squares=squares, penalty=strength * scale)).sum())
        for strength in STRENGTHS
    ]
    best: float = STRENGTHS[int(np.argmin(errors))]
    return best


def _left_out(
    turned: Float64[np.ndarray, "n d"],
    targets: Float64[np.ndarray, "n k"],
    *,
    squares: Float64[np.ndarray, " d"],
    penalty: float,
) -> Float64[np.ndarray, "n k"]:
    shrunk = _inverted(squares, penalty)
    residual = targets - turned @ (shrunk[:, None] * (turned.T @ targets))
    pull = np.square(turned) @ shrunk + 1 / len(turned)  # the second: of its share in the mean
    free = np.maximum(1 - pull, 1e-9)  # a sample that decides its own fit says nothing; kept from dividing by 0
    return np.asarray(residual / free[:, None])


def _principal(x: Float64[np.ndarray, "n d"]) -> tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, "d d"]]:
    """Sums of squares along the principal axes, and the axes."""
    squares, directions = np.linalg.eigh(x.T @ x)
    return np.maximum(squares, 0.0), directions


def _inverted(squares: Float64[np.ndarray, " d"], penalty: float) -> Float64[np.ndarray, " d"]:
    """Inverse of the penalised squares; nothing along axes without any extent, where rounding would decide."""
    some = squares > squares.max(initial=0.0) * 1e-12
    return np.asarray(np.where(some, 1 / np.where(some, squares + penalty, 1.0), 0.0))


def _checked(
    features: Num[np.ndarray, "n d"], targets: Num[np.ndarray, "n k"]
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, "n k"]]:
    inputs, wanted = features.astype(np.float64), targets.astype(np.float64)
    sound = np.isfinite(inputs).all(axis=1) & np.isfinite(wanted).all(axis=1)
    if not len(inputs) or not sound.all():
        raise DataError(
            f"{int((~sound).sum())} of {len(inputs)} samples hold numbers that are not finite.",
            expected="one sample or more, all finite.",
            remedy="leave out the rows without a value, and images that cannot be read.",
        )
    return inputs, wanted


def _cells(
    shape: tuple[int, ...], *, at_most: int
) -> tuple[Float32[np.ndarray, "rows h"], Float32[np.ndarray, "columns w"]]:
    _, channels, height, width = shape
    ratio = min(1.0, sqrt(at_most / (channels * height * width)))
    return block_means(height, max(1, int(height * ratio))), block_means(width, max(1, int(width * ratio)))


def _averaged(
    images: Num[np.ndarray, "n c h w"],
    *,
    rows: Float32[np.ndarray, "rows h"],
    columns: Float32[np.ndarray, "columns w"],
) -> Float32[np.ndarray, "n d"]:
    small = np.matmul(np.matmul(rows, images.astype(np.float32, copy=False)), columns.T)
    return np.ascontiguousarray(small.reshape(len(images), -1))
