"""Decoding and measuring a run of files: what one thread does at a time."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from epochal.data.decode import Header, decode
from epochal.data.entries import Entry, Source, Unreadable
from epochal.data.masks import IGNORED, read_mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How all pictures of a data set are decoded: size as (height, width), channels, and the limit against bombs.

    Where there are masks, `meaning` gives the class of each number in them, and `classes` is how many there are.

    >>> Way(size=(32, 32), channels=3, pixel_limit=1000).channels
    3
    """

    size: tuple[int, int]
    channels: int
    pixel_limit: int
    meaning: tuple[int, ...] | None = None
    classes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known about one file after reading it; `header` is None where it could not be decoded."""

    header: Header | None = None
    file_bytes: int = 0
    content_hash: bytes = bytes(16)
    pixel_hash: bytes = bytes(16)
    problem: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spread:
    """How the values of each channel of each picture are spread.

    Shapes: all (m, c).  Units: means and stds from 0 to 1; lows and highs, the extremes, from 0 to 255.
    """

    means: Float64[np.ndarray, "m c"]
    stds: Float64[np.ndarray, "m c"]
    lows: UInt8[np.ndarray, "m c"]
    highs: UInt8[np.ndarray, "m c"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chunk:
    """Files `start`, `start + 1`, ... of a catalogue, decoded.

    `shares` says how much of each mask each class takes, of the pixels that are not to be ignored.

    Shapes: pixels (m, h, w, c), masks (m, h, w), shares (m, k).
    """

    start: int
    pixels: UInt8[np.ndarray, "m h w c"]
    found: tuple[Found, ...]
    spread: Spread
    masks: UInt8[np.ndarray, "m h w"] | None = None
    shares: Float32[np.ndarray, "m k"] | None = None


def decode_chunk(
    source: Source, entries: Sequence[Entry], *, start: int, way: Way, masks: Sequence[Entry] | None = None
) -> Chunk:
    """Read and decode files one after the other, each with its mask; a bad one leaves zeros and its reason.

    >>> from epochal.data.sources import open_source
    >>> digits = open_source("digits")
    >>> way = Way(size=(8, 8), channels=1, pixel_limit=1000)
    >>> decode_chunk(digits, digits.entries()[:3], start=0, way=way).pixels.shape
    (3, 8, 8, 1)
    """
    pixels = np.zeros((len(entries), *way.size, way.channels), dtype=np.uint8)
    found = [_decode_into(pixels[number], source, entry=entry, way=way) for number, entry in enumerate(entries)]
    if masks is None or way.meaning is None:
        return Chunk(start=start, pixels=pixels, found=tuple(found), spread=spread(pixels))
    read = np.full((len(entries), *way.size), IGNORED, dtype=np.uint8)
    for number, mask in enumerate(masks):
        found[number] = _masked(read[number], source, mask=mask, found=found[number], way=way)
    return Chunk(
        start=start, pixels=pixels, found=tuple(found), spread=spread(pixels), masks=read,
        shares=shares(read, classes=way.classes),
    )  # fmt: skip


def _masked(target: UInt8[np.ndarray, "h w"], source: Source, *, mask: Entry, found: Found, way: Way) -> Found:
    """Read the mask of a picture that could be decoded; what is wrong with it is a problem of the picture."""
    if found.header is None or way.meaning is None:
        return found
    picture = (found.header.height, found.header.width)
    try:
        target[:] = read_mask(source.read(mask), meaning=way.meaning, size=way.size, picture=picture)
    except Unreadable as error:
        kind, _, text = str(error).partition(": ")
        named = text if kind == "no-mask" else f"{text} ({mask.key})"
        kind = kind if "mask" in kind else "bad-mask"
        return dataclasses.replace(found, problem=f"{kind}: {named}")
    return found


def shares(masks: UInt8[np.ndarray, "m h w"], *, classes: int) -> Float32[np.ndarray, "m k"]:
    """How much of each mask each class takes, of the pixels that are not to be ignored.

    >>> shares(np.array([[[0, 1, 1, 255]]], np.uint8), classes=3).round(2).tolist()
    [[0.33000001311302185, 0.6700000166893005, 0.0]]
    """
    counts = np.stack([np.bincount(mask.ravel(), minlength=256)[:classes] for mask in masks])
    known = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    part: Float32[np.ndarray, "m k"] = np.divide(counts, known, dtype=np.float32)
    return part


def _decode_into(target: UInt8[np.ndarray, "h w c"], source: Source, *, entry: Entry, way: Way) -> Found:
    data = b""
    try:
        data = source.read(entry)
        decoded = decode(data, size=way.size, channels=way.channels, key=entry.key, pixel_limit=way.pixel_limit)
    except Unreadable as error:
        digest = hashlib.blake2b(data, digest_size=16).digest()
        return Found(file_bytes=len(data) or entry.size, content_hash=digest, problem=str(error))
    target[:] = decoded.pixels
    return Found(
        header=decoded.header,
        file_bytes=len(data),
        content_hash=hashlib.blake2b(data, digest_size=16).digest(),
        pixel_hash=decoded.pixel_hash,
        notes=decoded.notes,
    )


def spread(pixels: UInt8[np.ndarray, "m h w c"]) -> Spread:
    """Measure mean, standard deviation, lowest and highest value of each channel of each picture.

    Sums of whole numbers are exact in float64, so `n Σx² - (Σx)²` loses nothing up to 2^18 pixels, and little above.

    >>> measured = spread(np.array([0, 255], np.uint8).reshape(1, 1, 2, 1))
    >>> measured.means.tolist(), measured.stds.tolist(), measured.highs.tolist()
    ([[0.5]], [[0.5]], [[255]])
    """
    flat = pixels.reshape(len(pixels), -1, pixels.shape[3])
    count = flat.shape[1]
    values = flat.astype(np.float64)
    ones = np.ones(count)
    total = ones @ values
    np.multiply(values, values, out=values)
    variance = (count * (ones @ values) - total**2) / count**2
    return Spread(
        means=total / (255 * count),
        stds=np.sqrt(np.maximum(variance, 0)) / 255,
        lows=_extremes(np.minimum, flat),
        highs=_extremes(np.maximum, flat),
    )


def _extremes(which: np.ufunc, flat: UInt8[np.ndarray, "m p c"]) -> UInt8[np.ndarray, "m c"]:
    """Fold the pixels in half until one is left: thirty times faster than numpy's reduction over a middle axis."""
    while flat.shape[1] > 1:
        half, odd = divmod(flat.shape[1], 2)
        folded = which(flat[:, :half], flat[:, half : 2 * half])
        if odd:
            which(folded[:, :1], flat[:, -1:], out=folded[:, :1])
        flat = folded
    return flat[:, 0]
