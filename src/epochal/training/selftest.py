"""The engine's promises, proven on the user's own machine in a few seconds: part of what `epochal doctor` runs.

Each promise compares the engine with a hand-written loop and gives the largest difference found. Rounding differs
between kernels, so equal means to about float32's digits; resuming means to the bit.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from epochal.losses.classification import cross_entropy
from epochal.optim.optimizer import build
from epochal.optim.schedule import one_cycle
from epochal.training.loop import Update, train
from epochal.training.pace import FixedSteps
from epochal.training.reference import MemoryLoader, by_hand, small_data, small_network
from epochal.training.runtime import Runtime
from epochal.training.state import capture, restore
from epochal.training.twin import two_processes

ROUNDING = 2e-5  # some hundred additions in another order, in float32; measured 1e-7 to 1e-6
HALF = 0.02  # of the loss, bfloat16 against float32: it keeps 8 bits, 0.4 %; measured 2e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the engine claims, how to measure the largest difference from it, and how much of one is rounding."""

    name: str
    measure: Callable[[], float]
    allowed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What came of measuring a promise; `error` says why where it could not be measured."""

    name: str
    difference: float
    allowed: float
    seconds: float
    error: str = ""

    @property
    def held(self) -> bool:
        """Whether the difference is rounding at most."""
        return not self.error and self.difference <= self.allowed


def prove(promises: Sequence[Promise]) -> Iterator[Proof]:
    """Measure promises one by one, on one thread; what raises is reported, not passed on.

    >>> [proof.held for proof in prove([Promise(name="nothing differs", measure=lambda: 0.0, allowed=0.0)])]
    [True]
    """
    threads = torch.get_num_threads()
    for promise in promises:
        began = time.perf_counter()
        difference, error = math.inf, ""
        try:
            torch.set_num_threads(1)
            difference = promise.measure()
        except Exception as raised:  # noqa: BLE001  a diagnosis must reach its end on a broken machine
            error = f"{type(raised).__name__}: {raised}"
        finally:
            torch.set_num_threads(threads)
        seconds = time.perf_counter() - began
        yield Proof(name=promise.name, difference=difference, allowed=promise.allowed, seconds=seconds, error=error)


def loop_by_hand() -> float:
    """The engine's loop against one written by hand: largest difference of any loss or weight.

    >>> loop_by_hand() <= ROUNDING
    True
    """
    loader = MemoryLoader(*small_data(), batch_size=8)
    ours, theirs = small_network(), small_network()
    losses = _trained(ours, loader, steps=6, clip_norm=0.5)
    batches = [(b.images, b.labels) for epoch in range(2) for b in loader.epoch(epoch)]
    expected = by_hand(theirs, batches, clip_norm=0.5)
    return max(_distance(ours, theirs), *(abs(a - b) for a, b in zip(losses, expected, strict=True)))


def accumulation() -> float:
    """Five small batches to a step against one big batch, the last of them smaller: largest difference of a weight.

    >>> accumulation() <= ROUNDING
    True
    """
    images, labels = small_data(18)
    ours, theirs = small_network(norm="group"), small_network(norm="group")
    _trained(ours, MemoryLoader(images, labels, batch_size=4), steps=3, accumulate=5)
    by_hand(theirs, [(images, labels)] * 3)
    return _distance(ours, theirs)


def resuming() -> float:
    """Stopping in mid-epoch, with dropout, and going on from the saved state, against no stop: must be exactly 0.

    >>> resuming()
    0.0
    """
    loader = MemoryLoader(*small_data(), batch_size=8)
    whole, part, resumed = (small_network(dropout=0.5) for _ in range(3))
    _trained(whole, loader, steps=7, schedule=one_cycle())
    state = _interrupted(part, loader, steps=7, stop=4)
    torch.manual_seed(99)  # other draws in between must not matter
    optimizer, pace = build(resumed, lr=0.1), FixedSteps(7)
    start = restore(state, {"model": resumed, "optimizer": optimizer, "pace": pace})
    update = Update(loss=cross_entropy, optimizer=optimizer, schedule=one_cycle())
    for _ in train(resumed, loader, update=update, runtime=Runtime(), pace=pace, start=start):
        pass
    return _distance(whole, resumed)


def half_precision() -> float:
    """Loss after some steps in bfloat16 with channels-last layout against float32: relative difference.

    >>> half_precision() <= HALF
    True
    """
    loader = MemoryLoader(*small_data(), batch_size=10)
    runtime = Runtime(autocast_dtype=torch.bfloat16, channels_last=True)
    half = _trained(small_network(norm="group"), loader, steps=6, runtime=runtime)
    full = _trained(small_network(norm="group"), loader, steps=6)
    return max(abs(a - b) / b for a, b in zip(half, full, strict=True))


def processes() -> float:
    """Two processes that share each batch against one that has it all: largest difference of a weight."""
    loader = MemoryLoader(*small_data(), batch_size=8)
    one = small_network(norm="group")
    _trained(one, loader, steps=5, accumulate=2, clip_norm=0.5)
    first, second = two_processes()
    return max(_largest(first, dict(one.named_parameters())), _largest(first, second))


def _trained(model: nn.Module, loader: MemoryLoader, *, steps: int, **settings: Any) -> list[float]:
    runtime = settings.pop("runtime", Runtime())
    update = Update(loss=cross_entropy, optimizer=build(model, lr=0.1), **settings)
    return [float(step.loss) for step in train(model, loader, update=update, runtime=runtime, pace=FixedSteps(steps))]


def _interrupted(model: nn.Module, loader: MemoryLoader, *, steps: int, stop: int) -> dict[str, Any]:
    optimizer, pace = build(model, lr=0.1), FixedSteps(steps)
    update = Update(loss=cross_entropy, optimizer=optimizer, schedule=one_cycle())
    for step in train(model, loader, update=update, runtime=Runtime(), pace=pace):
        if step.number == stop:
            break
    else:
        raise AssertionError(f"The run ended before step {stop}.")
    return capture(step.position, {"model": model, "optimizer": optimizer, "pace": pace})


def _distance(one: nn.Module, other: nn.Module) -> float:
    return _largest(one.state_dict(), other.state_dict())


def _largest(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name].detach().double() - other[name].detach().double()).abs().max()) for name in one)


PROMISES: tuple[Promise, ...] = (
    Promise(name="the loop equals a hand-written one", measure=loop_by_hand, allowed=ROUNDING),
    Promise(name="accumulated batches equal one big batch", measure=accumulation, allowed=ROUNDING),
    Promise(name="a resumed run equals an uninterrupted one", measure=resuming, allowed=0.0),
    Promise(name="bfloat16 stays close to float32", measure=half_precision, allowed=HALF),
    Promise(name="two processes equal one", measure=processes, allowed=ROUNDING),
)
