"""Claim: the loop costs at most 1.02 times the best hand-written PyTorch loop, in processor time.

    python benchmarks/loop.py [--threads 1] [--rounds 20] [--write]

Same network, same batches, same arithmetic (bfloat16 autocast, channels-last, fused Nesterov SGD, keeping freed
memory), clipping in neither. Both loops are alive at once and take turns block by block, so that what else the machine
does hits both alike; figures are medians over paired blocks. The hand-written loop is the shortest that works: no
schedule, no reseeding, no account of anything. `--write` puts the table into `benchmarks/results/loop.md`.
"""

import argparse
import itertools
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from epochal.ensembles.averaging import EMA
from epochal.losses.classification import cross_entropy
from epochal.models.resnet import resnet
from epochal.optim.optimizer import build
from epochal.optim.schedule import one_cycle
from epochal.training.environment import activate, reseed
from epochal.training.loop import Update, train
from epochal.training.machine import cpu_name
from epochal.training.pace import FixedSteps
from epochal.training.reference import MemoryLoader
from epochal.training.runtime import Runtime

KINDS = ("engine", "engine + EMA", "engine + EMA each 5th")
RESULT = Path(__file__).parent / "results" / "loop.md"


def by_hand(model: nn.Module, batches: list[tuple[Tensor, Tensor]], *, runtime: Runtime) -> Iterator[Tensor]:
    """The best loop one would write by hand."""
    weights = [p for p in model.parameters() if p.ndim > 1 and p.requires_grad]
    others = [p for p in model.parameters() if p.ndim <= 1 and p.requires_grad]
    groups = [{"params": weights, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=1e-3, momentum=0.9, nesterov=True, fused=True)
    model.train()
    for images, labels in itertools.cycle(batches):
        optimizer.zero_grad(set_to_none=True)
        with runtime.autocast():
            logits = model(images)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=0.1)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield loss.detach()


def engine(model: nn.Module, loader: "Same", *, runtime: Runtime, every: int) -> Iterator[Tensor]:
    """The same training through the engine."""
    optimizer = build(model, lr=1e-3, weight_decay=5e-4)
    ema = (EMA(model, every=every),) if every else ()
    update = Update(
        loss=lambda logits, labels: cross_entropy(logits, labels, smoothing=0.1),
        optimizer=optimizer, schedule=one_cycle(), after_update=ema,
    )  # fmt: skip
    for step in train(model, loader, update=update, runtime=runtime, pace=FixedSteps(10**9)):
        yield step.loss


class Same(MemoryLoader):
    """The same batches in every epoch, made beforehand, so that no loading is measured."""

    def __init__(self, images: Tensor, labels: Tensor, *, batch_size: int) -> None:
        """Make the batches."""
        super().__init__(images, labels, batch_size=batch_size)
        self.ready = list(super().epoch(0))

    def epoch(self, _number: int, start: int = 0) -> Iterator[object]:  # type: ignore[override]
        """Batches of any epoch: always the same."""
        return iter(self.ready[start:])


def compare(
    build_model: Callable[[], nn.Module], *, size: int, batch: int, block: int, rounds: int, runtime: Runtime
) -> dict[str, float]:
    """Processor seconds per step of each loop, taking turns."""
    images = runtime.layout(torch.randn(4 * batch, 3, size, size))
    loader = Same(images, torch.randint(10, (4 * batch,)), batch_size=batch)
    batches = [(runtime.layout(b.images), b.labels) for b in loader.ready]
    loops = {
        "by hand": by_hand(runtime.place(build_model()), batches, runtime=runtime),
        "engine": engine(build_model(), loader, runtime=runtime, every=0),
        "engine + EMA": engine(build_model(), loader, runtime=runtime, every=1),
        "engine + EMA each 5th": engine(build_model(), loader, runtime=runtime, every=5),
    }
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for number in range(rounds + 1):
        order = list(loops.items())
        for name, loop in order[number % len(order) :] + order[: number % len(order)]:
            began = time.process_time()
            for _ in range(block):
                next(loop)
            seconds[name].append((time.process_time() - began) / block)
    hand = seconds["by hand"][1:]
    told = {"by hand": statistics.median(hand)}
    for name in KINDS:
        pairs = list(zip(seconds[name][1:], hand, strict=True))
        told[f"{name} ratio"] = statistics.median(a / b for a, b in pairs)
        told[f"{name} added"] = statistics.median(a - b for a, b in pairs)
    return told


def main() -> None:
    """Measure, print, and write where asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    half = Runtime(autocast_dtype=torch.bfloat16, channels_last=True, threads=chosen.threads)
    plain = Runtime(threads=chosen.threads)
    activate(half)

    def network() -> nn.Module:
        return resnet(3, 10, image_size=32)

    def mlp() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 64), nn.ReLU(), nn.Linear(64, 10))

    cases = {
        "residual network, 32 px, batch 64": compare(
            network, size=32, batch=64, block=5, rounds=chosen.rounds, runtime=half
        ),
        "tiny MLP, 8 px, batch 64": compare(mlp, size=8, batch=64, block=100, rounds=chosen.rounds, runtime=plain),
    }
    lines = [
        (
            f"{cpu_name()}, {chosen.threads} thread(s), torch {torch.__version__}, Python {platform.python_version()}; "
            f"processor time, medians of {chosen.rounds} paired rounds, at a load of {os.getloadavg()[0]:.0f}."
        ),
        "",
        f"| network | by hand, ms a step | {' | '.join(KINDS)} |",
        "|---|---|---|---|---|",
    ]
    for name, told in cases.items():
        cells = [f"{told[f'{kind} ratio']:.3f} x ({told[f'{kind} added'] * 1e6:+.0f} µs)" for kind in KINDS]
        lines.append(f"| {name} | {told['by hand'] * 1e3:.3f} | {' | '.join(cells)} |")
    start = time.perf_counter()
    for step in range(10_000):
        reseed(0, epoch=0, step=step)
    lines += ["", f"Seeding the generator before a step: {(time.perf_counter() - start) * 100:.1f} µs."]
    print("\n".join(lines))
    if chosen.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text("# Cost of the loop\n\n" + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
