"""Facts about the size that pictures get."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from epochal.data.size import SIDES, dense_size, fit, fit_mask, working_size
from epochal.errors import SettingError


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(8, 8)] * 5, 8),
        ([(28, 28)] * 5, 28),
        ([(3, 400)] * 5, 32),
        ([(1, 1)] * 5, 32),
        ([(96, 96)] * 5, 96),
        ([(100, 100)] * 5, 100),
        ([(250, 250)] * 5, 224),
        ([(64, 48)] * 5, 48),
        ([(360, 480)] * 5, 224),
        ([(28, 28)] * 199 + [(500, 500)], 28),
        ([(30, 40), (90, 70), (100, 300)], 64),
        ([(20, 30), (21, 30)], 32),
        ([(160, 170), (190, 200)], 160),
        ([], 32),
    ],
)
def test_rule(sizes: list[tuple[int, int]], side: int) -> None:
    """Sizes that agree are kept while small; else the largest usual side that does not enlarge the typical picture."""
    assert working_size(sizes) == (side, side)


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 5000)), min_size=1))
def test_rule_gives_usual_or_native_sides(sizes: list[tuple[int, int]]) -> None:
    """Whatever the pictures, the side is a usual one or their own, and not above 224."""
    side, other = working_size(sizes)
    assert side == other
    assert side in SIDES or all(min(size) == side for size in sizes)
    assert side <= 224


def test_same_size_is_untouched() -> None:
    """A picture that has the size is handed back as it is."""
    image = Image.new("RGB", (9, 7))
    assert fit(image, (7, 9)) is image


def test_middle_is_cut_out() -> None:
    """Of a wide picture the middle stays, and nothing is squeezed."""
    stripes = np.zeros((10, 30), np.uint8)
    stripes[:, 10:20] = 255
    assert np.asarray(fit(Image.fromarray(stripes), (10, 10))).min() == 255


def test_shrinking_averages() -> None:
    """A fine chequered pattern becomes even grey: antialiasing instead of picking pixels."""
    board = (np.indices((128, 128)).sum(0) % 2 * 255).astype(np.uint8)
    found = np.asarray(fit(Image.fromarray(board), (16, 16))).astype(int)
    assert np.abs(found - 127).max() <= 2


@pytest.mark.parametrize(
    ("sizes", "longer", "expected"),
    [
        ([(360, 480)] * 3, None, (192, 256)),
        ([(480, 360)] * 3, None, (256, 192)),
        ([(720, 960)] * 3, None, (192, 256)),
        ([(512, 512)], None, (256, 256)),
        ([(1024, 2048)], None, (128, 256)),
        ([(100, 140)], None, (96, 128)),
        ([(20, 30)], None, (32, 32)),
        ([(10, 4000)], None, (32, 256)),
        ([(360, 480)], 480, (352, 480)),
        ([(360, 480)], 64, (64, 64)),
        ([], None, (256, 256)),
    ],
)
def test_proportions_are_kept(sizes: list[tuple[int, int]], longer: int | None, expected: tuple[int, int]) -> None:
    """The longer side is the one asked for, or at most 256 and not enlarged; the other keeps the typical form."""
    assert dense_size(sizes, longer=longer) == expected


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(1, 5000)), min_size=1))
def test_both_sides_halve_five_times(sizes: list[tuple[int, int]]) -> None:
    """Whatever the pictures, both sides are multiples of 32, from 32 to 256."""
    for side in dense_size(sizes):
        assert side % 32 == 0
        assert 32 <= side <= 256


@pytest.mark.parametrize("longer", [0, 16, 100, -32])
def test_sides_that_do_not_halve(longer: int) -> None:
    """Another length is refused, with the nearest one that works."""
    with pytest.raises(SettingError, match=f"The image size is {longer}"):
        dense_size([(360, 480)], longer=longer)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 60), st.integers(1, 60))
def test_masks_are_cut_where_pictures_are(width: int, height: int, new_width: int, new_height: int) -> None:
    """A mask of two halves stays within a pixel of the picture that shows the same halves, and holds no other value."""
    halves = np.zeros((height, width), np.uint8)
    halves[:, width // 2 :] = 200
    mask = np.asarray(fit_mask(Image.fromarray(halves), (new_height, new_width)))
    assert mask.shape == (new_height, new_width)
    assert set(np.unique(mask).tolist()) <= {0, 200}
    if width >= new_width and height >= new_height:
        shown = np.asarray(fit(Image.fromarray(halves), (new_height, new_width))) >= 100
        assert np.abs((mask > 0).sum(1) - shown.sum(1)).max() <= 1


def test_a_mask_of_the_size_is_untouched() -> None:
    """A mask that has the size is handed back as it is."""
    mask = Image.new("L", (9, 7))
    assert fit_mask(mask, (7, 9)) is mask
