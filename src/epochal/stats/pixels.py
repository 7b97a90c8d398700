"""The linear classifier of pixels, fitted on a sample of them: the baseline that a network for masks must beat."""

import numpy as np
from jaxtyping import Float32, Float64, Int, Int64, UInt8

from epochal.errors import DataError
from epochal.stats.linear import LinearMap, fit_logistic
from epochal.stats.segmentation import VOID

# Sides of the windows around a pixel, in pixels; `epochal.models.linear_pixels.LinearPixels` computes the same.
WINDOWS = (3, 7)
# Pixels the weights are fitted on: on CamVid 5,000 give the same mean overlap within its interval and 0.03 nats more
# per pixel, 20,000 the same likelihood; 50,000 take 2 seconds.
AT_MOST = 50_000


def feature_count(channels: int) -> int:
    """How many numbers describe a pixel: its colour, the mean colour of each window, and five of its place.

    >>> feature_count(3)
    14
    """
    return channels * (1 + len(WINDOWS)) + 5


def pixel_features(
    image: Float32[np.ndarray, "h w c"], *, rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"]
) -> Float32[np.ndarray, "n d"]:
    """What describes some pixels of an image: colour, mean colour around each, x, y, x², y², xy from -1 to 1.

    Window means come from running sums, so that their cost is that of the picture, whatever the window. At the border a
    window holds fewer pixels.

    Shapes: an image of h by w pixels, n of its pixels.

    >>> image = np.arange(4, dtype=np.float32).reshape(2, 2, 1)
    >>> pixel_features(image, rows=np.array([0]), columns=np.array([1])).round(2).tolist()
    [[1.0, 1.5, 1.5, 0.5, -0.5, 0.25, 0.25, -0.25]]
    """
    height, width, _ = image.shape
    sums: Float64[np.ndarray, "h1 w1 c"] = np.zeros((height + 1, width + 1, image.shape[2]))
    sums[1:, 1:] = image.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    parts = [image[rows, columns]]
    for size in WINDOWS:
        top, bottom = np.maximum(rows - size // 2, 0), np.minimum(rows + size // 2 + 1, height)
        left, right = np.maximum(columns - size // 2, 0), np.minimum(columns + size // 2 + 1, width)
        inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
        parts.append(inside / ((bottom - top) * (right - left))[:, None])
    x, y = (2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1
    parts.append(np.stack([x, y, x * x, y * y, x * y], axis=1))
    return np.concatenate(parts, axis=1).astype(np.float32)


def fit_pixels(
    pixels: UInt8[np.ndarray, "n h w c"],
    masks: UInt8[np.ndarray, "n h w"],
    *,
    classes: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    at_most: int = AT_MOST,
) -> LinearMap:
    """Fit multinomial logistic regression on a sample of labelled pixels, spread evenly over the images.

    Images may be a memory-mapped file: one is read at a time. `mean` and `std` are those with which the network's
    images are normalised, of the range 0 to 1, so that the weights are those of the head of `LinearPixels`, in order.

    Shapes: n images; the map has `feature_count(c)` features.
    Raises: DataError where no pixel is labelled, or a label is neither a class nor 255.

    >>> dark, light = np.zeros((1, 4, 4, 1), np.uint8), np.full((1, 4, 4, 1), 255, np.uint8)
    >>> masks = np.concatenate([np.zeros((1, 4, 4), np.uint8), np.ones((1, 4, 4), np.uint8)])
    >>> fitted = fit_pixels(np.concatenate([dark, light]), masks, classes=2, mean=(0.5,), std=(0.5,))
    >>> fitted.weight.shape, bool(fitted.weight[1, 0] > 0)
    ((2, 8), True)
    """
    middle, spread = (np.asarray(each, dtype=np.float32) for each in (mean, std))
    source = np.random.default_rng(0)
    chosen = source.permutation(len(masks))[:at_most]
    each = -(-at_most // max(1, len(chosen)))
    features, labels = [], []
    for place in np.sort(chosen):
        rows, columns = _some_labelled(masks[place], at_most=each, source=source)
        image = (pixels[place].astype(np.float32) / 255 - middle) / spread
        features.append(pixel_features(image, rows=rows, columns=columns))
        labels.append(masks[place][rows, columns].astype(np.int64))
    if not sum(map(len, labels)):
        raise DataError(
            f"None of the pixels of {len(masks)} masks is labelled.",
            expected=f"some that are not {VOID}.",
            remedy="look at the masks: is the class that stands for unlabelled the right one?",
        )
    return fit_logistic(np.concatenate(features), np.concatenate(labels), classes=classes)


def _some_labelled(
    mask: UInt8[np.ndarray, "h w"], *, at_most: int, source: np.random.Generator
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    labelled = np.flatnonzero(mask != VOID)
    some = source.choice(labelled, size=min(at_most, len(labelled)), replace=False, shuffle=False)
    rows, columns = np.divmod(some, mask.shape[1])
    return rows.astype(np.int64), columns.astype(np.int64)
