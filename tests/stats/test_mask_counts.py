"""Facts about counting the masks of a split, against loops."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import DataError
from epochal.losses.segmentation import dice, expected_dice_at_init
from epochal.stats.mask_counts import count_masks, dice_of_constant, trivial_confusions
from epochal.stats.segmentation import mask_confusions

seeds = st.integers(0, 2**31)


def _masks(seed: int, *, classes: int = 3, shape: tuple[int, ...] = (5, 8, 12)) -> np.ndarray:
    source = np.random.default_rng(seed)
    masks = source.integers(0, classes, shape).astype(np.uint8)
    masks[source.random(shape) < 0.3] = 255
    masks[0] = 255 if source.random() < 0.3 else masks[0]
    return masks


@given(seeds, st.integers(1, 20))
def test_counts_are_those_of_a_loop(seed: int, cells: int) -> None:
    """Pixels, shares and images of each class, and all pixels of the images that show it."""
    masks = _masks(seed)
    found = count_masks(masks, classes=3, cells=cells)
    per_image = np.array([[(mask == k).sum() for k in range(3)] for mask in masks])
    np.testing.assert_array_equal(found.per_image, per_image)
    assert found.pixels.tolist() == per_image.sum(axis=0).tolist()
    assert found.images.tolist() == (per_image > 0).sum(axis=0).tolist()
    expected = [per_image[per_image[:, k] > 0].sum() for k in range(3)]
    assert found.where_present.tolist() == expected
    shares = [row / row.sum() if row.any() else row.astype(float) for row in per_image]
    np.testing.assert_allclose(found.shares, np.mean(shares, axis=0))


@given(seeds)
def test_places_name_the_most_common_class(seed: int) -> None:
    """Each cell of the map holds the class with most pixels there over all images, 255 where none has any."""
    masks = _masks(seed, shape=(4, 8, 12))
    masks[:, :4, :4] = 255
    found = count_masks(masks, classes=3, cells=3)
    assert found.places.shape == (2, 3)
    for row in range(2):
        for column in range(3):
            cell = masks[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
            held = [(cell == k).sum() for k in range(3)]
            assert found.places[row, column] == (int(np.argmax(held)) if any(held) else 255)


@pytest.mark.parametrize(
    ("size", "cells"), [((20, 40), (16, 32)), ((40, 20), (32, 16)), ((5, 7), (5, 7)), ((1, 90), (1, 32))]
)
def test_the_map_keeps_the_proportions(size: tuple[int, int], cells: tuple[int, int]) -> None:
    """32 cells along the longer side, never more than there are pixels, at least one."""
    assert count_masks(np.zeros((1, *size), np.uint8), classes=2).places.shape == cells


def test_masks_may_lie_in_a_file(tmp_path: Path) -> None:
    """A memory-mapped file gives what the array gives."""
    masks = _masks(0)
    np.save(tmp_path / "masks.npy", masks)
    lying = np.load(tmp_path / "masks.npy", mmap_mode="r")
    assert count_masks(lying, classes=3).pixels.tolist() == count_masks(masks, classes=3).pixels.tolist()


@given(seeds)
def test_a_constant_answer_is_counted_as_said(seed: int) -> None:
    """The confusions of a map are those of the map drawn at the size of the masks; gaps take the common class."""
    masks = _masks(seed)
    places = count_masks(masks, classes=3, cells=3).places
    places[0, 0] = 255
    said = np.where(places == 255, 2, places).repeat(4, axis=0).repeat(4, axis=1)
    expected = mask_confusions(np.stack([said] * len(masks)), masks, classes=3)
    np.testing.assert_array_equal(trivial_confusions(masks, places, classes=3, common=2), expected)


@given(seeds, st.sampled_from([0.0, 1.0]))
def test_dice_of_a_constant_is_the_measured_loss(seed: int, smooth: float) -> None:
    """A network that says the same shares everywhere measures exactly this on these masks."""
    import torch

    masks = _masks(seed)
    said = np.array([0.5, 0.3, 0.2])
    logits = torch.from_numpy(np.log(said))[None, :, None, None].expand(len(masks), 3, *masks.shape[1:])
    measured = dice(logits, torch.from_numpy(masks), smooth=smooth).mean()
    told = dice_of_constant(count_masks(masks, classes=3).per_image, said=said, smooth=smooth)
    assert told == pytest.approx(float(measured))


def test_dice_of_one_picture_is_the_closed_form() -> None:
    """Of one image with all classes it is the expected loss of that many pixels."""
    shares = [0.5, 0.3, 0.2]
    told = dice_of_constant(np.array([[50, 30, 20]]), said=np.array(shares), smooth=1.0)
    assert told == pytest.approx(expected_dice_at_init(shares, pixels=100))
    assert dice_of_constant(np.zeros((0, 3), np.int64), said=np.array(shares), smooth=1.0) == 0


@pytest.mark.parametrize(
    ("masks", "classes", "told"),
    [([[[0, 3]]], 3, "Mask 0 holds the label 3"), ([[[255, 255]]], 2, "None of the pixels"), ([[[0]]], 1, "1 classes")],
)
def test_impossible_masks_are_refused(masks: list[list[list[int]]], classes: int, told: str) -> None:
    """A foreign label, no label at all, or a single class is an error that says what to do."""
    with pytest.raises(DataError, match=told):
        count_masks(np.array(masks, np.uint8), classes=classes)
