"""Colours of classes, and masks over pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.stats.mask_colors import class_colors, overlay


@given(st.integers(0, 255))
def test_no_two_classes_share_a_color(count: int) -> None:
    """However many classes there are, and a class keeps its colour when more are added."""
    colors = class_colors(count)
    assert colors.shape == (count, 3)
    assert len({tuple(row) for row in colors.tolist()}) == count
    np.testing.assert_array_equal(colors, class_colors(255)[:count])


def test_the_first_twelve_are_far_apart() -> None:
    """Colours that stand beside each other in most data sets differ by 60 or more of 255 in some channel."""
    colors = class_colors(12).astype(int)
    for first in range(12):
        for second in range(first):
            assert np.abs(colors[first] - colors[second]).max() >= 60


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_is_the_weighted_mean(channels: int) -> None:
    """Each pixel is picture and class colour, mixed by the opacity; a loop says the same."""
    dice = np.random.default_rng(0)
    pixels = dice.integers(0, 256, (2, 3, 4, channels), dtype=np.uint8)
    masks = dice.integers(0, 3, (2, 3, 4), dtype=np.uint8)
    masks[0, 0, 0] = 255
    laid = overlay(pixels, masks, classes=3, opacity=0.25)
    colors = [*class_colors(3).tolist(), [70, 70, 70]]
    for place in np.ndindex(2, 3, 4):
        color = colors[min(int(masks[place]), 3)]
        for channel in range(3):
            own = float(pixels[place][channel % channels])
            assert int(laid[place][channel]) == round(own * 0.75 + color[channel] * 0.25)


def test_nothing_of_the_mask_is_the_picture() -> None:
    """At opacity 0 the picture comes out as it went in."""
    pixels = np.random.default_rng(1).integers(0, 256, (1, 5, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(pixels, np.zeros((1, 5, 5), int), classes=2, opacity=0.0), pixels)


def test_numbers_that_are_no_class_are_veiled() -> None:
    """Sealed and unlabelled pixels, -1 and 255, and classes beyond the last look alike."""
    laid = overlay(np.zeros((1, 1, 3, 3), np.uint8), np.array([[[-1, 255, 9]]]), classes=2, opacity=1.0)
    assert (laid == 70).all()
