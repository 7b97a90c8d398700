"""Tiny picture files for tests, of every kind that a stranger's folder may hold."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def pixels(number: int = 0, *, side: int = 16, channels: int = 3) -> np.ndarray:
    """Noise that differs from number to number."""
    return np.random.default_rng(number).integers(0, 256, (side, side, channels), dtype=np.uint8)


def picture(number: int = 0, *, side: int = 16, mode: str = "RGB") -> Image.Image:
    """A picture of noise."""
    return Image.fromarray(pixels(number, side=side)).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(number: int = 0, *, side: int = 16, mode: str = "RGB") -> bytes:
    """A PNG file of noise."""
    return encoded(picture(number, side=side, mode=mode))


def jpeg(number: int = 0, *, side: int = 16, mode: str = "RGB", **options: Any) -> bytes:
    """A JPEG file of noise."""
    return encoded(picture(number, side=side, mode=mode), "JPEG", **options)


def two_classes(count: int = 4, *, top: str = "", ending: str = ".png") -> dict[str, bytes]:
    """Files of cats and dogs, each different."""
    return {
        f"{top}{name}/{number:02d}{ending}": png(number + 100 * label)
        for label, name in enumerate(("cat", "dog"))
        for number in range(count)
    }


def folder_of(files: Mapping[str, bytes], top: Path) -> Path:
    """Write files under `top`."""
    for key, data in files.items():
        path = top / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return top


def zip_of(files: Mapping[str, bytes], path: Path, *, method: int = zipfile.ZIP_STORED) -> Path:
    """Write files into a zip."""
    with zipfile.ZipFile(path, "w", method) as file:
        for key, data in files.items():
            file.writestr(key, data)
    return path


def mask(numbers: np.ndarray, *, mode: str = "L") -> bytes:
    """A mask as PNG: the numbers in grey, or as indices into a palette of odd colours (`P`)."""
    image = Image.fromarray(numbers.astype(np.uint8))
    if mode == "P":
        image = Image.frombytes("P", image.size, image.tobytes())
        image.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    return encoded(image)


def masked(count: int = 4, *, top: str = "", side: int = 16, classes: int = 3) -> dict[str, bytes]:
    """Pictures under `images` with masks of the same name under `masks`, in which a third is of class 0."""
    files: dict[str, bytes] = {}
    for number in range(count):
        numbers = np.random.default_rng(number).integers(0, classes, (side, side))
        numbers[: side // 3] = 0
        files[f"{top}images/{number:02d}.png"] = png(number, side=side)
        files[f"{top}masks/{number:02d}.png"] = mask(numbers)
    return files


def tabled(rows: Mapping[str, str], *, header: str = "file,value", start: int = 0) -> dict[str, bytes]:
    """Pictures under `images`, and `targets.csv` with a row for each: what follows its name."""
    lines = [header, *(f"{name},{cells}" for name, cells in rows.items())]
    pictures = {f"images/{name}": png(start + number) for number, name in enumerate(rows)}
    return pictures | {"targets.csv": ("\n".join(lines) + "\n").encode()}
