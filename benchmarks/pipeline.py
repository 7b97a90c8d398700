"""How fast pictures become batches: the scan against plain Pillow, the loader against what a network consumes.

Claims: a whole scan of small JPEGs, which also lists, checks, hashes, measures and stores them, costs at most 1.5 times
the CPU time of decoding them with plain Pillow alone; the loader delivers on one core at least 3 times what the network
consumes on two.

All figures are images per second of CPU time (of all threads), the best of several rounds, so that other programs on
the machine disturb them less; wall time stands beside them where threads matter.

    python benchmarks/pipeline.py cifar10.zip [--write benchmarks/pipeline.md]
"""

import argparse
import io
import os
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import PIL
import torch
from PIL import Image

from epochal.data import jpeg
from epochal.data.archive import Archive
from epochal.data.loader import ArrayLoader
from epochal.data.scan import Scan, cores, scan

# What a network of the size that 10 minutes allow consumes on two cores: FACTS of the project, ResNet-9 of width 16,
# bf16, channels-last, batch 128.
CONSUMED = 2_663
ROUNDS = 5
FILES = 8_000
BATCHES = 60


def rate(count: int, work: Callable[[], object], *, rounds: int = ROUNDS) -> tuple[float, float]:
    """Images per CPU-second and per second of wall time, the best of some rounds."""
    cpu, wall = [], []
    for _ in range(rounds):
        began, used = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - used)
    return count / min(cpu), count / min(wall)


def plain_pillow(files: list[bytes]) -> None:
    """What a hand-written script does: open, convert, make an array."""
    for data in files:
        np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def scanned(path: Path, *, cache: str) -> Scan:
    """Everything from opening the zip to the finished table and array."""
    os.environ["EPOCHAL_CACHE_DIR"] = cache
    return scan(Archive(path=path))


def measure_scan(path: Path) -> list[tuple[str, float, float]]:
    """Rates of plain decoding and of whole scans, first and second start."""
    source = Archive(path=path)
    entries = source.entries()[:: max(1, len(source.entries()) // FILES)]
    files = [source.read(entry) for entry in entries]
    rows = [("plain Pillow, decoding alone", *rate(len(files), lambda: plain_pillow(files)))]
    count = len(source.entries())
    with tempfile.TemporaryDirectory() as top:
        numbers = iter(range(100))
        work = lambda: scanned(path, cache=f"{top}/{next(numbers)}")  # noqa: E731 - a round of its own cache
        if jpeg.accelerator():
            rows.append(("scan, first start, with simplejpeg", *rate(count, work, rounds=3)))
        with mock.patch.object(jpeg, "accelerator", return_value=None):
            rows.append(("scan, first start, Pillow's decoder called directly", *rate(count, work, rounds=3)))
        scanned(path, cache=f"{top}/again")
        rows.append(("scan, second start", *rate(count, lambda: scanned(path, cache=f"{top}/again"))))
        rows.append(("first look at 2,000 files", *rate(2000, lambda: scan(Archive(path=path), limit=2000))))
    return rows


def measure_loader() -> list[tuple[str, float, float]]:
    """Rates of the loader on arrays of CIFAR-10's size, in memory and memory-mapped."""
    images = np.random.default_rng(0).integers(0, 256, (50_000, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(len(images)) % 10
    rows = []
    with tempfile.TemporaryDirectory() as top:
        np.save(Path(top) / "images.npy", images)
        mapped = np.load(Path(top) / "images.npy", mmap_mode="r").view(np.ndarray)
        for name, array in (("in memory", images), ("memory-mapped", mapped)):
            for dtype in (torch.float32, torch.bfloat16):
                for prefetch in (False, True):
                    loader = ArrayLoader(
                        array, labels, np.arange(len(images)), batch_size=256, mean=[0.5] * 3, std=[0.25] * 3,
                        shuffle=True, dtype=dtype, prefetch=prefetch,
                    )  # fmt: skip
                    ahead = ", thread ahead" if prefetch else ""
                    label = f"loader, {name}, {str(dtype).removeprefix('torch.')}{ahead}"
                    rows.append((label, *rate(256 * BATCHES, partial(some_batches, loader))))
    return rows


def some_batches(loader: ArrayLoader) -> None:
    """Take some batches of an epoch."""
    for number, _ in enumerate(loader.epoch(0), start=1):
        if number == BATCHES:
            return


def table(rows: list[tuple[str, float, float]], *, against: float, unit: str) -> str:
    """Rows as Markdown, with their ratio to a yardstick."""
    lines = [f"| what | images per CPU-second | images per second | CPU rate, in {unit} |", "|---|---|---|---|"]
    lines += [f"| {name} | {cpu:,.0f} | {wall:,.0f} | {cpu / against:.2f} |" for name, cpu, wall in rows]
    return "\n".join(lines)


def machine() -> str:
    """Say on what this was measured."""
    versions = f"Python {platform.python_version()}, Pillow {PIL.__version__}, torch {torch.__version__}"
    return f"{platform.machine()}, {cores()} cores, {versions}; best of {ROUNDS} rounds (3 for the first start)."


def main() -> None:
    """Measure, print, and write the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("zip", type=Path, help="CIFAR-10 as JPEG files in a zip")
    parser.add_argument("--write", type=Path, help="a Markdown file to write the table to")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    scans, loads = measure_scan(chosen.zip), measure_loader()
    page = "\n\n".join(
        [
            "# The input pipeline, measured",
            machine(),
            table(scans, against=scans[0][1], unit="plain Pillow"),
            table(loads, against=CONSUMED, unit=f"what the network consumes ({CONSUMED:,} images/s)"),
            f"Load of the machine when the measurement ended: {os.getloadavg()[0]:.1f}.",
            "Written by `benchmarks/pipeline.py`.\n",
        ]
    )
    print(page)
    if chosen.write:
        chosen.write.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
