"""Images with values on circles and on lines, made or real, and the dials, for the benchmarks of this folder."""

import csv
import io
import os
import zipfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

SHARED = Path(os.environ.get("EPOCHAL_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
Sample = tuple[np.ndarray, np.ndarray]  # features (n, d), values (n,)
Draw = Callable[[int, np.random.Generator], Sample]


@cache
def dials(side: int) -> Sample:
    """Pixels (n, h, w, 3) of 0 to 255 of needle.zip, and where its needles point, 0.0 to 9.9."""
    with zipfile.ZipFile(SHARED / "needle.zip") as archive:
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("targets.csv"), encoding="utf-8")))
        opened = (Image.open(io.BytesIO(archive.read(row["file"]))).convert("RGB") for row in rows)
        pixels = np.stack([np.asarray(image.resize((side, side), Image.Resampling.BILINEAR)) for image in opened])
    return pixels, np.array([float(row["value"]) for row in rows])


@cache
def _photographs() -> tuple[np.ndarray, np.ndarray]:
    with zipfile.ZipFile(SHARED / "cifar10.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.startswith("train/") and name.endswith(".jpg"))[::16]
        pixels = np.stack([np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names])
    return pixels, np.unique([name.split("/")[1] for name in names], return_inverse=True)[1]


def blocks(pixels: np.ndarray, cells: int = 8) -> np.ndarray:
    """Means of cells x cells blocks, one row per image, 0 to 1."""
    n, height, width = pixels.shape[:3]
    parts = pixels.reshape(n, cells, height // cells, cells, width // cells, -1) / 255
    return parts.mean(axis=(2, 4)).reshape(n, -1)


def _needles(
    angles: np.ndarray, source: np.random.Generator, *, noise: float = 0.05, shift: float = 0.06
) -> np.ndarray:
    """Needles of any colour on faces of any colour, a little off the centre: rows of 16x16x3 numbers."""
    y, x = np.mgrid[0:16, 0:16] / 7.5 - 1
    rows = []
    for angle in angles:
        dx, dy = source.normal(0, shift, 2)
        along = (x - dx) * np.sin(angle) - (y - dy) * np.cos(angle)
        aside = (x - dx) * np.cos(angle) + (y - dy) * np.sin(angle)
        needle = np.exp(-((aside / 0.16) ** 2)) * ((along > -0.1) & (along < 0.8))
        face, colour = source.uniform(0.3, 0.9, (3, 1, 1)), source.uniform(0, 1, (3, 1, 1))
        light = 1 + source.normal(0, 0.15) * x + source.normal(0, 0.15) * y
        rows.append((face * light * (1 - needle) + colour * needle + source.normal(0, noise, (3, 16, 16))).ravel())
    return np.stack(rows)


def _dial(n: int, source: np.random.Generator, *, steps: int, period: float) -> Sample:
    values = source.integers(0, steps, n) / steps * period
    return _needles(values / period * 2 * np.pi, source), values


def _angle(n: int, source: np.random.Generator, *, noise: float = 0.05) -> Sample:
    values = source.uniform(0, 360, n)
    return _needles(np.radians(values), source, noise=noise), values


def _uneven(n: int, source: np.random.Generator) -> Sample:
    values = source.vonmises(1, 1.0, n) % (2 * np.pi)
    return _needles(values, source), values


def _hue(n: int, source: np.random.Generator) -> Sample:
    values = source.uniform(0, 1, n)
    third = 2 * np.pi * np.array([0, 1, 2]) / 3
    colour = 0.2 * np.cos(2 * np.pi * values[:, None] - third)
    grey = blocks(_photographs()[0][source.permutation(3000)[:n]], 4).reshape(n, 16, 3).mean(axis=2)
    return (grey[:, :, None] + colour[:, None]).reshape(n, -1), values


def _turned(n: int, source: np.random.Generator) -> Sample:
    values = source.uniform(0, 360, n)
    pictures = _photographs()[0][source.permutation(3000)[:n]]
    turned = [
        np.asarray(Image.fromarray(each).rotate(value, Image.Resampling.BILINEAR).crop((5, 5, 27, 27)).resize((16, 16)))
        for each, value in zip(pictures, values, strict=True)
    ]
    return blocks(np.stack(turned)), values


def _arc(n: int, source: np.random.Generator, *, degrees: float) -> Sample:
    values = source.uniform(0, degrees, n)
    return _needles(np.radians(values), source), values


def _folded(n: int, source: np.random.Generator) -> Sample:
    values = source.uniform(-90, 90, n)
    return _needles(np.radians(2 * np.abs(values)), source), values


def _slider(n: int, source: np.random.Generator) -> Sample:
    values = source.uniform(0, 1, n)
    y = np.linspace(0, 1, 16)
    row = np.exp(-(((y - 0.1 - 0.8 * values[:, None]) / 0.06) ** 2))
    return (row[:, None] + source.normal(0, 0.2, (n, 16, 16))).reshape(n, -1), values


def _bar(n: int, source: np.random.Generator) -> Sample:
    values = source.integers(0, 101, n).astype(float)
    row = 1 / (1 + np.exp(np.clip((np.linspace(0, 1, 16) - values[:, None] / 100) / 0.03, -50, 50)))
    return (row[:, None] * source.uniform(0.5, 1, (n, 1, 1)) + source.normal(0, 0.2, (n, 16, 16))).reshape(
        n, -1
    ), values


def _ages(n: int, source: np.random.Generator) -> Sample:
    values = np.round(np.clip(source.gamma(4, 9, n), 1, 95))
    seen = np.stack([values / 40, np.sqrt(values) / 5], axis=1) @ source.normal(size=(2, 40))
    return seen + source.normal(0, 1.5, (n, 40)), values


def _counts(n: int, source: np.random.Generator) -> Sample:
    values = source.poisson(12, n)
    dots = np.zeros((n, 256))
    for row, count in zip(dots, values, strict=True):
        row[source.permutation(256)[:count]] = 1
    return dots, values.astype(float)


def _of_pixels(n: int, source: np.random.Generator, *, of: Callable[[np.ndarray], np.ndarray]) -> Sample:
    pictures = _photographs()[0][source.permutation(3000)[:n]]
    return blocks(pictures), of(pictures.astype(float))


def _digits(n: int, source: np.random.Generator, *, blur: float = 0.0) -> Sample:
    bundled = load_digits()
    some = source.permutation(len(bundled.target))[:n]
    return bundled.data[some], bundled.target[some] + blur * source.uniform(0, 1, len(some))


def _classes(n: int, source: np.random.Generator) -> Sample:
    pixels, labels = _photographs()
    some = source.permutation(len(pixels))[:n]
    return blocks(pixels[some]), labels[some].astype(float)


CIRCLES: Mapping[str, Draw] = {
    "dial, 0.0 to 9.9": partial(_dial, steps=100, period=10.0),
    "dial, hours": partial(_dial, steps=24, period=24.0),
    "needle, any angle": _angle,
    "needle, unevenly spread": _uneven,
    "needle, drowned in noise": partial(_angle, noise=0.25),
    "hue of photographs": _hue,
    "turned photographs": _turned,
}
LINES: Mapping[str, Draw] = {
    "needle over 90 degrees": partial(_arc, degrees=90),
    "needle over 180 degrees": partial(_arc, degrees=180),
    "needle over 270 degrees": partial(_arc, degrees=270),
    "needle, mirrored values": _folded,
    "place of a slider": _slider,
    "length of a bar": _bar,
    "ages": _ages,
    "number of dots": _counts,
    "brightness of photographs": partial(_of_pixels, of=lambda p: p.mean(axis=(1, 2, 3))),
    "redness of photographs": partial(_of_pixels, of=lambda p: (p[..., 0] - p[..., 2]).mean(axis=(1, 2))),
    "contrast of photographs": partial(_of_pixels, of=lambda p: p.std(axis=(1, 2, 3))),
    "digit": _digits,
    "digit and a random fraction": partial(_digits, blur=1.0),
    "class number of photographs": _classes,
    "no relation": lambda n, source: _of_pixels(n, source, of=lambda p: source.uniform(0, 1, len(p))),
}
