"""Images as the report shows them: many small ones on one sheet, as a PNG inside the journal."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

if TYPE_CHECKING:
    from epochal.stages.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands under one picture of a sheet."""

    label: str
    text: str = ""


def sheet(images: UInt8[np.ndarray, "n h w c"], *, columns: int = 8) -> tuple[bytes, int, int]:
    """All images on one sheet, in reading order without gaps; PNG bytes, width and height.

    Shapes: n images of h by w pixels, c = 1 or 3.

    >>> png, width, height = sheet(np.zeros((3, 8, 8, 1), np.uint8), columns=2)
    >>> width, height
    (16, 16)
    """
    n, h, w, _ = images.shape
    rows, columns = math.ceil(n / columns), min(columns, n)
    page = np.zeros((rows * columns, h, w, 3), np.uint8)
    page[:n] = images  # one grey channel spreads over three
    whole = page.reshape(rows, columns, h, w, 3).swapaxes(1, 2).reshape(rows * h, columns * w, 3)
    buffer = io.BytesIO()
    Image.fromarray(whole).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue(), columns * w, rows * h


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
    png, width, height = sheet(images, columns=columns)
    session.write(
        "picture",
        name=name,
        caption=caption,
        media="image/png",
        data=base64.b64encode(png).decode("ascii"),
        width=width,
        height=height,
        columns=min(columns, len(images)),
        cells=[{"label": each.label, "text": each.text} for each in cells],
    )
