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
from epochal.stages.pictures import Cell, mask_file, sheet, show, show_masks, stretched, triptychs, unnormalised
from epochal.stats.painting import overlay, palette
from stages.whole import session_on


def _noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@given(n=st.integers(1, 9), columns=st.integers(1, 5), channels=st.sampled_from([1, 3]))
def test_every_image_lies_in_reading_order(n: int, columns: int, channels: int) -> None:
    """Cut out of the sheet again, each image has its own pixels; unused places are black."""
    images = _noise(n, 4, 6, channels)
    drawn = sheet(images, columns=columns)
    page = np.asarray(Image.open(io.BytesIO(drawn.data)))
    across = min(columns, n)
    assert drawn.media == "image/png"
    assert page.shape == (drawn.height, drawn.width, 3) == (4 * math.ceil(n / columns), 6 * across, 3)
    for number in range((drawn.height // 4) * across):
        row, column = divmod(number, across)
        cut = page[4 * row : 4 * row + 4, 6 * column : 6 * column + 6]
        expected = np.broadcast_to(images[number], cut.shape) if number < n else np.zeros_like(cut)
        np.testing.assert_array_equal(cut, expected)


@pytest.mark.parametrize("most", [60_000, 8_000, 2_000])
def test_a_large_sheet_is_made_to_fit(most: int) -> None:
    """What would not fit into a report as a PNG becomes a JPEG, and smaller where need be; cells stay equal."""
    drawn = sheet(_noise(6, 96, 64, 3), columns=3, most_bytes=most)
    assert len(drawn.data) <= most
    assert drawn.media == "image/jpeg"
    image = Image.open(io.BytesIO(drawn.data))
    assert (image.format, image.size) == ("JPEG", (drawn.width, drawn.height))
    assert drawn.width % 3 == drawn.height % 2 == 0
    assert drawn.width / drawn.height == pytest.approx(1.0)


def test_what_cannot_be_made_to_fit_is_as_small_as_can_be_seen() -> None:
    """A limit that no picture keeps ends the search, at pictures of eight pixels."""
    drawn = sheet(_noise(2, 32, 32, 3), most_bytes=1)
    assert (drawn.width, drawn.height) == (16, 8)


def test_a_triptych_is_image_truth_and_prediction() -> None:
    """Three pictures of the same size with white gaps between them; the masks in the colours of their classes."""
    images, truths, said = _noise(2, 5, 7, 3), np.zeros((2, 5, 7), np.uint8), np.ones((2, 5, 7), np.uint8)
    rows = triptychs(images, truths, predicted=said, classes=2)
    assert rows.shape == (2, 5, 3 * 7 + 2 * 4, 3)
    np.testing.assert_array_equal(rows[:, :, :7], images)
    for row, image, true, named in zip(rows, images, truths, said, strict=True):
        np.testing.assert_array_equal(row[:, 11:18], overlay(image, true, opacity=0.6))
        np.testing.assert_array_equal(row[:, 22:], overlay(image, named, opacity=0.6))
    assert (rows[:, :, 7:11] == 255).all()
    assert (rows[:, :, 18:22] == 255).all()


def test_a_mask_file_has_eight_bits_and_the_colors_of_the_report() -> None:
    """Two classes alone do not make it a file of one bit, which some readers stretch to 0 and 255."""
    image = Image.open(io.BytesIO(mask_file(np.array([[0, 1]], np.uint8), classes=2)))
    assert (image.mode, image.tile[0].args) == ("P", "P")  # of fewer bits it would be "P;1"
    np.testing.assert_array_equal(np.asarray(image.convert("RGB"))[0], palette(2))


def test_masks_go_to_the_journal_as_rows(tmp_path: Path) -> None:
    """Each row is one cell of the sheet, with its caption."""
    session = session_on(tmp_path / "data", RunFolder(tmp_path / "run"))
    blank = np.zeros((3, 8, 8), np.uint8)
    cells = [Cell(label="IoU 20%", text=f"{index}.png") for index in range(3)]
    show_masks(session, _noise(3, 8, 8, 3), truths=blank, predicted=blank + 1, classes=2, cells=cells)
    event = session.journal.last("picture", name="errors")
    assert event is not None
    assert (event["columns"], event["width"], event["height"]) == (2, 2 * 32, 2 * 8)
    assert [each["text"] for each in event["cells"]] == ["0.png", "1.png", "2.png"]


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
