"""Steps that healthy programs need to learn a batch by heart and to show a signal, and what broken ones reach.

python benchmarks/healthy/learning.py        about ten minutes; writes learning.md and rates.md
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from programs import Data, cifar, digits, networks, write
from torch import Tensor, nn

from epochal.checks import trials
from epochal.checks.learning import FIT_RULES, INPUT_RULES
from epochal.checks.trials import Caps, fit_batch, input_dependence
from epochal.findings import examine
from epochal.losses.classification import cross_entropy

SEEDS = 10


class Spoilt(nn.Module):
    """A network with something done to its input and its output."""

    def __init__(
        self, make: Callable[[], nn.Module], *, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]
    ) -> None:
        """Build the network inside."""
        super().__init__()
        self.inside, self.before, self.after = make(), before, after

    def forward(self, images: Tensor) -> Tensor:
        """Input, network, output."""
        return self.after(self.inside(self.before(images)))


def same(values: Tensor) -> Tensor:
    """Nothing done."""
    return values


def main() -> None:
    """Measure and write the tables."""
    torch.set_num_threads(1)
    both = (digits(), cifar(5000))
    rows = []
    for data in both:
        for name, make in networks(data).items():
            rows.append([data.name, name, "by heart", "healthy", *_by_heart(data, make)])
        small = networks(data)["small, width 8"]
        rows.append(
            [
                data.name,
                "small, width 8",
                "by heart",
                "softmax twice",
                *_by_heart(data, partial(Spoilt, small, before=same, after=lambda z: z.softmax(1))),
            ]
        )
        rows.append(
            [
                data.name,
                "small, width 8",
                "by heart",
                "zeroed input",
                *_by_heart(data, partial(Spoilt, small, before=lambda x: x * 0, after=same)),
            ]
        )
        rows.append(
            [
                data.name,
                "small, width 8",
                "by heart",
                "detached",
                *_by_heart(data, partial(Spoilt, small, before=same, after=torch.Tensor.detach)),
            ]
        )
        rows.append([data.name, "linear", "signal", "healthy", *_signal(data, networks(data)["linear"])])
        rows += [
            [data.name, "small, width 8", "signal", program, *_signal(data, small, program=program)]
            for program in ("healthy", "labels shuffled", "noise images", "noise, 80 % one class")
        ]
        rows.append(
            [
                data.name,
                "small, width 8",
                "signal",
                "zeroed input",
                *_signal(data, partial(Spoilt, small, before=lambda x: x * 0, after=same)),
            ]
        )
    columns = [
        "data",
        "network",
        "trial",
        "program",
        "steps, median",
        "most",
        "seconds, median",
        "ended",
        "covered or spread, least",
        "most",
        "rules that fired",
    ]
    note = (
        f"{SEEDS} seeds each, at most 300 steps. "
        "By heart: 8 samples, share of the way from first to lowest loss. "
        "Signal: 256 held-out samples, relative spread of answers."
    )
    write("learning", title="Short trials of learning", columns=columns, rows=rows, note=note)
    rows = []
    for rate in (3e-4, 1e-3, 3e-3, 1e-2):
        trials.RATE = rate
        for data in both:
            small = networks(data)["small, width 8"]
            heart, seen = _by_heart(data, small), _signal(data, small)
            rows.append([rate, data.name, *heart[:2], heart[3], *seen[:2], seen[3]])
    columns = ["rate", "data", "by heart: steps, median", "most", "ended", "signal: steps, median", "most", "ended"]
    note = f"A small network of width 8, {SEEDS} seeds each, at most 300 steps."
    write("rates", title="Rates for the short trials", columns=columns, rows=rows, note=note)


def _by_heart(data: Data, make: Callable[[], nn.Module]) -> list[object]:
    found, fits = [], []
    for seed in range(SEEDS):
        few = torch.arange(8) + 8 * seed
        fit = fit_batch(
            make,
            data.images[few],
            labels=data.labels[few],
            loss=cross_entropy,
            caps=Caps(steps=300, seconds=60, seed=seed),
        )
        fits.append(fit)
        found += [f"{finding.rule} {finding.severity.value}" for finding in examine(FIT_RULES, fit)]
    covered = [(fit.first - fit.last) / (fit.first - fit.floor) for fit in fits]
    return _row(
        [fit.steps for fit in fits],
        [fit.seconds for fit in fits],
        ended=[fit.ended for fit in fits],
        told=covered,
        found=found,
    )


def _signal(data: Data, make: Callable[[], nn.Module], *, program: str = "healthy") -> list[object]:
    found, seen = [], []
    for seed in range(SEEDS):
        source = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(data.labels), generator=source)
        images, labels = data.images[order], data.labels[order]
        if program == "labels shuffled":
            labels = labels[torch.randperm(len(labels), generator=source)]
        if program.startswith("noise"):
            images = torch.randn(images.shape, generator=source)
        if "80 %" in program:
            labels = torch.where(torch.rand(len(labels), generator=source) < 0.8, 0, labels)
        trial = input_dependence(
            make, train=(images[:1200], labels[:1200]), held=(images[1200:1456], labels[1200:1456]), loss=cross_entropy,
            caps=Caps(steps=128 if program != "healthy" else 300, seconds=60, seed=seed),
        )  # fmt: skip
        seen.append(trial)
        found += [f"{finding.rule} {finding.severity.value}" for finding in examine(INPUT_RULES, trial)]
    spread = [trial.answer_spread for trial in seen]
    return _row(
        [trial.steps for trial in seen],
        [trial.seconds for trial in seen],
        ended=[trial.ended for trial in seen],
        told=spread,
        found=found,
    )


def _row(
    steps: list[int], seconds: list[float], *, ended: list[str], told: list[float], found: list[str]
) -> list[object]:
    counts = "; ".join(f"{name} {found.count(name)}" for name in sorted(set(found))) or "none"
    ends = ", ".join(f"{name} {ended.count(name)}" for name in sorted(set(ended)))
    return [int(np.median(steps)), max(steps), float(np.median(seconds)), ends, min(told), max(told), counts]


if __name__ == "__main__":
    main()
