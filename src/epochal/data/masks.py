"""Masks as files: the class of each pixel, read as a number and never as a colour."""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from epochal.data.entries import Entry, Source, Unreadable
from epochal.data.formats import formats, reasons
from epochal.data.quiet import quiet_pillow
from epochal.data.size import fit_mask

# Classes are counted in 8 bits, and 255 is what is to be ignored.
IGNORED = 255
# Raised whenever the same mask file may give other numbers than before.
MASK_VERSION = 1


def class_numbers(data: bytes) -> UInt8[np.ndarray, "h w"]:
    """The number that stands in each pixel of a mask: the index into the palette where there is one, else the value.

    A colour picture is taken where its three channels are equal.

    Raises: Unreadable for what is no picture, for colours and for numbers above 255.

    >>> buffer = io.BytesIO()
    >>> Image.new("L", (2, 1), 7).save(buffer, "PNG")
    >>> class_numbers(buffer.getvalue()).tolist()
    [[7, 7]]
    """
    with quiet_pillow(), reasons(data), Image.open(io.BytesIO(data), formats=formats()) as image:
        values = np.asarray(image)
    if values.dtype == bool:
        values = values.astype(np.uint8)
    if values.ndim == 3:
        values = _without_colors(values)
    if values.dtype.kind not in "iu" or int(values.max(initial=0)) > 255 or int(values.min(initial=0)) < 0:
        raise Unreadable("bad-mask: its values are no numbers from 0 to 255")
    return values.astype(np.uint8)


def _without_colors(values: np.ndarray) -> np.ndarray:
    channels = values[..., :3] if values.shape[2] >= 3 else values[..., :1]
    if not (channels == channels[..., :1]).all():
        raise Unreadable("bad-mask: it is a colour picture; class numbers are needed, in grey or behind a palette")
    first: np.ndarray = channels[..., 0]
    return first


def read_mask(
    data: bytes, *, meaning: Sequence[int], size: tuple[int, int], picture: tuple[int, int]
) -> UInt8[np.ndarray, "h w"]:
    """The class of each pixel at the working size, 255 where it is to be ignored; cut as the picture is cut.

    `picture` is the size of the picture to which it belongs.

    Units: sizes are (height, width) in pixels.
    Raises: Unreadable if it has another size than its picture, numbers without a meaning, or nothing but ignored.

    >>> buffer = io.BytesIO()
    >>> Image.new("L", (2, 2), 1).save(buffer, "PNG")
    >>> meaning = (0, 1) + (-1,) * 254
    >>> read_mask(buffer.getvalue(), meaning=meaning, size=(1, 2), picture=(2, 2)).tolist()
    [[1, 1]]
    """
    numbers = class_numbers(data)
    if numbers.shape != picture:
        (height, width), (high, wide) = numbers.shape, picture
        raise Unreadable(f"mask-size: the mask has {width} x {height} pixels, the picture {wide} x {high}")
    table = np.asarray(meaning, dtype=np.int16)
    classes = table[numbers]
    if (classes < 0).any():
        raise Unreadable(_unknown(numbers, classes < 0))
    if (classes == IGNORED).all():
        raise Unreadable("empty-mask: every pixel is to be ignored")
    return np.asarray(fit_mask(Image.fromarray(classes.astype(np.uint8)), size))


def _unknown(numbers: UInt8[np.ndarray, "h w"], unknown: np.ndarray) -> str:
    kinds = np.unique(numbers[unknown])
    named = ", ".join(map(str, kinds[:3].tolist())) + (", ..." if len(kinds) > 3 else "")
    return f"mask-class: {unknown.mean():.2%} of the mask's pixels are {named}, which no class has"


def numbers_in(source: Source, entries: Sequence[Entry], *, threads: int) -> list[int]:
    """Every number that stands in any of these masks; files that cannot be read are passed over.

    >>> from epochal.data.sources import open_source
    >>> numbers_in(open_source("digits"), open_source("digits").entries()[:1], threads=1)[:3]
    [0, 16, 32]
    """

    def found(entry: Entry) -> np.ndarray:
        try:
            return np.bincount(class_numbers(source.read(entry)).ravel(), minlength=256) > 0
        except Unreadable:
            return np.zeros(256, dtype=bool)

    seen = np.zeros(256, dtype=bool)
    with ThreadPoolExecutor(threads, thread_name_prefix="masks") as pool:
        for one in pool.map(found, entries):
            seen |= one
    numbers: list[int] = np.flatnonzero(seen).tolist()
    return numbers
