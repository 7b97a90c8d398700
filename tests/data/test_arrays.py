"""Facts about arrays that grow in files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.arrays import ArrayFile, ImageArray, MaskArray

ROWS = np.random.default_rng(0).integers(0, 256, (9, 3, 2), dtype=np.uint8)


@given(st.lists(st.integers(0, 9), max_size=4).map(sorted))
def test_parts_make_the_whole(tmp_path_factory: pytest.TempPathFactory, cuts: list[int]) -> None:
    """However it is cut into parts, numpy reads back the array."""
    path = tmp_path_factory.mktemp("parts") / "a.npy"
    file = ArrayFile(path, shape=ROWS.shape)
    for part in np.split(ROWS, cuts):
        assert not file.whole or not len(part)
        file.write(part)
    assert file.whole
    file.settle()
    np.testing.assert_array_equal(np.load(path), ROWS)


def test_what_was_written_can_be_rescued(tmp_path: Path) -> None:
    """Whole parts can be read back while the file is being written, and nothing behind them is touched."""
    file = ArrayFile(tmp_path / "a.npy", shape=ROWS.shape)
    into = np.zeros_like(ROWS)
    assert file.rescue(into) == 0
    file.write(ROWS[:4])
    assert file.rescue(into) == 4
    np.testing.assert_array_equal(into[:4], ROWS[:4])
    assert not into[4:].any()
    file.close()
    file.close()


def test_rows_that_do_not_lie_together(tmp_path: Path) -> None:
    """A view with gaps is written as its values."""
    file = ArrayFile(tmp_path / "a.npy", shape=(9, 3, 1))
    file.write(ROWS[:, :, :1])
    file.settle()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), ROWS[:, :, :1])


def test_in_memory_or_mapped() -> None:
    """An array that has a path lies in a file."""
    images, masks = np.zeros((1, 2, 2, 3), np.uint8), np.zeros((1, 2, 2), np.uint8)
    assert ImageArray(array=images).in_memory
    assert not ImageArray(array=images, path=Path("x")).in_memory
    assert MaskArray(array=masks).in_memory
    assert not MaskArray(array=masks, path=Path("x")).in_memory
