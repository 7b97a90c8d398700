"""The first steps of a program with its own optimizer, on one batch again and again: too long, too short, or well."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

import torch

from epochal.checks.isolation import same_dice
from epochal.checks.program import Program, Rows
from epochal.checks.trials import RATE
from epochal.findings import Observation, Severity, rule

# Chosen, not measured: healthy programs cover a tenth and more of the loss of one batch in so many steps.
STEPS = 60
DIVERGED = 3.0  # the last loss over the first
IDLE = 0.02  # share of the first loss that the program's own steps take away
LEARNT = 0.5  # and that Adam takes away in as many


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSteps:
    """Losses on one batch under the program's own optimizer, beside those under an Adam of 3e-3 in as many steps."""

    steps: int
    first: float
    last: float
    lowest: float
    reference: float  # the last loss under Adam
    lr: float
    optimizer: str


def take_own_steps(program: Program, rows: Rows, *, seconds: float) -> OwnSteps:
    """Train a copy of the program on one batch with its own optimizer, and another copy with Adam.

    Dropout is off, so that the loss tells of the steps alone.

    >>> model = torch.nn.Linear(2, 1)
    >>> parts = Program(model=model, loss=torch.nn.MSELoss(), optimizer=torch.optim.SGD(model.parameters(), lr=1e9))
    >>> wild = take_own_steps(parts, Rows(inputs=torch.ones(4, 2), target=torch.ones(4, 1)), seconds=9.0)
    >>> wild.last > 3 * wild.first
    True
    """
    own, other = program.twin(), program.twin()
    assert own.optimizer is not None and other.model is not None, "who asks has looked"  # noqa: PT018
    trainable = [each for each in other.model.parameters() if each.requires_grad]
    with same_dice():
        losses = _trained(own, rows, optimizer=own.optimizer, seconds=seconds / 2)
        adam = torch.optim.Adam(trainable, lr=RATE)
        reference = _trained(other, rows, optimizer=adam, seconds=seconds / 2)
    steps = min(len(losses), len(reference)) - 1
    return OwnSteps(
        steps=steps,
        first=losses[0],
        last=losses[-1],
        lowest=min((each for each in losses[: steps + 1] if isfinite(each)), default=losses[0]),
        reference=reference[steps],
        lr=max(float(group["lr"]) for group in own.optimizer.param_groups),
        optimizer=type(own.optimizer).__name__,
    )


def _trained(program: Program, rows: Rows, *, optimizer: torch.optim.Optimizer, seconds: float) -> list[float]:
    """The loss before each step and after the last; the optimizer steps by its class, past whatever wraps it."""
    assert program.model is not None, "who asks has looked"
    program.model.train()
    for layer in program.model.modules():
        if "Dropout" in type(layer).__name__:
            layer.eval()
    began, losses = time.perf_counter(), []
    with torch.enable_grad():
        while True:
            value = program.cost(program.answer(rows), rows.target).mean()
            losses.append(float(value.detach()))
            late = time.perf_counter() - began > seconds
            if len(losses) > STEPS or late or not isfinite(losses[-1]):
                return losses
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            type(optimizer).step(optimizer)


@rule("steps-too-long", code="EP280", severity=Severity.ERROR, tips=["W7.1", "S9"])
def steps_too_long(seen: OwnSteps) -> Iterator[Observation]:
    """The program's own steps carry the loss of a single batch away, above where it began.

    On one batch every step goes downhill, if it is short enough; the noise of batches is no excuse here. The learning
    rate is too high for inputs, targets and loss of this scale, a sum stands where a mean was meant, or the sign of the
    loss is wrong.
    """
    if seen.steps > 0 and not seen.last < DIVERGED * max(seen.first, seen.lowest):
        yield Observation(
            "the optimizer",
            f"{seen.optimizer} with lr {seen.lr:.3g} took the loss of a batch from {seen.first:.3g} to {seen.last:.3g}",
            expected="a falling loss.",
            remedy=f"scale inputs and targets; then a rate of {seen.lr / 10:.1g} and less.",
            cause="learning rate too high",
        )


@rule("steps-too-short", code="EP281", severity=Severity.WARN, tips=["W7.1", "L5"])
def steps_too_short(seen: OwnSteps) -> Iterator[Observation]:
    """The program's own steps hardly change the loss of one batch, where those of Adam more than halve it.

    The batch can be learnt from, so it is the step that is too short: the learning rate is too low, or was meant for
    another optimizer or for a sum.
    """
    if seen.steps < STEPS or seen.first <= 0 or not isfinite(seen.last):
        return
    own, adam = 1 - seen.lowest / seen.first, 1 - seen.reference / seen.first
    if own < IDLE and adam > LEARNT:
        yield Observation(
            "the optimizer",
            f"{seen.optimizer} with lr {seen.lr:.3g} took {own:.1%} off the loss of one batch in {seen.steps} steps, "
            f"Adam with {RATE} took {adam:.0%}",
            expected=f"{IDLE:.0%} or more.",
            remedy="a rate ten to a hundred times higher; find it by a range test.",
            cause="learning rate too low",
        )


_GOOD = OwnSteps(steps=60, first=2.3, last=0.4, lowest=0.4, reference=0.05, lr=0.01, optimizer="SGD")

steps_too_long.fires_on("away", lambda: replace(_GOOD, last=80.0, lowest=2.0)).fires_on(
    "NaN", lambda: replace(_GOOD, steps=4, last=float("nan"))
).silent_on("falling", lambda: _GOOD).silent_on("restless", lambda: replace(_GOOD, last=3.0))
steps_too_short.fires_on("idle", lambda: replace(_GOOD, last=2.29, lowest=2.29)).silent_on("falling", lambda: _GOOD)
steps_too_short.silent_on("nothing to learn", lambda: replace(_GOOD, last=2.29, lowest=2.29, reference=2.2))

RULES = (steps_too_long, steps_too_short)
