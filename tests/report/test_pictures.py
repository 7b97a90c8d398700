from __future__ import annotations

import pytest

from epochal.report.pictures import Sheet, Unshown, sheet_of, sheets_of

PNG = {"media": "image/png", "data": "iVBORw0KGgo=", "width": 96, "height": 64, "caption": "a batch"}


def sheet(**changes: object) -> Sheet:
    """A picture that can be shown."""
    found = sheet_of({**PNG, **changes}, anchor="batch")
    assert isinstance(found, Sheet)
    return found


def test_cells_are_cut_in_reading_order() -> None:
    """Six cells in three columns: the fourth begins the second row."""
    found = sheet(columns=3, cells=[{"label": str(index)} for index in range(6)])
    assert (found.cell_width, found.cell_height) == (32, 32)
    assert [(each.left, each.top) for each in found.cells] == [(0, 0), (32, 0), (64, 0), (0, 32), (32, 32), (64, 32)]


def test_square_cells_are_found_without_columns() -> None:
    """Where the number of columns is not told, squares that fill the picture are tried."""
    assert sheet(cells=[{"label": "x"}] * 5).cell_width == 32


def test_bare_squares_need_no_names() -> None:
    """A sheet of filters tells its columns alone: squares are cut as far as they fit."""
    found = sheet(columns=3)
    assert (found.cell_width, len(found.cells)) == (32, 6)
    assert sheet(columns=5).cells == ()


def test_what_cannot_be_cut_is_shown_whole() -> None:
    """Without a fitting grid the picture stays one, with its captions beside it."""
    found = sheet(width=95, cells=[{"label": "a"}, {"label": "b"}, {"label": "c"}, {"label": "d"}])
    assert found.cell_width == 0
    assert [each.label for each in found.cells] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"media": "image/svg+xml"}, "its type, image/svg+xml, is not shown"),
        ({"data": 'AA"onload='}, "it is damaged"),
        ({"data": None}, "it is damaged"),
        ({"width": 0}, "it is damaged"),
        ({"data": "A" * 1_200_000}, "it is too large for this page (1.2 MB)"),
    ],
)
def test_what_cannot_be_shown_is_told(changes: dict[str, object], reason: str) -> None:
    """Active, damaged and huge pictures stay out, with the reason."""
    assert sheet_of({**PNG, "name": "odd", **changes}, anchor="batch") == Unshown("odd", reason)


def test_small_pictures_keep_their_pixels() -> None:
    """What is enlarged on screen is not blurred: a pixel of a filter is a weight."""
    assert sheet(columns=3, cells=[{}] * 6).pixelated
    assert not sheet(width=600, height=600).pixelated


def test_rows_of_pictures_are_wide() -> None:
    """A cell of three pictures in a row needs the room of several; a photograph does not."""
    assert sheet(width=300, height=80, columns=1, cells=[{}]).wide
    assert not sheet(columns=3, cells=[{}] * 6).wide
    assert not sheet(width=95, cells=[{}, {}, {}]).wide  # cannot be cut


def test_each_sheet_has_an_anchor_of_its_own() -> None:
    """Two pictures of one section can be told apart, and bad ones do not hide good ones."""
    shown, unshown = sheets_of([PNG, {"name": "bad"}, PNG], anchor="batch")
    assert [each.anchor for each in shown] == ["batch-0", "batch-2"]
    assert [each.name for each in unshown] == ["bad"]
