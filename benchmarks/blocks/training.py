"""Losses, optimizers and statistics against their peers in one run: CPU time of one call.

    OMP_NUM_THREADS=1 python benchmarks/blocks/training.py

Writes benchmarks/results/blocks-training.md. Ours and the peers take turns, one after another in each round; medians
are told. Losses run forward and backward under a dense gradient, as a mean over pixels would not hand them.
"""

import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import IncrementalPCA
from torch import Tensor, nn

from epochal.ensembles.averaging import EMA
from epochal.ensembles.swa import SWA
from epochal.losses import focal as focal_module
from epochal.losses.balancing import weighted_cross_entropy
from epochal.losses.focal import focal, sigmoid_focal
from epochal.losses.regression import smooth_l1
from epochal.losses.segmentation import dice, masked_cross_entropy
from epochal.optim.muon import Muon
from epochal.optim.regularization import MaxNorm, elastic_net
from epochal.optim.schedule_free import ScheduleFreeAdamW
from epochal.stats.pca import Covariance
from epochal.training.machine import cpu_name

ROUNDS, SEED = 11, 0
RESULTS = Path(__file__).resolve().parent.parent / "results" / "blocks-training.md"
Call = Callable[[], object]
Group = tuple[str, Call, dict[str, Call]]


def groups() -> Iterator[Group]:
    """Each thing to measure: its name, ours, and the peers by name."""
    yield from losses()
    yield from steps()
    yield from whitening()


def losses() -> Iterator[Group]:
    """Masks of 8 x 21 x 128 x 128, forward and backward; cross-entropy is the floor below which no loss can be."""
    images, labels = torch.randn(8, 21, 128, 128), torch.randint(21, (8, 128, 128))
    targets = F.one_hot(labels, 21).permute(0, 3, 1, 2).float().contiguous()

    def back(loss: Callable[[Tensor], Tensor]) -> Call:
        def call() -> None:
            logits = images.detach().requires_grad_()
            values = loss(logits)
            values.backward(torch.full_like(values, 0.01))  # type: ignore[no-untyped-call]

        return call

    cross = partial(F.cross_entropy, target=labels, reduction="none")
    binary = partial(F.binary_cross_entropy_with_logits, target=targets, reduction="none")
    yield "focal", back(lambda z: focal(z, labels)), {
        "floor: F.cross_entropy": back(cross),
        "(1 - exp(-CE))^2 CE": back(lambda z: _naive(cross(z))),
    }  # fmt: skip
    yield "sigmoid focal", back(lambda z: sigmoid_focal(z, targets, alpha=0.25)), {
        "floor: F.binary_cross_entropy_with_logits": back(binary),
        "torchvision's formula": back(lambda z: _torchvision(z, targets, binary=binary)),
        "ours without blocks": back(lambda z: _whole(z, targets)),
    }  # fmt: skip
    yield "masked cross-entropy", back(lambda z: masked_cross_entropy(z, labels)), {
        "F.cross_entropy": back(lambda z: F.cross_entropy(z, labels, ignore_index=255)),
    }  # fmt: skip
    yield "dice", back(lambda z: dice(z, labels)), {"by one-hot masks": back(lambda z: _dice(z, labels))}
    rows, classes = torch.randn(512, 1000, requires_grad=True), torch.randint(1000, (512,))
    weights = torch.rand(1000)
    told = weights.tolist()
    yield (
        "weighted cross-entropy, 512 x 1000",
        lambda: weighted_cross_entropy(rows, classes, weights=told).mean().backward(),  # type: ignore[no-untyped-call]
        {"F.cross_entropy(weight=)": lambda: F.cross_entropy(rows, classes, weight=weights).backward()},  # type: ignore[no-untyped-call]
    )
    yield (
        "smooth L1",
        back(lambda z: smooth_l1(z, targets)),
        {"F.smooth_l1_loss": back(lambda z: F.smooth_l1_loss(z, targets, reduction="none"))},
    )


def steps() -> Iterator[Group]:
    """Sixty weights of 256 x 256 in float32, one step."""

    def stepping(make: Callable[[list[nn.Parameter]], torch.optim.Optimizer]) -> Call:
        weights = [nn.Parameter(torch.randn(256, 256)) for _ in range(60)]
        for weight in weights:
            weight.grad = torch.randn(256, 256)
        return make(weights).step

    yield "Schedule-Free AdamW", stepping(lambda p: ScheduleFreeAdamW(p, lr=1e-3)), {
        "AdamW, loop": stepping(lambda p: torch.optim.AdamW(p, lr=1e-3, foreach=False)),
        "AdamW, fused": stepping(lambda p: torch.optim.AdamW(p, lr=1e-3, fused=True)),
    }  # fmt: skip
    if hasattr(torch.optim, "Muon"):
        yield "Muon", stepping(lambda p: Muon(p, lr=0.02)), {
            "torch.optim.Muon": stepping(lambda p: torch.optim.Muon(p, lr=0.02)),
            "ours in float32": stepping(lambda p: Muon(p, lr=0.02, dtype=torch.float32)),
        }  # fmt: skip
    model = nn.Sequential(*[nn.Linear(256, 256) for _ in range(60)])
    bound, swa = MaxNorm(3.0), SWA()
    swa(model)
    yield "max-norm", lambda: bound(model), {"torch.renorm": lambda: _renorm(model)}
    yield "SWA", lambda: swa(model), {
        "torch's AveragedModel": partial(torch.optim.swa_utils.AveragedModel(model).update_parameters, model),
        "our EMA": partial(EMA(model), model),
    }  # fmt: skip
    yield (
        "elastic net, forward and backward",
        lambda: elastic_net(model, strength=1e-4).backward(),  # type: ignore[no-untyped-call]
        {"by sums": lambda: _elastic(model).backward()},  # type: ignore[no-untyped-call]
    )


def whitening() -> Iterator[Group]:
    """The covariance of 4,000 small images as bytes, in four parts."""
    rows = np.random.default_rng(SEED).integers(0, 256, size=(4000, 768), dtype=np.uint8)
    whole = partial(np.cov, rows.T, bias=True)
    sklearns = partial(IncrementalPCA(768, batch_size=1000).fit, rows)

    def ours() -> Covariance:
        return Covariance.pooled(map(Covariance.of, np.split(rows, 4)), size=768)

    yield "covariance, 4,000 x 768", ours, {"numpy.cov, all at once": whole, "scikit-learn IncrementalPCA": sklearns}


def _naive(surprise: Tensor) -> Tensor:
    return (1 - torch.exp(-surprise)) ** 2 * surprise


def _whole(logits: Tensor, targets: Tensor) -> Tensor:
    usual, focal_module.BLOCK = focal_module.BLOCK, logits.numel()
    values = sigmoid_focal(logits, targets, alpha=0.25)
    focal_module.BLOCK = usual
    return values


def _torchvision(logits: Tensor, targets: Tensor, *, binary: Callable[[Tensor], Tensor]) -> Tensor:
    p = torch.sigmoid(logits)
    right = p * targets + (1 - p) * (1 - targets)
    return (0.25 * targets + 0.75 * (1 - targets)) * binary(logits) * (1 - right) ** 2


def _dice(logits: Tensor, labels: Tensor) -> Tensor:
    p, masks = logits.softmax(1), F.one_hot(labels, logits.shape[1]).permute(0, 3, 1, 2)
    return 1 - ((2 * (p * masks).sum((2, 3)) + 1) / (p.sum((2, 3)) + masks.sum((2, 3)) + 1)).mean(1)


@torch.no_grad()
def _renorm(model: nn.Module) -> None:
    for p in model.parameters():
        if p.ndim > 1:
            p.copy_(torch.renorm(p, p=2, dim=0, maxnorm=3.0))


def _elastic(model: nn.Module) -> Tensor:
    total = torch.zeros(())
    for p in model.parameters():
        if p.ndim > 1:
            total = total + 0.5e-4 * p.abs().sum() + 0.25e-4 * (p * p).sum()
    return total


def measure(name: str, ours: Call, *, peers: dict[str, Call]) -> list[str]:
    """Rows of the table: the median time of each, and of the ratios round by round."""
    calls = {"ours": ours} | peers
    taken: dict[str, list[float]] = {each: [] for each in calls}
    for number in range(ROUNDS + 1):
        order = list(calls.items())
        for each, call in order[number % len(order) :] + order[: number % len(order)]:
            began = time.process_time()
            call()
            taken[each].append(time.process_time() - began)
    median = {each: statistics.median(times[1:]) * 1e3 for each, times in taken.items()}
    ratio = {
        each: statistics.median(t / o for t, o in zip(taken[each][1:], taken["ours"][1:], strict=True))
        for each in peers
    }
    return [f"| {name} | {each} | {median['ours']:.2f} | {median[each]:.2f} | {ratio[each]:.2f} |" for each in peers]


def main() -> None:
    """Measure everything, and write the table."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    installed = {each.metadata["Name"].lower() for each in importlib.metadata.distributions()}
    absent = [name for name in ("torchvision", "kornia", "schedulefree") if name not in installed]
    lines = [
        "# Losses, optimizers and statistics against their peers", "",
        f"Written by `benchmarks/blocks/training.py`. {cpu_name()}, 1 thread, torch {torch.__version__}, Python",
        f"{platform.python_version()}, seed {SEED}, median of {ROUNDS} rounds that alternate, CPU time in ms, at a",
        f"load of {os.getloadavg()[0]:.0f}. Ratio: peer over ours, above 1 we are faster; below 15 % it is noise here.",
        f"Not installed, so not compared: {', '.join(absent)}.", "",
        "| block | peer | ours | peer | ratio |", "|---|---|---:|---:|---:|",
    ]  # fmt: skip
    for name, ours, peers in groups():
        lines += measure(name, ours, peers=peers)
        print(lines[-1], flush=True)
    RESULTS.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
