"""Cross-entropy of masks, forward and backward, beside torch's own mean over all pixels.

python benchmarks/blocks/masks.py        about a minute; writes ../results/mask-losses.md
"""

import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from epochal.losses.masks import image_cross_entropy
from epochal.tasks.mask_evidence import mask_evidence

RESULT = Path(__file__).parent.parent / "results" / "mask-losses.md"
CLASSES, HEIGHT, WIDTH, REPEATS = 12, 192, 256, 30


def main() -> None:
    """Measure in turns, in time of the processor, and write the table."""
    torch.set_num_threads(1)
    weights = tuple(1 + k / CLASSES for k in range(CLASSES))
    rows = []
    for n in (8, 16):
        logits = torch.randn(n, CLASSES, HEIGHT, WIDTH, requires_grad=True)
        labels = torch.randint(0, CLASSES, (n, HEIGHT, WIDTH))
        labels[torch.rand(labels.shape) < 0.05] = 255
        for name, theirs, ours in (
            ("plain", {}, {}),
            ("smoothing 0.1", {"label_smoothing": 0.1}, {"smoothing": 0.1}),
            ("class weights", {"weight": torch.tensor(weights)}, {"weights": weights}),
        ):
            pair = _measured(
                _back(logits, lambda z, o=theirs, y=labels: F.cross_entropy(z, y, ignore_index=255, **o)),
                _back(logits, lambda z, o=ours, y=labels: image_cross_entropy(z, y, **o).mean()),
            )
            rows.append(f"| {name} | {n} | {pair[0]:.1f} | {pair[1]:.1f} |")
        still = logits.detach()
        pair = _measured(lambda z=still, y=labels: _by_argmax(z, y), lambda z=still, y=labels: mask_evidence(z, y))
        rows.append(f"| counts and loss for judging, against argmax and a loop | {n} | {pair[0]:.1f} | {pair[1]:.1f} |")
    _write(rows)


def _back(logits: Tensor, loss: Callable[[Tensor], Tensor]) -> Callable[[], object]:
    def step() -> None:
        loss(logits).backward()  # type: ignore[no-untyped-call]
        logits.grad = None

    return step


def _by_argmax(logits: Tensor, labels: Tensor) -> Tensor:
    said, counts = logits.argmax(1), []
    for each, mask in zip(said, labels, strict=True):
        kept = mask != 255
        counts.append(torch.bincount(mask[kept] * CLASSES + each[kept], minlength=CLASSES**2))
    F.cross_entropy(logits, labels, ignore_index=255)
    return torch.stack(counts)


def _measured(*steps: Callable[[], object]) -> list[float]:
    """Milliseconds of each, the median of turns taken one after the other."""
    taken: list[list[float]] = [[] for _ in steps]
    for _ in range(REPEATS):
        for times, step in zip(taken, steps, strict=True):
            begun = time.process_time()
            step()
            times.append(time.process_time() - begun)
    return [1000 * sorted(times)[len(times) // 2] for times in taken]


def _write(rows: list[str]) -> None:
    lines = [
        "# Losses of masks",
        "",
        f"Forward and backward, {CLASSES} classes at {HEIGHT} x {WIDTH}: milliseconds of processor time on one thread,",
        f"medians of {REPEATS} turns. torch's mean counts all pixels of a batch alike; ours gives one value per image.",
        "",
        f"Measured on {platform.system()} {platform.machine()}, torch {torch.__version__}.",
        "",
        "| what | images | torch | epochal |",
        "|---|---|---|---|",
        *rows,
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    RESULT.write_text(text)


if __name__ == "__main__":
    main()
