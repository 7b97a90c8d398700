"""What the masks of a split hold, counted in one pass over a file that need not fit in memory."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Integer, UInt8

from epochal.errors import DataError
from epochal.stats.segmentation import VOID, mask_confusions

# Cells along the longer side of the map of places. Mean overlap of the answer by place on CamVid's validation split:
# 8 cells 0.155, 16 cells 0.161, 32 cells 0.166, 64 cells 0.167, 256 cells 0.167.
CELLS = 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskCounts:
    """Pixels of each class in each image, and the most common class at each place of the picture.

    Shapes: n images, c classes; the map has rows x columns cells, `VOID` where nobody ever labelled.
    """

    per_image: Int64[np.ndarray, "n c"]
    places: UInt8[np.ndarray, "rows columns"]

    @property
    def pixels(self) -> Int64[np.ndarray, " c"]:
        """Labelled pixels of each class in the whole split."""
        return np.asarray(self.per_image.sum(axis=0))

    @property
    def shares(self) -> Float64[np.ndarray, " c"]:
        """Share of each class among an image's labelled pixels, the mean over images.

        It is what a loss that is averaged over images sees of the classes. They add up to the share of images that have
        any label.

        >>> count_masks(np.array([[[0, 0, 0, 1]], [[1, 255, 255, 255]]], np.uint8), classes=2).shares.tolist()
        [0.375, 0.625]
        """
        labelled = np.maximum(1, self.per_image.sum(axis=1, keepdims=True))
        return np.asarray((self.per_image / labelled).sum(axis=0) / max(1, len(self.per_image)))

    @property
    def images(self) -> Int64[np.ndarray, " c"]:
        """Images in which each class occurs."""
        return np.asarray((self.per_image > 0).sum(axis=0))

    @property
    def where_present(self) -> Int64[np.ndarray, " c"]:
        """All labelled pixels of the images in which each class occurs."""
        return np.asarray((self.per_image > 0).T @ self.per_image.sum(axis=1))


def count_masks(masks: UInt8[np.ndarray, "n h w"], *, classes: int, cells: int = CELLS) -> MaskCounts:
    """Count the pixels of each class, image by image and place by place.

    The masks may be a memory-mapped file: one image is read at a time.

    Shapes: n masks of h by w pixels.
    Raises: DataError for fewer than 2 classes, a label that is neither a class nor 255, or none that is a class.

    >>> found = count_masks(np.array([[[0, 1], [1, 255]]], np.uint8), classes=2)
    >>> found.pixels.tolist(), found.places.tolist()
    ([1, 2], [[0, 1], [1, 255]])
    """
    if not 2 <= classes <= VOID:
        raise DataError(
            f"There are masks of {classes} classes.",
            expected=f"2 to {VOID}, those not counted that are to be ignored.",
            remedy="name each class that the masks hold.",
        )
    _, height, width = masks.shape
    rows, columns = _map_size(height, width, cells=cells)
    down, across = np.arange(height) * rows // max(1, height), np.arange(width) * columns // max(1, width)
    first = (down[:, None] * columns + across) * (classes + 1)
    known = np.full(256, -1, dtype=np.int64)
    known[:classes] = np.arange(classes)
    known[VOID] = classes
    per_image = np.zeros((len(masks), classes), dtype=np.int64)
    votes = np.zeros((rows * columns, classes), dtype=np.int64)
    for place in range(len(masks)):
        labels = known[masks[place]]
        if labels.size and labels.min() < 0:
            raise _foreign(masks[place], place=place, classes=classes)
        held = np.bincount((first + labels).ravel(), minlength=rows * columns * (classes + 1))
        held = held.reshape(rows * columns, classes + 1)[:, :classes]
        per_image[place], votes = held.sum(axis=0), votes + held
    if not votes.any():
        raise DataError(
            f"None of the pixels of {len(masks)} masks is labelled.",
            expected=f"some that are not {VOID}.",
            remedy="look at the masks: is the class that stands for unlabelled the right one?",
        )
    said = np.where(votes.any(axis=1), votes.argmax(axis=1), VOID).astype(np.uint8)
    return MaskCounts(per_image=per_image, places=said.reshape(rows, columns))


def trivial_confusions(
    masks: UInt8[np.ndarray, "n h w"], places: Integer[np.ndarray, "rows columns"], *, classes: int, common: int
) -> Int64[np.ndarray, "n c c"]:
    """Pixels by true class (row) and class said, of an answer that is the same for every image: a map of places.

    Each pixel gets the class of its cell, `common` where the map has `VOID`.

    Shapes: n masks of h by w pixels, c classes.  Raises: DataError where a label is neither a class nor 255.

    >>> masks = np.array([[[0, 0, 1, 0]]], np.uint8)
    >>> trivial_confusions(masks, np.array([[0, 1]]), classes=2, common=0).tolist()
    [[[2, 1], [0, 1]]]
    """
    (height, width), (rows, columns) = masks.shape[1:], places.shape
    down, across = np.arange(height) * rows // max(1, height), np.arange(width) * columns // max(1, width)
    said = np.where(places == VOID, common, places)[down[:, None], across]
    return mask_confusions(np.broadcast_to(said, masks.shape), masks, classes=classes)


def dice_of_constant(per_image: Int64[np.ndarray, "n c"], *, said: Float64[np.ndarray, " c"], smooth: float) -> float:
    """Mean dice loss of a network that says the same shares for every pixel, over images of these pixel counts.

    Per image `1 - mean_k (2 q_k m_k + s) / (q_k m + m_k + s)` over its classes; 0 where nothing is labelled.

    Units: 0 to 1.  Source: Milletari et al. 2016, eq. 1; tip K2.4.

    >>> round(dice_of_constant(np.array([[50, 50]]), said=np.array([0.5, 0.5]), smooth=0.0), 3)
    0.5
    """
    true = per_image.astype(np.float64)
    there = true > 0
    below = said * true.sum(axis=1, keepdims=True) + true + smooth
    overlap = np.divide(2 * said * true + smooth, below, out=np.ones_like(true), where=there)
    each = ((1 - overlap) * there).sum(axis=1) / np.maximum(1, there.sum(axis=1))
    return float(each.mean()) if len(each) else 0.0


def _map_size(height: int, width: int, *, cells: int) -> tuple[int, int]:
    longer = max(1, height, width)
    rows, columns = (max(1, round(side * min(1.0, cells / longer))) for side in (height, width))
    return rows, columns


def _foreign(mask: UInt8[np.ndarray, "h w"], *, place: int, classes: int) -> DataError:
    wrong = mask[(mask >= classes) & (mask != VOID)]
    return DataError(
        f"Mask {place} holds the label {wrong.max()} ({wrong.size} such pixels).",
        expected=f"0 to {classes - 1}, or {VOID} where nobody labelled.",
        remedy="name all classes, or map what is to be left out to 255.",
    )
