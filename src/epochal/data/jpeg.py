"""The short way for plain JPEG files, which is what most data sets of small pictures consist of.

Pillow's `open` and `load` spend more time in Python than in the decoder when a picture has 32 by 32 pixels. Reading the
size ourselves and handing the bytes to the same decoder gives the same pixels in half the time; `simplejpeg`, where
installed and found to give the same pixels, in a seventh. See `benchmarks/pipeline.py`.
"""

import importlib
import io
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image

# Markers, ITU-T T.81 table B.1: frames that Pillow decodes (baseline, extended, progressive), and those that may stand
# before the scan without changing what the pixels mean: tables, restart interval, JFIF, comment.
START_OF_SCAN = 0xDA
FRAMES = frozenset({0xC0, 0xC1, 0xC2})
HARMLESS = frozenset({0xDB, 0xC4, 0xDD, 0xE0, 0xFE})


class PlainJpeg(NamedTuple):
    """Size and colour of a JPEG that needs no special care."""

    width: int
    height: int
    mode: str


def look(data: bytes) -> PlainJpeg | None:
    """Read the header of a JPEG that has nothing but pixels in it; None for whatever needs Pillow's whole attention.

    No Exif (which may turn the picture), no Adobe marker (other colour spaces), 8 bits, one or three channels.
    Source: ITU-T T.81, annex B.

    >>> buffer = io.BytesIO()
    >>> Image.new("RGB", (5, 4)).save(buffer, "JPEG")
    >>> look(buffer.getvalue())
    PlainJpeg(width=5, height=4, mode='RGB')
    """
    if data[:3] != b"\xff\xd8\xff":
        return None
    at, end, found = 2, len(data) - 10, None
    while at < end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in FRAMES and found is None:
            mode = {1: "L", 3: "RGB"}.get(data[at + 9])
            if data[at + 4] != 8 or mode is None:
                return None
            found = PlainJpeg(data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6], mode)
        elif marker == START_OF_SCAN:
            return found
        elif marker not in HARMLESS:
            return None
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return None


def decode(data: bytes, header: PlainJpeg) -> UInt8[np.ndarray, "h w c"]:
    """Decode a plain JPEG to one channel or three, the same pixels as `Image.open(...)` gives.

    Raises: ValueError or OSError where the decoder gives up; ask Pillow's whole machinery then.

    >>> buffer = io.BytesIO()
    >>> Image.new("RGB", (5, 4), "white").save(buffer, "JPEG")
    >>> pixels = decode(buffer.getvalue(), look(buffer.getvalue()))
    >>> pixels.shape, int(pixels.min())
    ((4, 5, 3), 255)
    """
    quicker = accelerator()
    return (quicker or _by_pillow)(data, header)


def _by_pillow(data: bytes, header: PlainJpeg) -> UInt8[np.ndarray, "h w c"]:
    image = Image.frombytes(header.mode, (header.width, header.height), data, "jpeg", header.mode, "")
    return np.frombuffer(image.tobytes(), np.uint8).reshape(header.height, header.width, -1)


@cache
def accelerator() -> Callable[[bytes, PlainJpeg], UInt8[np.ndarray, "h w c"]] | None:
    """Give the decoder of `simplejpeg` where it is installed and agrees with Pillow bit for bit, else None.

    >>> accelerator() is None or callable(accelerator())
    True
    """
    try:
        decode_jpeg = importlib.import_module("simplejpeg").decode_jpeg
    except ImportError:
        return None

    def quick(data: bytes, header: PlainJpeg) -> UInt8[np.ndarray, "h w c"]:
        pixels: UInt8[np.ndarray, "h w c"] = decode_jpeg(data, colorspace="GRAY" if header.mode == "L" else "RGB")
        return pixels

    return quick if all(_agrees(quick, data) for data in _trials()) else None


def _agrees(quick: Callable[[bytes, PlainJpeg], UInt8[np.ndarray, "h w c"]], data: bytes) -> bool:
    header = look(data)
    return header is not None and np.array_equal(quick(data, header), _by_pillow(data, header))


def _trials() -> list[bytes]:
    """Noise and slopes, in every sub-sampling and size that decoders have been seen to treat differently."""
    trials = []
    noise = np.random.default_rng(0).integers(0, 256, (67, 61, 3), dtype=np.uint8)
    slope = np.broadcast_to(np.arange(96, dtype=np.uint8)[:, None, None] * 2, (96, 96, 3))
    for pixels in (noise, slope, noise[:32, :32]):
        for mode, options in (("L", {}), ("RGB", {"subsampling": 0}), ("RGB", {"subsampling": 1}), ("RGB", {})):
            for progressive in (False, True):
                buffer = io.BytesIO()
                image = Image.fromarray(np.ascontiguousarray(pixels)).convert(mode)
                image.save(buffer, "JPEG", quality=85, progressive=progressive, **options)
                trials.append(buffer.getvalue())
    return trials
