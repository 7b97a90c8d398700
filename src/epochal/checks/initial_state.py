"""Rules about the program before its first step, and the evidence that they judge. Reaches no tensor."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

from epochal.checks.listing import named
from epochal.findings import Observation, Severity, rule

# What sampling alone does to the mean loss of a batch, in standard errors: 4 is 1 in 16,000.
SURE = 4.0
# Random logits cost half their variance: as a share of the expected loss, healthy networks (linear, small, ResNet; two
# to ten classes; 8 seeds each) measure up to 0.10 above it. On ten equal classes a head ten times too large measures
# 0.16 to 1.7, one five times too large 0.04 to 0.57 (benchmarks/healthy/start.md).
TOO_HIGH = 0.12
# Below the expected loss nothing honest measures by more than sampling; the rest is float32.
TOO_LOW = 0.02
# Nats to be gained from knowing the class shares, below which it is not worth a word: 1.6 to 1 with two classes.
GAIN = 0.05
# The part of that gain that is still to be had. With the shares in the bias healthy networks measure 0 to 0.43, without
# them 0.53 to 1, and in the smallest network on two classes 0.17 to 1 (the same table).
UNKNOWN = 0.45
# Gradient that reaches another sample, as a share of that on the sample's own input: rounding at most.
LEAK = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class InitialLoss:
    """The loss of an untrained network beside what it should be.

    `expected` is that of a network that knows the class shares and nothing else, `even` of one that does not even
    know those.  `misfit` is what the network's average answer costs beyond the class shares.  `label_luck` is what the
    labels of this batch add to what its images would cost with labels drawn from the class shares: rare classes
    come in small numbers, and each costs much.

    Units: nats per sample.
    """

    samples: int
    measured: float
    label_luck: float
    standard_error: float  # of the mean over the images, without the luck of the labels
    expected: float
    even: float
    misfit: float
    logit_spread: float  # standard deviation of the logits within a sample, root mean square
    summed: bool  # the loss adds its samples up instead of averaging them


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependence:
    """Which inputs the output of one sample depends on, for a few samples.

    Rows are the samples asked, columns all inputs of the batch: the largest gradient, absolute.
    """

    asked: tuple[int, ...]
    reach: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """Two runs from the same seed, compared to the last bit."""

    compared: int  # numbers
    unequal: tuple[str, ...]  # names of what differs, in the order given
    largest_gap: float
    start_differs: bool  # what differs did so before the first step


@rule("initial-loss-off", code="EP210", severity=Severity.WARN, tips=["K2.4"])
def initial_loss_off(loss: InitialLoss) -> Iterator[Observation]:
    """The first loss is not what an ignorant network should have, so something between input and loss is wrong.

    Before any step a classifier knows at best the class shares, and its loss is their entropy: `log c` for c equal
    classes. Much above it, the logits are too large: the last layer begins too wide, a normalisation is missing, or
    inputs are not scaled. Below it, the network knows what it cannot know, or the loss averages over the wrong
    axis. The luck of the batch's labels is taken out; the tolerance is four standard errors over its images plus the
    cost of healthy random logits.
    """
    excess = loss.measured - loss.label_luck - loss.expected
    noise = SURE * loss.standard_error
    if not isfinite(loss.measured):
        yield _off(loss, cause="NaN or infinity on the way from input to loss", severity=Severity.STOP)
    elif loss.summed:
        yield _off(loss, cause=f"the loss is summed over the {loss.samples} samples, not averaged")
    elif excess > noise + _allowance(loss):
        yield _off(loss, cause=f"logits spread over {loss.logit_spread:.2g}: the last layer begins too large")
    elif excess < -(noise + TOO_LOW * loss.expected):
        yield _off(loss, cause="labels leak into the input, or the loss is averaged over the wrong axis")


@rule("prior-not-in-bias", code="EP211", severity=Severity.NOTE, tips=["K2.5"])
def prior_not_in_bias(loss: InitialLoss) -> Iterator[Observation]:
    """The untrained network answers with other class shares than the data have.

    The first epochs then go into learning the shares, which are known beforehand, and the loss curve begins with a
    steep drop that means nothing. Set the bias of the last layer to the logarithm of the class shares.
    """
    if _shares_unknown(loss):
        gain = loss.even - loss.expected
        yield Observation(
            "the last layer",
            f"its average answer costs {loss.misfit:.2f} nats more than the class shares, even answers {gain:.2f} more",
            expected="an average answer that is the class shares.",
            remedy="set its bias to the logarithm of the class shares.",
        )


@rule("not-repeatable", code="EP220", severity=Severity.WARN, tips=["K2.1"])
def not_repeatable(runs: Repeat) -> Iterator[Observation]:
    """Two runs from one seed differ, so no later comparison can tell a change from luck.

    If the weights differ before the first step, they are made before the seed is set. If they part later, batches
    come in another order, augmentation draws from an unseeded generator, a worker process has its own, or an
    operation on the GPU adds in changing order.
    """
    if runs.unequal:
        yield Observation(
            named(runs.unequal),
            f"{len(runs.unequal)} of the compared values differ, by up to {runs.largest_gap:.2g}",
            expected="the same bits.",
            remedy="set the seed before the model is built."
            if runs.start_differs
            else "seed the order of batches, the augmentation and the workers; ask torch for deterministic algorithms.",
            cause="the start differs" if runs.start_differs else "the runs part after the start",
        )


@rule("samples-mixed", code="EP230", severity=Severity.ERROR, tips=["K2.12"])
def samples_mixed(seen: Dependence) -> Iterator[Observation]:
    """The output for one sample depends on another sample of the batch.

    Usually `view` or `reshape` where `permute` was meant, or a softmax or mean over the batch axis. The network
    trains all the same, for it learns to live with the disturbance, and it predicts differently in other company.
    Measured in evaluation mode, where batch normalisation does not mix; in training mode it does so by design.
    """
    for sample, reach in zip(seen.asked, seen.reach, strict=True):
        strangers = [value for place, value in enumerate(reach) if place != sample]
        if strangers and max(strangers) > LEAK * max(reach):
            yield Observation(
                f"sample {sample}",
                f"its output has a gradient of {max(strangers):.2g} on another sample, {reach[sample]:.2g} on its own",
                expected="0 on all others.",
                remedy="look for view, reshape, softmax, mean or norm over the first axis.",
            )


@rule("input-unreached", code="EP231", severity=Severity.ERROR, tips=["K2.12", "S12"])
def input_unreached(seen: Dependence) -> Iterator[Observation]:
    """No gradient comes back from the output to the input: nothing of the image reaches the prediction.

    A `detach` or `no_grad` on the way, an output computed from something else, or units that are dead from the
    start: all-zero weights in the middle, or an input so negative that no ReLU opens.
    """
    own = [reach[sample] for sample, reach in zip(seen.asked, seen.reach, strict=True)]
    if own and (not all(isfinite(value) for value in own) or max(own) == 0):
        yield Observation(
            "the network",
            f"gradients on the inputs: {', '.join(f'{value:.2g}' for value in own)}",
            expected="above 0, and finite.",
            remedy="look for detach, no_grad, a layer of zeros, or an input of odd scale.",
        )


def _shares_unknown(loss: InitialLoss) -> bool:
    gain = loss.even - loss.expected
    return gain > GAIN and isfinite(loss.misfit) and loss.misfit > UNKNOWN * gain


def _allowance(loss: InitialLoss) -> float:
    """What random logits may cost.

    Without the shares in the bias (EP211 says so) even answers are what to expect, and chance decides whether a random
    head favours the common classes or the rare ones, which may cost as much again.
    """
    if _shares_unknown(loss):
        return TOO_HIGH * loss.even + 2 * (loss.even - loss.expected)
    return TOO_HIGH * loss.expected


def _off(loss: InitialLoss, *, cause: str, severity: Severity | None = None) -> Observation:
    return Observation(
        "the first loss",
        f"{loss.measured:.3f} nats on {loss.samples} samples",
        expected=f"{loss.expected:.3f}, sure to within {SURE * loss.standard_error:.3f}.",
        remedy="scale the inputs, shrink the last layer's initial weights, and average the loss over samples.",
        cause=cause,
        severity=severity,
    )


_GOOD = InitialLoss(
    samples=256, measured=2.36, label_luck=0.01, standard_error=0.002, expected=2.303, even=2.303, misfit=0.01,
    logit_spread=0.3, summed=False,
)  # fmt: skip
_RARE = replace(_GOOD, measured=2.34, expected=0.50, misfit=1.81)
_APART = Dependence(asked=(0, 1), reach=((0.4, 0.0, 0.0), (0.0, 0.3, 0.0)))
_EQUAL = Repeat(compared=1000, unequal=(), largest_gap=0.0, start_differs=False)

initial_loss_off.fires_on("logits too large", lambda: replace(_GOOD, measured=5.1, logit_spread=4.0)).fires_on(
    "summed", lambda: replace(_GOOD, measured=590.0, summed=True)
).fires_on("averaged over classes too", lambda: replace(_GOOD, measured=0.23)).fires_on(
    "NaN", lambda: replace(_GOOD, measured=float("nan"), misfit=float("nan"))
).silent_on("random logits of usual size", lambda: _GOOD).silent_on(
    "a batch of rare classes", lambda: replace(_GOOD, samples=16, measured=3.3, label_luck=0.9)
).silent_on("a missing prior, which has a rule of its own", lambda: _RARE)
prior_not_in_bias.fires_on("rare classes, even answers", lambda: _RARE).silent_on("balanced", lambda: _GOOD).silent_on(
    "a skewed answer on balanced classes", lambda: replace(_GOOD, misfit=0.8)
).silent_on("shares in the bias", lambda: replace(_RARE, misfit=0.01, measured=0.52)).silent_on(
    "NaN, which has a rule of its own", lambda: replace(_GOOD, misfit=float("nan"))
)
not_repeatable.fires_on(
    "unseeded start", lambda: replace(_EQUAL, unequal=("start.weight", "weight"), largest_gap=0.4, start_differs=True)
).fires_on("another order", lambda: replace(_EQUAL, unequal=("loss.1",), largest_gap=1e-7)).silent_on(
    "the same bits", lambda: _EQUAL
)
samples_mixed.fires_on("a neighbour", lambda: replace(_APART, reach=((0.4, 0.1, 0.0), (0.0, 0.3, 0.0)))).silent_on(
    "each its own", lambda: _APART
).silent_on("rounding", lambda: replace(_APART, reach=((0.4, 1e-9, 0.0), (0.0, 0.3, 0.0))))
input_unreached.fires_on("detached", lambda: replace(_APART, reach=((0.0,) * 3, (0.0,) * 3))).fires_on(
    "NaN", lambda: replace(_APART, reach=((float("nan"),) * 3, (0.1,) * 3))
).silent_on("one dead sample", lambda: replace(_APART, reach=((0.0,) * 3, (0.0, 0.3, 0.0)))).silent_on(
    "each its own", lambda: _APART
)

LOSS_RULES = (initial_loss_off, prior_not_in_bias)
REPEAT_RULES = (not_repeatable,)
DEPENDENCE_RULES = (samples_mixed, input_unreached)
RULES = (*LOSS_RULES, *REPEAT_RULES, *DEPENDENCE_RULES)
