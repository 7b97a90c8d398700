"""Rules about the first steps of learning, and the evidence that they judge. Reaches no tensor."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite, sqrt

import numpy as np

from epochal.findings import Observation, Severity, rule
from epochal.stats.intervals import mean_interval, p_of_mean_above_zero

# Chance of calling noise a signal, at one look; up to ten looks are taken. Of 60 trials on noise or shuffled labels
# none passed, of 40 on digits and CIFAR-10 all did (benchmarks/healthy/learning.md).
CHANCE = 1e-4
# Share staked on the seeing network, the rest on the blind one, when the two are compared. A network that is far too
# sure of itself, as a linear one on raw pixels soon is, may be right twice as often as chance and still lose on loss
# alone; a small stake counts what it knows and bounds what its boldness costs.
STAKE = 0.1
# Mean gain of the stake, in nats for all of it, below which a difference is rounding, however certain.
TRIFLE = 0.005
# A gain below this share of the blind loss, for certain, counts as none.
WORTHLESS = 0.02
# Steps before which nothing is called unlearnable. Classes show after 8 to 16 (benchmarks/healthy/learning.md), the
# positions of needles on photographs not yet after 12.
ENOUGH = 64
# Spread of the logits from image to image, as a share of their spread over classes: below it the output is constant.
DEAF = 1e-3
# How much of the way from the first to the lowest reachable loss must be covered on one batch. Healthy networks cover
# 0.97 and more when they stop; softmax applied twice covers at most 0.37 (benchmarks/healthy/learning.md).
COVERED = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class InputDependence:
    """The same network trained the same few steps, once on images and once blind, on zeros; judged on other samples.

    `gain` is blind loss less seeing loss, for each held-out sample: above 0 where seeing helped.

    Units: nats.
    """

    gain: tuple[float, ...]
    blind_loss: float
    answer_spread: float  # of the logits from image to image, relative to their spread over classes
    steps: int
    seconds: float
    ended: str  # "signal", "steps" or "time": what ended the trial


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFit:
    """A few samples trained on until they are known by heart, or the steps or the time are used up.

    Where equal images carry different labels no network can know them all: `floor` is the lowest loss that remains
    reachable, `reachable` the share that can still be right.

    Units: nats per sample.
    """

    samples: int
    first: float
    last: float
    floor: float
    right: float
    reachable: float
    steps: int
    seconds: float
    ended: str  # "fitted", "steps", "time" or "broken"
    says_probabilities: bool  # the outputs lie in 0 to 1 and add up to 1, as after a softmax
    moved: bool  # whether any weight changed


@rule("input-ignored", code="EP301", severity=Severity.ERROR, tips=["K2.7"])
def input_ignored(trial: InputDependence) -> Iterator[Observation]:
    """The network gives every image the same answer, even after training on images.

    It can only have learnt the class shares. The input is lost on the way: zeroed, detached, cropped to nothing,
    divided by a huge number, or replaced by another variable. Draw the batch as the first layer gets it.
    """
    if trial.answer_spread < DEAF:
        yield Observation(
            "the network",
            f"its answers differ by {trial.answer_spread:.1g} from image to image, relative to class to class",
            expected=f"{DEAF} or more.",
            remedy="follow the input through the network; look for zeros, detach, and a wrong variable.",
        )


@rule("no-learnable-signal", code="EP302", severity=Severity.ERROR, tips=["K2.7"])
def no_learnable_signal(trial: InputDependence) -> Iterator[Observation]:
    """Seeing the images brings nothing on samples that were not trained on, compared with zeros in their place.

    Either the images do not show what the labels say, or labels and images have been shuffled apart, or the few
    steps of this trial were too few. Training loss cannot tell: noise can be learnt by heart. Look at twenty
    samples with their labels. If the pairing is right and a person can tell the classes, the trial was too short:
    then this is a note.
    """
    gains = np.array(trial.gain)
    if trial.answer_spread < DEAF or len(gains) < 2 or sees(gains, answer_spread=trial.answer_spread):
        return
    gain = mean_interval(gains, confidence=0.99)
    decided = gain.high < WORTHLESS * trial.blind_loss and trial.steps >= ENOUGH
    yield Observation(
        "held-out samples",
        f"seeing gains {gain.value:.3f} nats ({gain.low:.3f} to {gain.high:.3f}) over a blind loss of "
        f"{trial.blind_loss:.3f}, on {len(trial.gain)} samples after {trial.steps} steps",
        expected="a gain beyond chance.",
        remedy="look at twenty samples with their labels; if they are right, allow the check more time.",
        cause="labels unrelated to the images" if decided else "too few steps to tell",
        severity=None if decided else Severity.NOTE,
    )


@rule("batch-not-learnt", code="EP310", severity=Severity.ERROR, tips=["K2.8"])
def batch_not_learnt(trial: BatchFit) -> Iterator[Observation]:
    """A handful of samples cannot be learnt by heart, which any sound network does in a few dozen steps.

    If not even these, then nothing: a softmax before a loss that has one already, labels that do not belong to the
    images, weights that get no gradient, an activation that is dead, inputs of a scale that drowns everything.
    Samples with equal pixels and different labels are allowed for. A trial that its time ended is a note.
    """
    way = trial.first - trial.floor
    covered = (trial.first - trial.last) / way if way > 0 else 1.0
    if not isfinite(trial.last):
        yield _unlearnt(trial, cause="the loss is NaN or infinite")
    elif trial.right < trial.reachable - 1e-9 or (covered < COVERED and trial.ended != "fitted"):
        short = trial.ended == "time" and trial.moved and not trial.says_probabilities
        yield _unlearnt(trial, cause=_cause(trial, short=short), severity=Severity.NOTE if short else None)


def has_signal(gain: np.ndarray) -> bool:
    """Whether seeing helped beyond chance, by a one-sided paired t-test over held-out samples.

    What is tested is the gain of a small stake on the seeing network, `log(1 - s + s exp(gain))`: on labels that have
    nothing to do with the images no stake gains on average, however bold the network.

    >>> has_signal(np.array([0.5, 0.4, 0.6, 0.5] * 5)), has_signal(np.array([0.5, -0.9] * 10))
    (True, False)
    """
    if not np.isfinite(gain).all():
        return False
    staked = np.logaddexp(np.log1p(-STAKE), np.log(STAKE) + gain)
    return bool(staked.mean() > STAKE * TRIFLE) and p_of_mean_above_zero(staked) < CHANCE


def sees(gain: np.ndarray, *, answer_spread: float) -> bool:
    """Whether a network sees: its answers differ from image to image, and that helps.

    >>> sees(np.full(9, 0.5), answer_spread=0.0)  # a better constant is no sight
    False
    """
    return answer_spread >= DEAF and has_signal(gain)


def _cause(trial: BatchFit, *, short: bool) -> str:
    if not trial.moved:
        return "no weight changes: no gradient arrives, or the optimiser has none of the weights"
    if trial.says_probabilities:
        return "the network ends in a softmax, and the loss applies another"
    return "its time ended first" if short else "wiring, scale, or labels"


def _unlearnt(trial: BatchFit, *, cause: str, severity: Severity | None = None) -> Observation:
    return Observation(
        f"a batch of {trial.samples}",
        f"loss {trial.last:.3f} after {trial.steps} steps, from {trial.first:.3f}; {trial.right:.0%} right",
        expected=f"near {trial.floor:.3f}, with {trial.reachable:.0%} right.",
        remedy="hand raw logits to the loss, draw the batch with its labels, and look where the gradient ends.",
        cause=cause,
        severity=severity,
    )


def _gains(mean: float, *, spread: float = 1.0, n: int = 200) -> tuple[float, ...]:
    """So many gains, evenly around a mean, with a spread as held-out losses have it."""
    return tuple(mean + sqrt(3) * spread * (2 * (row + 0.5) / n - 1) for row in range(n))


_SEES = InputDependence(gain=_gains(0.6), blind_loss=2.3, answer_spread=0.8, steps=64, seconds=1.0, ended="signal")
_FITS = BatchFit(
    samples=8, first=2.4, last=0.02, floor=0.0, right=1.0, reachable=1.0, steps=40, seconds=0.5, ended="fitted",
    says_probabilities=False, moved=True,
)  # fmt: skip

input_ignored.fires_on("constant answers", lambda: replace(_SEES, gain=_gains(-0.6), answer_spread=0.0)).silent_on(
    "a gain", lambda: _SEES
).silent_on("answers that differ and do not help", lambda: replace(_SEES, gain=_gains(-0.6)))
no_learnable_signal.fires_on("learnt by heart", lambda: replace(_SEES, gain=_gains(-0.5), ended="steps")).fires_on(
    "too little to tell", lambda: replace(_SEES, gain=_gains(-0.1, spread=0.5, n=60), ended="time")
).silent_on("a gain", lambda: _SEES).silent_on(
    "constant answers, which have a rule of their own", lambda: replace(_SEES, gain=_gains(-0.6), answer_spread=0.0)
)
batch_not_learnt.fires_on(
    "softmax twice", lambda: replace(_FITS, last=1.47, ended="steps", says_probabilities=True)
).fires_on("frozen", lambda: replace(_FITS, last=2.4, right=0.1, ended="steps", moved=False)).fires_on(
    "NaN", lambda: replace(_FITS, last=float("nan"), right=0.1, ended="broken")
).fires_on("ended by time", lambda: replace(_FITS, last=1.9, right=0.5, ended="time")).silent_on(
    "known by heart", lambda: _FITS
).silent_on(
    "two equal images with two labels",
    lambda: replace(_FITS, last=0.19, floor=0.173, right=0.875, reachable=0.875),
)

INPUT_RULES = (input_ignored, no_learnable_signal)
FIT_RULES = (batch_not_learnt,)
RULES = (*INPUT_RULES, *FIT_RULES)
