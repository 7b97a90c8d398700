"""Pictures for the imagined run: small scenes that stand for the classes, filters, and sheets of them."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

_SKY, _GROUND = [(150, 190, 225), (120, 160, 205), (190, 205, 215)], [(95, 120, 70), (120, 105, 80), (70, 100, 90)]


def picture(images: list[Image.Image], *, columns: int) -> dict[str, Any]:
    """The fields of a picture event: images of one size on a sheet, in reading order without gaps."""
    width, height = images[0].size
    rows = math.ceil(len(images) / columns)
    page = Image.new("RGB", (columns * width, rows * height))
    for index, image in enumerate(images):
        page.paste(image, (index % columns * width, index // columns * height))
    buffer = io.BytesIO()
    page.save(buffer, format="PNG", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"media": "image/png", "data": data, "width": page.width, "height": page.height, "columns": columns}


def image(label: int, seed: int) -> Image.Image:
    """A picture of 32 by 32 pixels of something like the class, drawn large and made small."""
    rng = np.random.default_rng(1000 * label + seed)
    sky, ground = _SKY[rng.integers(3)], _GROUND[rng.integers(3)]
    canvas = Image.new("RGB", (128, 128), sky)
    draw = ImageDraw.Draw(canvas)
    horizon = int(rng.integers(70, 100))
    if label not in (0, 2):
        draw.rectangle((0, horizon, 128, 128), fill=(60, 100, 150) if label == 8 else ground)
    coat = tuple(int(each) for each in rng.integers(40, 235, 3))
    x, y = (int(each) for each in rng.integers(-12, 12, 2))
    _SHAPES[label](draw, x, y, coat)
    noise = rng.normal(0, 7, (32, 32, 3))
    pixels = np.asarray(canvas.resize((32, 32), Image.Resampling.LANCZOS), dtype=np.float64) + noise
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _winged(draw: ImageDraw.ImageDraw, x: int, y: int, coat: Any) -> None:
    draw.ellipse((20 + x, 54 + y, 108 + x, 74 + y), fill=coat)
    draw.polygon([(52 + x, 64 + y), (78 + x, 64 + y), (50 + x, 104 + y), (36 + x, 104 + y)], fill=coat)
    draw.polygon([(24 + x, 62 + y), (38 + x, 60 + y), (22 + x, 36 + y), (14 + x, 38 + y)], fill=coat)


def _wheeled(draw: ImageDraw.ImageDraw, x: int, y: int, coat: Any) -> None:
    draw.rounded_rectangle((14 + x, 62 + y, 114 + x, 94 + y), 10, fill=coat)
    draw.polygon([(34 + x, 62 + y), (46 + x, 42 + y), (86 + x, 42 + y), (98 + x, 62 + y)], fill=(60, 70, 80))
    for wheel in (36, 90):
        draw.ellipse((wheel - 11 + x, 84 + y, wheel + 11 + x, 106 + y), fill=(25, 25, 28))


def _four_legged(draw: ImageDraw.ImageDraw, x: int, y: int, coat: Any) -> None:
    draw.ellipse((34 + x, 52 + y, 98 + x, 86 + y), fill=coat)
    for leg in (42, 54, 78, 90):
        draw.rectangle((leg + x, 78 + y, leg + 7 + x, 108 + y), fill=coat)
    draw.ellipse((14 + x, 34 + y, 46 + x, 64 + y), fill=coat)
    draw.polygon([(18 + x, 42 + y), (22 + x, 22 + y), (32 + x, 36 + y)], fill=coat)


def _floating(draw: ImageDraw.ImageDraw, x: int, y: int, coat: Any) -> None:
    draw.polygon([(12 + x, 78 + y), (116 + x, 78 + y), (98 + x, 102 + y), (28 + x, 102 + y)], fill=coat)
    draw.rectangle((52 + x, 50 + y, 88 + x, 78 + y), fill=(235, 235, 230))
    draw.rectangle((64 + x, 26 + y, 72 + x, 50 + y), fill=(160, 60, 50))


def _crouching(draw: ImageDraw.ImageDraw, x: int, y: int, coat: Any) -> None:
    draw.ellipse((28 + x, 58 + y, 102 + x, 104 + y), fill=(80, 130, coat[2] // 2))
    for eye in (48, 76):
        draw.ellipse((eye - 9 + x, 46 + y, eye + 9 + x, 66 + y), fill=(230, 225, 120))


_SHAPES = [
    _winged,
    _wheeled,
    _winged,
    _four_legged,
    _four_legged,
    _four_legged,
    _crouching,
    _four_legged,
    _floating,
    _wheeled,
]


def edge(index: int) -> Image.Image:
    """An edge of some angle and colour, as first layers learn them."""
    rng = np.random.default_rng(index)
    y, x = np.mgrid[-1:1:5j, -1:1:5j]
    angle, wave = rng.uniform(0, math.pi), rng.uniform(1, 3.2)
    edge = np.sin(wave * (x * math.cos(angle) + y * math.sin(angle)) + rng.uniform(0, 3))
    tint = np.ones(3) if index % 3 else rng.normal(0, 1, 3)
    shown = edge[:, :, None] * tint / np.abs(tint).max() * 110 + 128
    return Image.fromarray(np.clip(shown, 0, 255).astype(np.uint8))
