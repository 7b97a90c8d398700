"""Small pictures of stripes that a network learns at once and a linear model never: a data set for whole runs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from pictures import encoded, folder_of

CLASSES = ("lengthwise", "längs")  # one of them in letters that not every system is used to
SPLITS = ("train", "val", "test")


def stripes(number: int, *, across: bool, side: int = 12) -> UInt8[np.ndarray, "side side 3"]:
    """One picture: a wave of random phase along one axis, under noise.

    >>> bool(np.ptp(stripes(3, across=False)[:, 0, 0]) < np.ptp(stripes(3, across=True)[:, 0, 0]))
    True
    """
    dice = np.random.default_rng((number, across))
    wave = np.sin(np.arange(side) * np.pi / 4 + dice.uniform(0, 2 * np.pi))
    lines = np.broadcast_to(wave[:, None] if across else wave[None, :], (side, side))
    noisy = 128 + 90 * lines[..., None] + dice.normal(0, 8, (side, side, 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def striped_files(count: int = 40, *, side: int = 12, splits: Sequence[str] = SPLITS) -> dict[str, bytes]:
    """PNG files of both kinds, `count` in each split; without splits the class folders stand at the top."""
    files = {}
    for part, split in enumerate(splits or ("",)):
        for number in range(count):
            across = bool(number % 2)
            place = "/".join(filter(None, (split, CLASSES[across], f"{number:03d}.png")))
            image = Image.fromarray(stripes(1000 * part + number, across=across, side=side))
            files[place] = encoded(image)
    return files


def striped_folder(top: Path, count: int = 40, *, side: int = 12, splits: Sequence[str] = SPLITS) -> Path:
    """The same, written under `top`."""
    return folder_of(striped_files(count, side=side, splits=splits), top)
