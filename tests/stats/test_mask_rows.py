"""Facts about the rows that tables and reports show of masks."""

import json

import numpy as np

from epochal.stats.mask_rows import (
    caption_of_image,
    figures_of_masks,
    hardest_images,
    most_seen,
    rows_of_classes,
    rows_of_images,
)
from epochal.stats.segmentation import class_iou, mean_iou, pixel_accuracy

CLASSES = ["road", "sky", "car"]
IMAGES = np.array(
    [
        [[8, 1, 0], [1, 9, 0], [1, 0, 3]],
        [[5, 5, 0], [0, 10, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
        [[6, 0, 0], [0, 6, 0], [0, 0, 0]],
    ]
)
LOSSES = np.array([0.2, 0.5, 0.0, 0.01])


def test_rows_of_classes_agree_with_the_pooled_matrix() -> None:
    """Overlap, recall and precision of each class follow from all pixels together, and are plain JSON."""
    rows, pooled = rows_of_classes(IMAGES, classes=CLASSES), IMAGES.sum(axis=0)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    for k, row in enumerate(rows):
        assert row["iou"] == class_iou(pooled)[k]
        assert row["low"] <= row["iou"] <= row["high"]
        assert row["pixels"] == pooled[k].sum()
        assert row["recall"] == pooled[k, k] / pooled[k].sum()
        assert row["precision"] == pooled[k, k] / pooled[:, k].sum()


def test_a_class_that_never_occurs_is_null() -> None:
    """Neither labelled nor named: no overlap, no recall, no precision, no NaN."""
    row = rows_of_classes(IMAGES[[3]], classes=CLASSES)[2]
    assert row["iou"] is row["recall"] is row["precision"] is None
    assert (row["low"], row["high"], row["pixels"]) == (0.0, 1.0, 0)


def test_rows_of_images_speak_of_each_image_alone() -> None:
    """Mean overlap over its own classes, pixels right, the labelled class that fares worst; null without labels."""
    rows = rows_of_images(IMAGES, LOSSES, classes=CLASSES)
    for k in (0, 1, 3):
        assert rows[k]["mean_iou"] == round(float(mean_iou(IMAGES[k])), 6)
        assert rows[k]["pixel_accuracy"] == round(float(pixel_accuracy(IMAGES[k])), 6)
    assert [row["worst"] for row in rows] == ["road", "road", None, "road"]
    assert rows[2] == {
        "mean_iou": None,
        "pixel_accuracy": None,
        "worst": None,
        "worst_iou": None,
        "pixels": 0,
        "loss": 0.0,
    }
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows


def test_hardest_images_come_worst_first() -> None:
    """Perfect images and those without label are left out."""
    assert hardest_images(IMAGES, count=9).tolist() == [1, 0]
    assert hardest_images(IMAGES, count=1).tolist() == [1]


def test_figures_weigh_each_pixel_alike() -> None:
    """The likelihood is that of all labelled pixels, not the mean over images; nothing labelled is null."""
    found = figures_of_masks(IMAGES, LOSSES)
    pixels = IMAGES.sum(axis=(1, 2))
    assert found["pixels"] == pixels.sum()
    assert found["nll"] == (LOSSES * pixels).sum() / pixels.sum()
    assert figures_of_masks(IMAGES[[2]], LOSSES[[2]]) == dict.fromkeys(found) | {"pixels": 0}


def test_captions_name_the_worst() -> None:
    """A short and a long line; an image without labels says so."""
    rows = rows_of_images(IMAGES, LOSSES, classes=CLASSES)
    assert caption_of_image(rows[1]) == (
        "IoU 58%, road 50%",
        "mean IoU 58.3%, 75.0% of pixels right; least overlap: road, 50.0%",
    )
    assert caption_of_image(rows[2])[0] == "no labels"


def test_most_seen_ignores_what_nobody_labelled() -> None:
    """The largest classes first, as many as there are."""
    mask = np.array([[255] * 6 + [2, 2, 0]], np.uint8)
    assert most_seen(mask, classes=CLASSES) == "car, road"
    assert most_seen(mask, classes=CLASSES, count=1) == "car"
    assert most_seen(np.full((2, 2), 255, np.uint8), classes=CLASSES) == "no labels"
