"""Claim: one warp and one colour matrix per sample augment faster than the best peers, on one thread of a CPU.

    OMP_NUM_THREADS=1 python benchmarks/blocks/augmentation.py [--rounds 15] [--write]

The pipeline of the field: flip, random crop (32 px: padding of 4; 224 px: out of 256), rotation within 15 degrees,
brightness, contrast and saturation 0.4, hue 0.1. Memory is kept as in a training run. Contestants take turns, round by
round; figures are medians of processor time. Peers run when they can be imported: Pillow always, kornia when installed.
`--write` puts the tables into `benchmarks/results/augmentation.md`.
"""

import argparse
import importlib
import importlib.util
import math
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from epochal.data.batch import Batch
from epochal.training.environment import activate
from epochal.training.machine import cpu_name
from epochal.training.runtime import Runtime
from epochal.transforms.color import ColorJitter
from epochal.transforms.corruption import Blur, Cutout, Erasing, Noise
from epochal.transforms.fancy_pca import FancyPCA
from epochal.transforms.hsv import HsvPower, hue_turned
from epochal.transforms.mixing import Cutmix, Mixup
from epochal.transforms.policy import RandAugment, TrivialAugment
from epochal.transforms.warp import Affine, ResizedCrop

RESULT = Path(__file__).parents[1] / "results" / "augmentation.md"
SIZES = ((32, 32, 128), (256, 224, 32))  # source, output, batch
PROTOTYPE = {32: 72_600, 224: 1_390}  # the target: a prototype with the YIQ turn, on another machine
MEAN, STD = (0.5, 0.45, 0.4), (0.25, 0.25, 0.25)
Work = Callable[[], object]


def batch_of(n: int, size: int) -> Batch:
    """Images as the loader gives them: normalised, channels last, seeded."""
    colors = torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))
    images = ((colors - 0.45) / 0.25).contiguous(memory_format=torch.channels_last)
    return Batch(images=images, labels=torch.arange(n) % 10, index=torch.arange(n), seed=0)


def pipelines(source: int, size: int, *, n: int) -> dict[str, Work]:
    """The whole pipeline: ours with either turn of colour, and the peers."""
    batch = batch_of(n, source)
    shift = 4 / 32 if source == size else (source - size) / 2 / source
    move = Affine(degrees=15, shift=shift, flip=0.5, size=(size, size))
    fast, exact = ColorJitter(mean=MEAN, std=STD, yiq_hue=0.1), ColorJitter(mean=MEAN, std=STD, hue=0.1)
    pictures = [Image.fromarray(x) for x in np.random.default_rng(0).integers(0, 256, (n, source, source, 3), np.uint8)]
    return {
        "ours, YIQ turn": lambda: fast(move(batch)),
        "ours, exact hue": lambda: exact(move(batch)),
        "Pillow, image by image": lambda: [_pillow(each, size) for each in pictures],
        **_kornia(batch.images * 0.25 + 0.45, size),
    }


def _pillow(picture: Image.Image, size: int) -> Image.Image:
    """The same with plain Pillow, one image at a time."""
    if random.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    reach = 4 if picture.width == size else picture.width - size
    left, top = (random.randrange(reach + 1) for _ in range(2))
    picture = picture.crop((left, top, left + size, top + size))
    picture = picture.rotate(random.uniform(-15, 15), Image.Resampling.BILINEAR)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        picture = enhance(picture).enhance(random.uniform(0.6, 1.4))
    hue, saturation, value = picture.convert("HSV").split()
    by = round(random.uniform(-0.1, 0.1) * 255)
    return Image.merge("HSV", (hue.point([(x + by) % 256 for x in range(256)]), saturation, value)).convert("RGB")


def _kornia(colors: Tensor, size: int) -> dict[str, Work]:
    if importlib.util.find_spec("kornia") is None:
        print("kornia is not installed: left out")
        return {}
    K = importlib.import_module("kornia.augmentation")

    padding = 4 if colors.shape[-1] == size else 0
    chain = K.AugmentationSequential(
        K.RandomHorizontalFlip(p=0.5), K.RandomCrop((size, size), padding=padding), K.RandomRotation(15.0, p=1.0),
        K.ColorJitter(0.4, 0.4, 0.4, 0.1, p=1.0), same_on_batch=False,
    )  # fmt: skip
    colors = colors.contiguous()
    return {"kornia, eager": lambda: chain(colors)}


def blocks(size: int, n: int) -> dict[str, Work]:
    """Each transform by itself, and two things that one could do instead."""
    batch = batch_of(n, size)
    eye = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    radius = 1.0 if size == 32 else 2.0
    transforms: dict[str, Callable[[Batch], Batch]] = {
        "affine": Affine(degrees=15, zoom=(0.8, 1.25), shear=10, shift=0.1, flip=0.5),
        "resized crop": ResizedCrop(size=(size, size), flip=0.5),
        "jitter, no hue": ColorJitter(mean=MEAN, std=STD),
        "jitter, YIQ turn": ColorJitter(mean=MEAN, std=STD, yiq_hue=0.1),
        "jitter, exact hue": ColorJitter(mean=MEAN, std=STD, hue=0.1),
        "HSV power": HsvPower(mean=MEAN, std=STD),
        "Fancy PCA": FancyPCA(eigenvectors=eye, eigenvalues=(0.2, 0.02, 0.005), std=STD),
        "blur of every image": Blur(sigma=(0.1, radius), chance=1.0),
        "noise on every image": Noise(std=STD, chance=1.0),
        "erasing": Erasing(chance=1.0),
        "cutout": Cutout(side=size // 4),
        "mixup": Mixup(classes=10),
        "cutmix": Cutmix(classes=10),
        "RandAugment 2 x 9": RandAugment(mean=MEAN, std=STD),
        "TrivialAugment": TrivialAugment(mean=MEAN, std=STD),
    }
    colors, turns = torch.rand(n, 3, size, size), torch.rand(n) - 0.5
    unit = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    return {
        **{name: partial(each, batch) for name, each in transforms.items()},
        "hue alone, exact": lambda: hue_turned(colors, turns, **unit),
        "hue alone, the textbook's branches": lambda: textbook_hue(colors, turns),
    }


def textbook_hue(x: Tensor, turns: Tensor) -> Tensor:
    """The turn of hue as one writes it in torch: which channel is largest, then which sixth of the circle."""
    r, g, b = x.unbind(1)
    high, low = x.amax(1), x.amin(1)
    chroma = high - low
    safe = torch.where(chroma > 0, chroma, 1)
    sixth = torch.where(high == r, ((g - b) / safe) % 6, torch.where(high == g, (b - r) / safe + 2, (r - g) / safe + 4))
    sixth = (sixth + 6 * turns[:, None, None]) % 6
    return torch.stack([high - chroma * _wave((k + sixth) % 6) for k in (5, 3, 1)], dim=1)


def _wave(k: Tensor) -> Tensor:
    return torch.minimum(k, 4 - k).clamp(0, 1)


def measured(works: dict[str, Work], *, n: int, rounds: int) -> dict[str, float]:
    """Images a second of processor time, medians over rounds in which all take turns; each repeated to 20 ms."""
    repeats = {}
    for name, work in works.items():
        work()
        started = time.process_time()
        work()
        repeats[name] = max(1, math.ceil(0.02 / max(time.process_time() - started, 1e-6)))
    spent: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            started = time.process_time()
            for _ in range(repeats[name]):
                work()
            spent[name].append((time.process_time() - started) / repeats[name])
    return {name: n / statistics.median(times) for name, times in spent.items()}


def report(rounds: int) -> str:
    """All tables."""
    lines = [
        "# Augmentation", "",
        f"{cpu_name()}, 1 thread, torch {torch.__version__}, Python {platform.python_version()}; images a second of",
        f"processor time, medians of {rounds} rounds in turns, seed 0, at a load of {os.getloadavg()[0]:.0f} on",
        f"{os.cpu_count()} processors. Batches of 128 at 32 px, of 32 at 224 px.", "",
        "Flip, crop, rotation and colour jitter:", "",
        "| | 32 px | 224 px out of 256 |", "|---|---|---|",
    ]  # fmt: skip
    whole = [measured(pipelines(source, size, n=n), n=n, rounds=rounds) for source, size, n in SIZES]
    lines += [f"| {name} | {whole[0][name]:,.0f} | {whole[1][name]:,.0f} |" for name in whole[0]]
    lines += [f"| target: the prototype, YIQ turn | {PROTOTYPE[32]:,} | {PROTOTYPE[224]:,} |", ""]
    each = [measured(blocks(size, n), n=n, rounds=rounds) for _, size, n in SIZES]
    lines += ["Each by itself:", "", "| | 32 px | 224 px |", "|---|---|---|"]
    lines += [f"| {name} | {each[0][name]:,.0f} | {each[1][name]:,.0f} |" for name in each[0]]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, print, and write when asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    activate(Runtime(threads=1))
    torch.set_num_threads(1)
    random.seed(0)
    text = report(asked.rounds)
    print(text)
    if asked.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
