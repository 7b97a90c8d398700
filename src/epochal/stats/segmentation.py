"""How good masks are: overlap of each class, pooled over a split, and how sure that is from so many images.

Everything is computed from one confusion matrix of pixels per image. Pixels of one image resemble each other, so it is
images that are drawn again for the intervals, never pixels.
"""

import numpy as np
from jaxtyping import Float64, Int64, Integer, Num, UInt8

from epochal.errors import DataError
from epochal.stats.intervals import Interval
from epochal.stats.resampling import interval_of_draws, times_drawn

VOID = 255  # the number of pixels that nobody labelled, by the custom of Pascal VOC and Cityscapes
DRAWS = 2000


def masks_of(outputs: Num[np.ndarray, "n c h w"]) -> UInt8[np.ndarray, "n h w"]:
    """The likeliest class of each pixel, as a mask is stored: the first of equals.

    Shapes: n images of h by w pixels, c classes, 255 at most.

    >>> masks_of(np.array([[[[1.0, 0.0]], [[0.0, 2.0]]]])).tolist()
    [[[0, 1]]]
    """
    assert outputs.shape[1] <= VOID, "a mask holds at most 255 classes"
    return np.stack([each.argmax(axis=0).astype(np.uint8) for each in outputs]) if len(outputs) else _no_masks(outputs)


def mask_confusions(
    predicted: Integer[np.ndarray, "n h w"],
    masks: Integer[np.ndarray, "n h w"],
    *,
    classes: int,
    ignore: int = VOID,
) -> Int64[np.ndarray, "n c c"]:
    """Pixels of each image counted by true class (row) and predicted class (column), those of `ignore` left out.

    Shapes: n images of h by w pixels, c classes.
    Raises: DataError where a label is neither a class nor `ignore`, or a prediction is no class.

    >>> mask_confusions(np.array([[[0, 1, 1]]]), np.array([[[0, 0, 255]]]), classes=2).tolist()
    [[[1, 1], [0, 0]]]
    """
    counts = np.zeros((len(masks), classes, classes), dtype=np.int64)
    for place, (said, mask) in enumerate(zip(predicted, masks, strict=True)):
        kept = mask != ignore
        true, named = mask[kept].astype(np.int64), said[kept].astype(np.int64)
        for values, what in ((true, "label"), (named, "prediction")):
            if values.size and not 0 <= values.min() <= values.max() < classes:
                raise DataError(
                    f"A {what} in image {place} is {values.max() if values.min() >= 0 else values.min()}.",
                    expected=f"0 to {classes - 1}, or {ignore} where nobody labelled.",
                    remedy="number the classes in the order of their names.",
                )
        counts[place] = np.bincount(true * classes + named, minlength=classes**2).reshape(classes, classes)
    return counts


def class_iou(matrix: Num[np.ndarray, "*b c c"]) -> Float64[np.ndarray, "*b c"]:
    """Overlap of each class: `hits / (labelled + named - hits)`, NaN where it is neither labelled nor named.

    Shapes: c classes, rows true; any number of matrices.  Units: share, 0 to 1.
    Source: Everingham et al. 2010, section 4.3.

    >>> class_iou(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])).tolist()
    [0.75, 0.8, nan]
    """
    return _ratios(_sums(matrix))


def mean_iou(matrix: Num[np.ndarray, "*b c c"]) -> Float64[np.ndarray, "*b"]:
    """Mean overlap over the classes that occur, in labels or in predictions; NaN where none does.

    Shapes: c classes, rows true; any number of matrices.  Units: share, 0 to 1.

    >>> float(mean_iou(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])))
    0.775
    """
    return _mean_of_known(class_iou(matrix))


def pixel_accuracy(matrix: Num[np.ndarray, "*b c c"]) -> Float64[np.ndarray, "*b"]:
    """Share of the labelled pixels that are named rightly; NaN where none is labelled.

    >>> float(pixel_accuracy(np.array([[3, 1], [0, 4]])))
    0.875
    """
    hits, labelled, _ = np.moveaxis(_sums(matrix), -2, 0)
    return _divided(np.asarray(hits.sum(axis=-1)), np.asarray(labelled.sum(axis=-1)))


def frequency_weighted_iou(matrix: Num[np.ndarray, "c c"]) -> float:
    """Mean overlap, each class weighted by its labelled pixels: what a large area of the picture gets.

    Source: Long et al. 2015, section 5.

    >>> frequency_weighted_iou(np.array([[3, 1], [0, 4]]))
    0.775
    """
    labelled = _sums(matrix)[1]
    total = labelled.sum()
    return float(np.nansum(class_iou(matrix) * labelled) / total) if total else float("nan")


def mean_iou_interval(
    confusions: Num[np.ndarray, "n c c"], *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Mean overlap of a whole split, with the interval that its number of images allows.

    Images are drawn again with replacement and their counts pooled. Images count as drawn one by one: frames of one
    film, which resemble each other, say less than the interval believes.

    Shapes: n images, c classes, rows true.  Source: Efron 1979; tip K2.3.

    >>> images = np.array([[[8, 2], [1, 9]], [[5, 5], [0, 10]], [[9, 1], [3, 7]]])
    >>> found = mean_iou_interval(images)
    >>> round(found.value, 3), found.low < found.value < found.high
    (0.666, True)
    """
    sums = _sums(confusions)
    drawn = _mean_of_known(_ratios(_drawn(sums, draws=draws, seed=seed)))
    return interval_of_draws(
        float(mean_iou(confusions.sum(axis=0))), drawn=drawn, samples=len(sums), confidence=confidence
    )


def class_iou_intervals(
    confusions: Num[np.ndarray, "n c c"], *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> tuple[Interval, ...]:
    """Overlap of each class with its interval, as `mean_iou_interval`; a class that never occurs has NaN, 0 to 1.

    Shapes: n images, c classes, rows true.

    >>> [round(each.value, 2) for each in class_iou_intervals(np.array([[[3, 1], [0, 4]]] * 5))]
    [0.75, 0.8]
    """
    sums, values = _sums(confusions), class_iou(confusions.sum(axis=0)).tolist()
    drawn = _ratios(_drawn(sums, draws=draws, seed=seed))
    return tuple(
        interval_of_draws(value, drawn=drawn[:, k], samples=len(sums), confidence=confidence)
        for k, value in enumerate(values)
    )


def mean_iou_gain(
    candidate: Num[np.ndarray, "n c c"],
    present: Num[np.ndarray, "n c c"],
    *,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """How much more the candidate overlaps than the present model, on the same images drawn again for both.

    Shapes: n images, c classes, rows true.  Units: share, -1 to 1.

    >>> better, worse = np.array([[[9, 1], [1, 9]]] * 4), np.array([[[5, 5], [5, 5]]] * 4)
    >>> round(mean_iou_gain(better, worse).value, 3)
    0.485
    """
    pair = [_sums(each) for each in (candidate, present)]
    a, b = (_mean_of_known(_ratios(_drawn(each, draws=draws, seed=seed))) for each in pair)
    value = float(mean_iou(candidate.sum(axis=0)) - mean_iou(present.sum(axis=0)))
    return interval_of_draws(value, drawn=a - b, samples=len(candidate), confidence=confidence, reach=(-1.0, 1.0))


def _no_masks(outputs: Num[np.ndarray, "n c h w"]) -> UInt8[np.ndarray, "n h w"]:
    return np.zeros((0, *outputs.shape[2:]), dtype=np.uint8)


def _sums(matrix: Num[np.ndarray, "*b c c"]) -> Float64[np.ndarray, "*b 3 c"]:
    """Hits, labelled and named pixels of each class: all that overlaps are made of, and few beside a whole matrix."""
    wide = matrix.astype(np.float64)
    return np.stack([np.diagonal(wide, axis1=-2, axis2=-1), wide.sum(axis=-1), wide.sum(axis=-2)], axis=-2)


def _ratios(sums: Float64[np.ndarray, "*b 3 c"]) -> Float64[np.ndarray, "*b c"]:
    hits, labelled, named = np.moveaxis(sums, -2, 0)
    return _divided(hits, labelled + named - hits)


def _divided(above: Float64[np.ndarray, "*b"], below: Num[np.ndarray, "*b"]) -> Float64[np.ndarray, "*b"]:
    """The quotient, NaN where nothing is divided by nothing."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below > 0)))


def _mean_of_known(values: Float64[np.ndarray, "*b c"]) -> Float64[np.ndarray, "*b"]:
    known = ~np.isnan(values)
    return _divided(np.asarray(np.where(known, values, 0.0).sum(axis=-1)), np.asarray(known.sum(axis=-1)))


def _drawn(sums: Float64[np.ndarray, "n 3 c"], *, draws: int, seed: int) -> Float64[np.ndarray, "draws 3 c"]:
    """Pooled sums of images drawn again: the same images for the same seed, whatever the sums."""
    flat = sums.reshape(len(sums), 3 * sums.shape[2])
    pooled = [times.T @ flat for times in times_drawn(len(sums), draws=draws, seed=seed)]
    return np.concatenate(pooled).reshape(draws, *sums.shape[1:])
