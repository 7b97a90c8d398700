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
