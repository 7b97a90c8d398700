"""Small data sets for the tasks beside classification: what a network learns at once, in files as users have them."""

import csv
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pictures import encoded, folder_of

COUNT = 200


def dial(value: float, number: int, *, side: int = 24) -> UInt8[np.ndarray, "side side 3"]:
    """A bright hand on a dark face, pointing to `value` tenths of a turn."""
    dice = np.random.default_rng(number)
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    angle = 2 * np.pi * value / 10
    along = columns * np.sin(angle) - rows * np.cos(angle)
    across = columns * np.cos(angle) + rows * np.sin(angle)
    hand = (np.abs(across) < 1.5) & (along > 0)
    pixels = 40 + 170 * hand[..., None] + dice.normal(0, 6, (side, side, 3))
    face: UInt8[np.ndarray, "side side 3"] = np.clip(pixels, 0, 255).astype(np.uint8)
    return face


def dials() -> dict[str, bytes]:
    """Pictures of dials, and a table with what they show: a value on a circle of ten."""
    values = np.random.default_rng(0).integers(0, 100, COUNT) / 10
    files, rows = {}, []
    for number, value in enumerate(values.tolist()):
        name = f"images/{number:03d}.png"
        files[name] = encoded(Image.fromarray(dial(value, number)))
        rows.append([name, f"{value:.1f}"])
    return files | {"targets.csv": _table(["file", "value"], rows)}


def patches() -> dict[str, bytes]:
    """Pictures with a patch of lying and one of standing stripes, each with a mask; the borders are unlabelled.

    Both have the same colours, so that no single pixel tells which it is.
    """
    files = {}
    for number in range(48):
        split = "val" if number % 4 == 0 else "train"
        dice = np.random.default_rng(number)
        pixels, mask = dice.normal(90, 12, (64, 96, 3)), np.zeros((64, 96), np.uint8)
        for kind in (1, 2):
            top, left = dice.integers(0, 34), dice.integers(0, 14) + 48 * (kind - 1)
            wave = 110 * np.sin(np.arange(30) * np.pi / 3 + dice.uniform(0, 6))
            lines = wave[:, None] if kind == 1 else wave[None, :]
            pixels[top : top + 30, left : left + 30] = 128 + lines[..., None] + dice.normal(0, 10, (30, 30, 3))
            mask[top : top + 30, left : left + 30] = 3
            mask[top + 2 : top + 28, left + 2 : left + 28] = kind
        pixels = np.clip(pixels, 0, 255).astype(np.uint8)
        files[f"{split}/images/{number:03d}.png"] = encoded(Image.fromarray(pixels))
        files[f"{split}/masks/{number:03d}.png"] = encoded(Image.fromarray(mask))
    return files | {"classes.txt": b"ground\nlying\nstanding\nunlabelled\n"}


def marks() -> dict[str, bytes]:
    """Pictures with a bar on top, a bar on the left, both or neither, and a table that says which."""
    files, rows = {}, []
    for number in range(COUNT):
        dice = np.random.default_rng(number)
        top, left = dice.integers(0, 2, 2).tolist()
        pixels = dice.normal(80, 12, (16, 16, 3))
        pixels[:4] += 110 * top
        pixels[:, :4] += 110 * left
        name = f"{number:03d}.png"
        files[name] = encoded(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
        rows.append([name, str(top), str(left)])
    return files | {"labels.csv": _table(["file", "top", "left"], rows)}


MAKERS: Mapping[str, Callable[[], dict[str, bytes]]] = {
    "multi-label": marks,
    "regression": dials,
    "segmentation": patches,
}


def folder_with(kind: str, top: Path) -> Path:
    """The data set for a kind of task, written under `top`."""
    return folder_of(MAKERS[kind](), top)


def _table(names: list[str], rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([names, *rows])
    return text.getvalue().encode()
