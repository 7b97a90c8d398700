"""Pictures from the journal, checked before they are shown, and cut into cells without copying them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from epochal.report.fields import Event, rows, text, whole

_MEDIA = {"image/png", "image/jpeg", "image/webp"}
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_MOST_CHARACTERS = 900_000  # of one picture: the whole report is to stay below 2 MB
_MOST_BARE = 1024  # cells without a word about them
_FINE_PIXELS = 96  # cells of fewer pixels are enlarged, with their pixels visible


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One image in a sheet: where it lies in pixels, and what is written under it."""

    label: str
    text: str
    left: float = 0
    top: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A picture that can be shown; `cell_width` is 0 where it cannot be cut."""

    anchor: str
    caption: str
    source: str
    width: int
    height: int
    cell_width: float = 0
    cell_height: float = 0
    cells: tuple[Cell, ...] = ()

    @property
    def pixelated(self) -> bool:
        """Whether its smallest unit is enlarged on screen, so that pixels should stay sharp."""
        return 0 < (self.cell_width or self.width) <= _FINE_PIXELS

    @property
    def wide(self) -> bool:
        """Whether a cell is a row of pictures, which needs the width of several."""
        return self.cell_width > 2 * self.cell_height > 0

    @property
    def alternative(self) -> str:
        """The picture in words."""
        return self.caption or self.anchor.replace("-", " ")


@dataclass(frozen=True, slots=True)
class Unshown:
    """A picture that the journal has and the report leaves out, with the reason."""

    name: str
    reason: str


def sheet_of(event: Event, *, anchor: str) -> Sheet | Unshown:
    """The picture of a journal event, cut into its cells.

    Cells fill the picture in reading order, all of one size, without gaps; `columns` tells how many stand in a
    row. Without it, square cells are tried.

    >>> sheet_of({"name": "batch", "media": "image/svg+xml", "data": "AA==", "width": 1, "height": 1}, anchor="batch")
    Unshown(name='batch', reason='its type, image/svg+xml, is not shown')
    >>> found = sheet_of({"media": "image/png", "data": "AA==", "width": 4, "height": 2,
    ...                   "cells": [{"label": "a"}, {"label": "b"}]}, anchor="batch")
    >>> found.cell_width, found.cells[1].left
    (2.0, 2.0)
    """
    name, media, data = text(event.get("name")), text(event.get("media")), event.get("data")
    width, height = whole(event.get("width")) or 0, whole(event.get("height")) or 0
    if media not in _MEDIA:
        return Unshown(name, f"its type, {media or 'not told'}, is not shown")
    if not isinstance(data, str) or not _BASE64.fullmatch(data) or min(width, height) < 1:
        return Unshown(name, "it is damaged")
    if len(data) > _MOST_CHARACTERS:
        return Unshown(name, f"it is too large for this page ({len(data) / 1e6:.1f} MB)")
    told, across = rows(event.get("cells")), whole(event.get("columns")) or 0
    if not told and across > 0 and height * across % width == 0:  # bare squares: filters need no names
        told = [{}] * min(across * (height * across // width), _MOST_BARE)
    columns = across or _square_columns(len(told), width=width, height=height)
    source = f"data:{media};base64,{data}"
    sheet = Sheet(anchor=anchor, caption=text(event.get("caption")), source=source, width=width, height=height)
    return _cut(sheet, told, columns=columns)


def _cut(sheet: Sheet, told: Sequence[Event], *, columns: int) -> Sheet:
    """The sheet with its cells in place, or with loose captions where they cannot be placed."""
    place = columns > 0 and bool(told)
    cell_width = sheet.width / columns if place else 0.0
    cell_height = sheet.height / math.ceil(len(told) / columns) if place else 0.0
    cells = tuple(
        Cell(
            label=text(each.get("label")),
            text=text(each.get("text")),
            left=index % columns * cell_width if place else 0,
            top=index // columns * cell_height if place else 0,
        )
        for index, each in enumerate(told)
    )
    return Sheet(
        anchor=sheet.anchor,
        caption=sheet.caption,
        source=sheet.source,
        width=sheet.width,
        height=sheet.height,
        cell_width=cell_width,
        cell_height=cell_height,
        cells=cells,
    )


def _square_columns(cells: int, *, width: int, height: int) -> int:
    """How many square cells stand in a row, or 0 where squares do not fit."""
    fits = (columns for columns in range(1, cells + 1) if width * math.ceil(cells / columns) == height * columns)
    return next(fits, 0)


def sheets_of(events: Sequence[Event], *, anchor: str) -> tuple[list[Sheet], list[Unshown]]:
    """All pictures of one section, and those that cannot be shown.

    >>> sheets_of([], anchor="batch")
    ([], [])
    """
    found = [sheet_of(event, anchor=f"{anchor}-{index}") for index, event in enumerate(events)]
    return [each for each in found if isinstance(each, Sheet)], [each for each in found if isinstance(each, Unshown)]
