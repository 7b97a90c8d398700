"""What a table and a report say of masks: one row for each class, one for each image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Num, UInt8

from epochal.stats.confusion import balanced_accuracy
from epochal.stats.segmentation import (
    VOID,
    class_iou,
    class_iou_intervals,
    frequency_weighted_iou,
    mean_iou,
    pixel_accuracy,
)


def figures_of_masks(confusions: Num[np.ndarray, "n c c"], losses: Float64[np.ndarray, " n"]) -> dict[str, Any]:
    """One figure each for a whole split, pooled over its labelled pixels; null where none is.

    `losses` are means over each image's labelled pixels; `nll` is the mean over all pixels.

    Shapes: n images, c classes, rows true.

    >>> found = figures_of_masks(np.array([[[3, 1], [0, 4]]]), np.array([0.25]))
    >>> found["pixel_accuracy"], found["balanced_accuracy"], found["nll"], found["pixels"]
    (0.875, 0.875, 0.25, 8)
    """
    pooled, pixels = confusions.sum(axis=0), confusions.sum(axis=(1, 2))
    total = int(pixels.sum())
    return {
        "pixel_accuracy": _known(float(pixel_accuracy(pooled))),
        "frequency_weighted_iou": _known(frequency_weighted_iou(pooled)),
        "balanced_accuracy": _known(balanced_accuracy(pooled)),
        "nll": float(losses @ pixels) / total if total else None,
        "pixels": total,
    }


def rows_of_classes(confusions: Num[np.ndarray, "n c c"], *, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Each class alone: its overlap with the interval over images, its pixels, recall and precision; null if unknown.

    Shapes: n images, c classes, rows true.

    >>> rows = rows_of_classes(np.array([[[3, 1], [0, 4]]] * 2), classes=["road", "sky"])
    >>> rows[0]["iou"], rows[0]["recall"], rows[1]["precision"], rows[1]["pixels"]
    (0.75, 0.75, 0.8, 8)
    """
    pooled = confusions.sum(axis=0)
    hits, labelled, named = pooled.diagonal(), pooled.sum(axis=1), pooled.sum(axis=0)
    return [
        {
            "label": label,
            "iou": _known(each.value),
            "low": each.low,
            "high": each.high,
            "pixels": int(labelled[k]),
            "recall": float(hits[k] / labelled[k]) if labelled[k] else None,
            "precision": float(hits[k] / named[k]) if named[k] else None,
        }
        for k, (label, each) in enumerate(zip(classes, class_iou_intervals(confusions), strict=True))
    ]


def rows_of_images(
    confusions: Num[np.ndarray, "n c c"], losses: Float64[np.ndarray, " n"], *, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Each image alone: overlap over its own classes, pixels right, and the labelled class that fares worst.

    An image without labelled pixels has null for all of them.

    Shapes: n images, c classes, rows true.

    >>> rows_of_images(np.array([[[3, 1], [0, 4]]]), np.array([0.25]), classes=["road", "sky"])
    [{'mean_iou': 0.775, 'pixel_accuracy': 0.875, 'worst': 'road', 'worst_iou': 0.75, 'pixels': 8, 'loss': 0.25}]
    """
    overlaps, right, means = class_iou(confusions), pixel_accuracy(confusions), mean_iou(confusions)
    labelled = confusions.sum(axis=2) > 0
    own = np.where(labelled, overlaps, np.inf)
    rows = []
    for k in range(len(confusions)):
        known = bool(labelled[k].any())
        worst = int(own[k].argmin())
        rows.append(
            {
                "mean_iou": round(float(means[k]), 6) if known else None,
                "pixel_accuracy": round(float(right[k]), 6) if known else None,
                "worst": classes[worst] if known else None,
                "worst_iou": round(float(own[k, worst]), 6) if known else None,
                "pixels": int(confusions[k].sum()),
                "loss": round(float(losses[k]), 6),
            }
        )
    return rows


def caption_of_image(row: Mapping[str, Any]) -> tuple[str, str]:
    """A short and a long line for the picture of an image, from its row of `rows_of_images`.

    >>> row = {"mean_iou": 0.775, "pixel_accuracy": 0.9, "worst": "road", "worst_iou": 0.5}
    >>> caption_of_image(row)[0]
    'IoU 78%, road 50%'
    """
    mean, least = row["mean_iou"], row["worst_iou"]
    if mean is None:
        return "no labels", "no pixel of this image is labelled"
    right = f"{row['pixel_accuracy']:.1%} of pixels right"
    return (
        f"IoU {mean:.0%}, {row['worst']} {least:.0%}",
        f"mean IoU {mean:.1%}, {right}; least overlap: {row['worst']}, {least:.1%}",
    )


def hardest_images(confusions: Num[np.ndarray, "n c c"], *, count: int) -> Int64[np.ndarray, " k"]:
    """Places of the images with the lowest overlap, worst first; those without fault or without label left out.

    >>> hardest_images(np.array([[[4, 0], [0, 4]], [[3, 1], [0, 4]], [[1, 3], [0, 4]]]), count=3).tolist()
    [2, 1]
    """
    means = mean_iou(confusions)
    order = np.argsort(means, kind="stable")
    return np.asarray(order[means[order] < 1][:count], dtype=np.int64)


def most_seen(mask: UInt8[np.ndarray, "h w"], *, classes: Sequence[str], count: int = 2) -> str:
    """The classes that fill most of a mask, largest first, to stand under its picture.

    >>> most_seen(np.array([[0, 1, 1, 255]], np.uint8), classes=["road", "sky", "car"])
    'sky, road'
    """
    held = np.bincount(mask.ravel(), minlength=VOID + 1)[: len(classes)]
    largest = [k for k in np.argsort(-held, kind="stable")[:count] if held[k]]
    return ", ".join(classes[k] for k in largest) or "no labels"


def _known(value: float) -> float | None:
    """JSON has no NaN: what cannot be told is null."""
    return None if np.isnan(value) else value
