"""Sheets of pictures are what was laid on them."""

import base64
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from epochal.stages.folder import RunFolder
from epochal.stages.pictures import Cell, sheet, show, stretched, unnormalised
from stages.whole import session_on


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@given(n=st.integers(1, 9), columns=st.integers(1, 5), channels=st.sampled_from([1, 3]))
def test_every_image_lies_in_reading_order(n: int, columns: int, channels: int) -> None:
    """Cut out of the sheet again, each image has its own pixels; unused places are black."""
    images = _noise(n, 4, 6, channels)
    png, width, height = sheet(images, columns=columns)
    page = np.asarray(Image.open(io.BytesIO(png)))
    across = min(columns, n)
    assert page.shape == (height, width, 3) == (4 * math.ceil(n / columns), 6 * across, 3)
    for number in range((height // 4) * across):
        row, column = divmod(number, across)
        cut = page[4 * row : 4 * row + 4, 6 * column : 6 * column + 6]
        expected = np.broadcast_to(images[number], cut.shape) if number < n else np.zeros_like(cut)
        np.testing.assert_array_equal(cut, expected)


def test_normalising_is_undone() -> None:
    """What the network receives becomes the pixels it was made from."""
    pixels = _noise(5, 3, 3, 3)
    mean, std = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]
    received = (pixels / 255 - np.array(mean)) / np.array(std)
    np.testing.assert_array_equal(unnormalised(received, mean=mean, std=std), pixels)


def test_outside_the_range_is_clipped() -> None:
    """No wrap-around turns white into black."""
    assert unnormalised(np.array([[[[9.0], [-9.0]]]]), mean=[0.5], std=[0.25]).ravel().tolist() == [255, 0]


@pytest.mark.parametrize("channels", [1, 2, 3, 12])
def test_filters_use_the_whole_range(channels: int) -> None:
    """Each filter is stretched for itself; other than 1 or 3 channels are shown by their mean; a flat one is black."""
    filters = np.random.default_rng(0).normal(size=(4, 3, 3, channels))
    filters[0] = 7.0
    shown = stretched(filters)
    assert shown.shape == (4, 3, 3, channels if channels in (1, 3) else 1)
    assert shown[0].max() == 0
    assert all((each.min(), each.max()) == (0, 255) for each in shown[1:])


def test_a_sheet_goes_to_the_journal_with_its_captions(tmp_path: Path) -> None:
    """The report needs no other file: the PNG is in the event, with a label for each picture."""
    session = session_on(tmp_path / "data", RunFolder(tmp_path / "run"))
    show(session, _noise(3, 4, 4, 3), name="errors", caption="Wrong", cells=[Cell(label="a", text="b")], columns=2)
    event = session.journal.last("picture", name="errors")
    assert event is not None
    assert Image.open(io.BytesIO(base64.b64decode(event["data"]))).size == (event["width"], event["height"]) == (8, 8)
    assert (event["caption"], event["cells"], event["columns"]) == ("Wrong", [{"label": "a", "text": "b"}], 2)
