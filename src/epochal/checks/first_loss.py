"""The first loss for labels that are values, masks or several classes, beside that of an answer that does not look.

Classification has a finer measure of its own in `epochal.checks.initial_state`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite, sqrt

import torch
from torch import Tensor, nn

from epochal.checks.experiments import Loss
from epochal.checks.isolation import untouched
from epochal.findings import Observation, Severity, rule

# What sampling alone does to a mean, in standard errors: 4 is 1 in 16,000.
SURE = 4.0
# An untrained network may cost this share more than the constant answer: healthy ones measure up to 0.11, heads ten
# times too large 0.03 to 8.9, of which those below do little harm (benchmarks/healthy/first_loss.md).
TOO_HIGH = 0.25
# Below the constant answer nothing honest measures by more than sampling and rounding.
TOO_LOW = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLoss:
    """The mean loss of an untrained network on a batch, and that of the best constant answer on the same samples.

    `expected` is what the task promises of the constant answer on the whole training split.

    Units: those of the loss.
    """

    samples: int
    measured: float
    constant: float
    constant_error: float  # standard error of `constant`
    excess_error: float  # standard error of the difference of the two, sample by sample
    expected: float


def first_loss(
    model: nn.Module, images: Tensor, *, labels: Tensor, loss: Loss, constant: Tensor, expected: float
) -> FirstLoss:
    """Measure the first loss of `model` on a batch, in training mode, as the first step will see it (tips K2.4, K2.5).

    `loss` gives one value per sample, `constant` is the answer that does not look, as outputs for one sample.
    Shapes: images (n, ...) as the network gets them; constant (outputs,).

    >>> squared = lambda outputs, values: ((outputs - values) ** 2).mean(1)
    >>> seen = first_loss(nn.Linear(3, 1), torch.zeros(4, 3), labels=torch.ones(4, 1), loss=squared,
    ...                   constant=torch.ones(1), expected=0.0)
    >>> seen.constant, seen.samples
    (0.0, 4)
    """
    with untouched(model), torch.no_grad():
        outputs = model.train()(images).float()
        own = loss(outputs, labels).double()
        blind = constant.to(outputs).view(1, -1, *[1] * (outputs.ndim - 2)).expand_as(outputs)
        known = loss(blind, labels).double()
    return FirstLoss(
        samples=len(own),
        measured=float(own.mean()),
        constant=float(known.mean()),
        constant_error=_standard_error(known),
        excess_error=_standard_error(own - known),
        expected=expected,
    )


def _standard_error(values: Tensor) -> float:
    return float(values.std()) / sqrt(len(values)) if len(values) > 1 else 0.0


@rule("first-loss-off", code="EP212", severity=Severity.WARN, tips=["K2.4", "K2.5"])
def first_loss_off(loss: FirstLoss) -> Iterator[Observation]:
    """The first loss is not what a network should have that has not looked yet.

    Before any step the best answer is a constant: the mean of the targets, the shares of the classes. Much above it,
    the last layer begins too wide or without its bias, or the targets are not scaled. Below it, the network knows
    what it cannot know. And where the constant itself costs other than promised, the loss is summed or averaged over
    the wrong axis.
    """
    excess = loss.measured - loss.constant
    luck = loss.constant - loss.expected
    if not isfinite(loss.measured):
        yield _off(loss, cause="NaN or infinity on the way from input to loss", severity=Severity.STOP)
    elif abs(luck) > SURE * loss.constant_error + TOO_LOW * abs(loss.expected):
        yield _off(
            loss, cause=f"even the constant answer costs {loss.constant:.3g}: summed, or averaged over another axis"
        )
    elif excess > SURE * loss.excess_error + TOO_HIGH * abs(loss.expected):
        yield _off(loss, cause="the last layer begins too large, or without what is known of the targets")
    elif excess < -(SURE * loss.excess_error + TOO_LOW * abs(loss.expected)):
        yield _off(loss, cause="labels leak into the input")


def _off(loss: FirstLoss, *, cause: str, severity: Severity | None = None) -> Observation:
    return Observation(
        "the first loss",
        f"{loss.measured:.3g} on {loss.samples} samples",
        expected=f"about {loss.expected:.3g}, which the best constant answer costs.",
        remedy="scale inputs and targets, begin the last layer small, and average the loss over samples.",
        cause=cause,
        severity=severity,
    )


_GOOD = FirstLoss(
    samples=64, measured=0.55, constant=0.48, constant_error=0.04, excess_error=0.01, expected=0.5
)  # fmt: skip

first_loss_off.fires_on("a head ten times too large", lambda: replace(_GOOD, measured=4.1, excess_error=0.4)).fires_on(
    "summed", lambda: replace(_GOOD, measured=35.0, constant=32.0, constant_error=2.5)
).fires_on("NaN", lambda: replace(_GOOD, measured=float("nan"))).fires_on(
    "knows too much", lambda: replace(_GOOD, measured=0.1)
).silent_on("random outputs of usual size", lambda: _GOOD).silent_on(
    "an unlucky batch", lambda: replace(_GOOD, samples=8, constant=0.8, measured=0.85, constant_error=0.2)
)

RULES = (first_loss_off,)
