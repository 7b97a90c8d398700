"""How far the first loss strays from that of a constant answer, for values, marks and masks.

python benchmarks/healthy/first_loss.py [FOLDER WITH camvid.zip AND needle.zip]     about a minute; writes first_loss.md
"""

import sys
from pathlib import Path

import numpy as np
import torch
from programs import write

from epochal.checks.first_loss import RULES, FirstLoss, first_loss
from epochal.data.catalogue import catalogue
from epochal.data.scan import scan
from epochal.data.sources import open_source
from epochal.findings import examine
from epochal.models.head import find
from epochal.models.networks import build
from epochal.tasks.multi_label import MultiLabel
from epochal.tasks.regression import Regression
from epochal.tasks.segmentation import Segmentation
from epochal.tasks.task import Task

SEEDS, SAMPLES = 8, {True: 8, False: 128}
NETWORKS = {True: ("small-dense", "encoder-decoder"), False: ("small", "resnet")}


def main() -> None:
    """Measure and write the table."""
    torch.set_num_threads(1)
    rows = []
    for name, task, images, labels in _sources(Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")):
        for network in NETWORKS[task.dense]:
            for widened in (1, 3, 10):
                seen = [
                    _measured(task, images, labels=labels, network=network, widened=widened, seed=s)
                    for s in range(SEEDS)
                ]
                excess = [(each.measured - each.constant) / each.expected for each in seen]
                found = sum(bool(list(examine(RULES, each))) for each in seen)
                program = "healthy" if widened == 1 else f"head x {widened}"
                rows.append([name, network, program, min(excess), max(excess), f"{found} of {SEEDS}"])
    columns = ["data", "network", "program", "excess, least", "most", "found"]
    note = f"{SEEDS} seeds each. Excess: first loss less that of the constant answer, as a share of the expected loss."
    write("first_loss", title="The first loss of values, marks and masks", columns=columns, rows=rows, note=note)


def _sources(top: Path) -> list[tuple[str, Task, np.ndarray, np.ndarray]]:
    """Digits as a number and as the bits of that number; dials and street scenes where they are at hand."""
    digits = scan(open_source("digits"), cache=False)
    images, classes = digits.images.array, digits.table.labels
    values = classes[:, None].astype(np.float32)
    bits = (classes[:, None] >> np.arange(4) & 1).astype(np.float32)
    found: list[tuple[str, Task, np.ndarray, np.ndarray]] = [
        ("digits as values", Regression.of(["digit"], values), images, values),
        ("digits as bits", MultiLabel.of([f"bit {bit}" for bit in range(4)], bits), images, bits),
    ]
    for name in ("needle", "camvid"):
        if not (top / f"{name}.zip").exists():
            print(f"{name}.zip is not in {top}: left out")
            continue
        pictures = catalogue(open_source(top / f"{name}.zip"))
        scanned = scan(pictures)
        labels = np.asarray(scanned.targets)
        if name == "needle":
            found.append((name, Regression.of(pictures.names, labels, periods=[10.0]), scanned.images.array, labels))
        else:
            found.append((name, Segmentation.of(pictures.names, labels), scanned.images.array, labels))
    return found


def _measured(
    task: Task, images: np.ndarray, *, labels: np.ndarray, network: str, widened: int, seed: int
) -> FirstLoss:
    torch.manual_seed(seed)
    some = np.random.default_rng(seed).permutation(len(images))[: SAMPLES[task.dense]]
    pixels = torch.from_numpy(images[some]).permute(0, 3, 1, 2).float() / 255
    pixels = (pixels - pixels.mean((0, 2, 3), keepdim=True)) / pixels.std((0, 2, 3), keepdim=True)
    model = build(network, pixels.shape[1], task.outputs, image_size=max(pixels.shape[2:]))
    task.prepare_(model)
    with torch.no_grad():
        head = find(model)
        if widened > 1 and not head.weight.any():  # values begin at the mean exactly: give them torch's own start
            torch.nn.init.kaiming_uniform_(head.weight, a=5**0.5)
        head.weight.mul_(widened)
    return first_loss(
        model, pixels, labels=torch.from_numpy(labels[some]), loss=task.loss(), constant=task.constant(),
        expected=task.initial_loss(),
    )  # fmt: skip


if __name__ == "__main__":
    main()
