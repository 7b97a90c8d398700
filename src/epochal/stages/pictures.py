"""Images as the report shows them: many small ones on one sheet inside the journal; and masks as files."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer, UInt8
from PIL import Image

from epochal.stats.painting import overlay, palette

if TYPE_CHECKING:
    from epochal.stages.session import Session

# A sheet of more bytes is written as JPEG, and smaller if need be: base64 adds a third, and a whole report with its
# four or five sheets is to stay below two megabytes.
MOST_BYTES = 300_000
_QUALITIES = (90, 80)
_GAP = 4  # pixels between the pictures of one row
_OPACITY = 0.6  # of a mask over its picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands under one picture of a sheet."""

    label: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A picture file in memory: its type, its bytes, and its size in pixels."""

    media: str
    data: bytes
    width: int
    height: int


def sheet(images: UInt8[np.ndarray, "n h w c"], *, columns: int = 8, most_bytes: int = MOST_BYTES) -> Sheet:
    """All images on one sheet, in reading order without gaps: a PNG, or what fits into `most_bytes`.

    Where the PNG is too large the sheet becomes a JPEG of quality 90, then 80, then with sides halved again and again.

    Shapes: n images of h by w pixels, c = 1 or 3.

    >>> found = sheet(np.zeros((3, 8, 8, 1), np.uint8), columns=2)
    >>> found.media, found.width, found.height
    ('image/png', 16, 16)
    """
    n, h, w, _ = images.shape
    rows, columns = math.ceil(n / columns), min(columns, n)
    page = np.zeros((rows * columns, h, w, 3), np.uint8)
    page[:n] = images  # one grey channel spreads over three
    whole = Image.fromarray(page.reshape(rows, columns, h, w, 3).swapaxes(1, 2).reshape(rows * h, columns * w, 3))
    data, media = _encoded(whole, "PNG", optimize=True), "image/png"
    shrunk = 1
    while len(data) > most_bytes:
        small = whole.resize((columns * max(1, w // shrunk), rows * max(1, h // shrunk)), Image.Resampling.BOX)
        for quality in _QUALITIES:
            data, media = _encoded(small, "JPEG", quality=quality, subsampling=0), "image/jpeg"
            if len(data) <= most_bytes:
                return Sheet(media=media, data=data, width=small.width, height=small.height)
        if min(w, h) // shrunk <= 8:
            return Sheet(media=media, data=data, width=small.width, height=small.height)
        shrunk *= 2
    return Sheet(media=media, data=data, width=whole.width, height=whole.height)


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def triptychs(
    images: UInt8[np.ndarray, "n h w c"],
    truths: Integer[np.ndarray, "n h w"],
    *,
    predicted: Integer[np.ndarray, "n h w"],
    classes: int,
) -> UInt8[np.ndarray, "n h wide 3"]:
    """Each image beside the labels given and those predicted, laid over it in the colours of the classes.

    Shapes: n images of h by w pixels, c = 1 or 3; wide is three times w and two gaps.

    >>> blank, mask = np.zeros((1, 8, 8, 1), np.uint8), np.zeros((1, 8, 8), np.uint8)
    >>> triptychs(blank, mask, predicted=mask, classes=2).shape
    (1, 8, 32, 3)
    """
    n, h, w, _ = images.shape
    gap = np.full((n, h, _GAP, 3), 255, np.uint8)
    own = np.broadcast_to(images, (n, h, w, 3))
    given, said = (
        np.stack(
            [
                overlay(image, mask, opacity=_OPACITY, colors=palette(classes))
                for image, mask in zip(own, masks, strict=True)
            ]
        )
        for masks in (truths, predicted)
    )
    row: UInt8[np.ndarray, "n h wide 3"] = np.concatenate([own, gap, given, gap, said], axis=2)
    return row


def mask_file(mask: UInt8[np.ndarray, "h w"], *, classes: int) -> bytes:
    """A mask as an 8-bit PNG whose pixels are class numbers, and whose palette shows them in their colours.

    >>> Image.open(io.BytesIO(mask_file(np.array([[0, 1]], np.uint8), classes=2))).getpixel((1, 0))
    1
    """
    image = Image.fromarray(mask)
    table = np.zeros((256, 3), np.uint8)
    table[:classes] = palette(classes)
    image.putpalette(table.tobytes())
    return _encoded(image, "PNG")


def unnormalised(
    images: Float[np.ndarray, "n h w c"], *, mean: Sequence[float], std: Sequence[float]
) -> UInt8[np.ndarray, "n h w c"]:
    """What the network receives, turned back into pixels for the eye.

    >>> int(unnormalised(np.zeros((1, 1, 1, 1)), mean=[0.5], std=[0.2])[0, 0, 0, 0])
    128
    """
    pixels = (images * np.asarray(std) + np.asarray(mean)) * 255
    shown: UInt8[np.ndarray, "n h w c"] = np.clip(np.round(pixels), 0, 255).astype(np.uint8)
    return shown


def stretched(filters: Float[np.ndarray, "n h w c"]) -> UInt8[np.ndarray, "n h w c"]:
    """Filters as pictures: each stretched to the full range, those of other than 1 or 3 channels by their mean.

    >>> stretched(np.array([[[[-1.0], [1.0]]]])).ravel().tolist()
    [0, 255]
    """
    shown = filters if filters.shape[3] in (1, 3) else filters.mean(axis=3, keepdims=True)
    low = shown.min(axis=(1, 2, 3), keepdims=True)
    spread = np.maximum(shown.max(axis=(1, 2, 3), keepdims=True) - low, 1e-12)
    pixels: UInt8[np.ndarray, "n h w c"] = np.round((shown - low) / spread * 255).astype(np.uint8)
    return pixels


def show(
    session: Session,
    images: UInt8[np.ndarray, "n h w c"],
    *,
    name: str,
    caption: str,
    cells: Sequence[Cell] = (),
    columns: int = 8,
) -> None:
    """Write a sheet of pictures to the journal."""
    drawn = sheet(images, columns=columns)
    session.write(
        "picture",
        name=name,
        caption=caption,
        media=drawn.media,
        data=base64.b64encode(drawn.data).decode("ascii"),
        width=drawn.width,
        height=drawn.height,
        columns=min(columns, len(images)),
        cells=[{"label": each.label, "text": each.text} for each in cells],
    )


def show_masks(
    session: Session,
    images: UInt8[np.ndarray, "n h w c"],
    *,
    truths: Integer[np.ndarray, "n h w"],
    predicted: Integer[np.ndarray, "n h w"],
    classes: int,
    cells: Sequence[Cell],
) -> None:
    """Write rows of image, labels given and labels predicted to the journal, where the report looks for errors.

    Shapes: n images of h by w pixels, c = 1 or 3.
    """
    rows = triptychs(images, truths, predicted=predicted, classes=classes)
    caption = "Test images on which network and labels disagree most: image, labels given, labels predicted"
    show(session, rows, name="errors", caption=caption, cells=cells, columns=2)
