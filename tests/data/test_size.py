"""Facts about the size that pictures get."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from epochal.data.size import SIDES, fit, working_size


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
