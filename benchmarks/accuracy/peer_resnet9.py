"""What a good hand-written script reaches: a ResNet-9, one-cycle, everything in memory.

    python benchmarks/accuracy/peer_resnet9.py cifar10.zip --seconds 180 [--validation 5000] [--seed 0]

The peer of `epochal run`: the same images, the same machine, the same CPU time, and what such scripts are known for:
bfloat16 autocast, channels_last, fused SGD with Nesterov momentum, glibc's allocator told to keep its memory, one-cycle
learning rate tied to the CPU time spent, flips and crops, label smoothing, no decay on norms and biases, flip averaging
at test. `--seconds` is processor time divided by the number of threads, decoding and the final test included.
Source: Page 2018 ("How to train your ResNet").
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported

import argparse
import ctypes
import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

BATCH, PEAK_LR, MOMENTUM, DECAY, SMOOTHING, PAD, WARMUP = 256, 0.4, 0.9, 5e-4, 0.1, 4, 0.25
RESERVED = 4.0  # seconds for the final test


def decoded(archive: Path, split: str) -> tuple[Tensor, Tensor]:
    """Read one split of the zip: pixels (n, h, w, c) as uint8, class numbers in the order of the names."""
    with zipfile.ZipFile(archive) as file:
        names = sorted(n for n in file.namelist() if n.startswith(f"{split}/") and n.endswith(".jpg"))
        classes = sorted({n.split("/")[1] for n in names})
        pixels = np.stack([np.asarray(Image.open(io.BytesIO(file.read(n))).convert("RGB")) for n in names])
    return torch.from_numpy(pixels), torch.tensor([classes.index(n.split("/")[1]) for n in names])


def unit(channels_in: int, channels_out: int, *, pool: bool = False) -> nn.Sequential:
    """Convolution, norm, ReLU, pooling: the block as everybody writes it."""
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    ]
    return nn.Sequential(*layers, nn.MaxPool2d(2)) if pool else nn.Sequential(*layers)


class Residual(nn.Sequential):
    """Two units with a path around them."""

    def forward(self, x: Tensor) -> Tensor:
        """Add what they found."""
        return x + super().forward(x)


class ResNet9(nn.Module):
    """The network of Page 2018, `width` channels after the first convolution."""

    def __init__(self, classes: int, *, width: int) -> None:
        """Build the layers."""
        super().__init__()
        w = width
        self.body = nn.Sequential(
            unit(3, w), unit(w, 2 * w, pool=True), Residual(unit(2 * w, 2 * w), unit(2 * w, 2 * w)),
            unit(2 * w, 4 * w, pool=True), unit(4 * w, 8 * w, pool=True),
            Residual(unit(8 * w, 8 * w), unit(8 * w, 8 * w)), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(8 * w, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Give the logits, an eighth of the linear layer's outputs."""
        out: Tensor = self.head(self.body(x)) * 0.125
        return out


class Images:
    """Normalised batches, flipped and cropped."""

    def __init__(self, pixels: Tensor, labels: Tensor, *, seed: int) -> None:
        """Pad once; measure mean and spread."""
        self.labels, self.count = labels, len(labels)
        self.size = pixels.shape[1]
        flat = pixels.reshape(-1, 3).float() / 255
        self.mean, self.std = flat.mean(0), flat.std(0)
        padded = F.pad(pixels.permute(0, 3, 1, 2).float(), (PAD,) * 4, mode="reflect").to(torch.uint8)
        self.padded = padded.permute(0, 2, 3, 1).contiguous()
        self.generator = torch.Generator().manual_seed(seed)

    def normalised(self, pixels: Tensor) -> Tensor:
        """Centre and scale, channels_last in memory."""
        return ((pixels.float() / 255 - self.mean) / self.std).permute(0, 3, 1, 2)

    def epoch(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled batches; the samples with the same crop are cut together."""
        order = torch.randperm(self.count, generator=self.generator)
        places = 2 * PAD + 1
        for rows in order[: self.count // BATCH * BATCH].split(BATCH):
            crops = torch.randint(0, places * places, (BATCH,), generator=self.generator)
            out = torch.empty(BATCH, self.size, self.size, 3, dtype=torch.uint8)
            for crop in crops.unique().tolist():
                y, x = divmod(crop, places)
                out[crops == crop] = self.padded[rows[crops == crop], y : y + self.size, x : x + self.size]
            flip = torch.rand(BATCH, generator=self.generator) < 0.5
            out[flip] = out[flip].flip(2)
            yield self.normalised(out), self.labels[rows]


def one_cycle(progress: float) -> float:
    """Rise to 1 in the warm-up, fall to 0 at the end, both linearly."""
    return progress / WARMUP if progress < WARMUP else max(1 - progress, 0) / (1 - WARMUP)


def train(model: nn.Module, images: Images, *, seconds: float, most: int) -> tuple[float, int]:
    """Train until `seconds` of CPU time per thread are used, or for `most` steps; gives the training's share of it."""
    weights = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=PEAK_LR, momentum=MOMENTUM, nesterov=True, fused=True)
    begin, steps, progress = time.process_time(), 0, 0.0
    available = (seconds - RESERVED) * torch.get_num_threads() - begin  # imports and decoding have cost `begin`
    while progress < 1:
        for x, y in images.epoch():
            spent = time.process_time() - begin
            progress = min(1.0, steps / most if most else spent / available)
            if progress >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = PEAK_LR * one_cycle(progress)
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(x)
            F.cross_entropy(logits.float(), y, label_smoothing=SMOOTHING).backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            steps += 1
    return (time.process_time() - begin) / torch.get_num_threads(), steps


@torch.no_grad()
def accuracy(model: nn.Module, images: Tensor, *, labels: Tensor) -> float:
    """Share of right answers, each from the sum of both mirror images' logits."""
    model.eval()
    right = 0
    for x, y in zip(images.split(500), labels.split(500), strict=True):
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(x).float() + model(x.flip(3)).float()
        right += int((logits.argmax(1) == y).sum())
    return right / len(labels)


def main() -> None:
    """Train once and print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--steps", type=int, default=0, help="a fixed number of steps instead, for busy machines")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--validation", type=int, default=0, help="judge on so many held-out training images instead")
    asked = parser.parse_args()
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(-4, 0)  # M_MMAP_MAX: large blocks come from the heap,
    libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: which is kept
    torch.set_num_threads(2)
    torch.manual_seed(asked.seed)
    pixels, labels = decoded(asked.archive, "train")
    order = torch.from_numpy(np.random.default_rng(1234).permutation(len(labels)))  # the same split in every run
    held, kept = order[: asked.validation], order[asked.validation :]
    images = Images(pixels[kept], labels[kept], seed=asked.seed)
    judged = (pixels[held], labels[held]) if asked.validation else decoded(asked.archive, "test")
    model = ResNet9(int(labels.max()) + 1, width=asked.width).to(memory_format=torch.channels_last)
    seconds, steps = train(model, images, seconds=asked.seconds, most=asked.steps)
    result = accuracy(model, images.normalised(judged[0]), labels=judged[1])
    print(json.dumps({
        "script": "peer_resnet9", "width": asked.width, "seed": asked.seed, "training_seconds": round(seconds, 1),
        "steps": steps, "epochs": round(steps * BATCH / images.count, 2), "accuracy": result,
        "seconds": round(time.process_time() / torch.get_num_threads(), 1),
        "split": "validation" if asked.validation else "test", "samples": len(judged[1]),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
