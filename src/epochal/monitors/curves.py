"""Rules over the curves of a run, while it runs or afterwards (tips W7.1 and W7.3).

They read the series `loss` (training, one value per step), `lr` (one per step, or none) and `val_loss` (one per look at
held-out samples, or none).  A curve is compared with itself: with where it began, and with its own noise.
"""

from collections.abc import Iterator, Sequence
from math import inf, isfinite, sqrt

import numpy as np
from jaxtyping import Float64

from epochal.findings import Observation, Severity, rule
from epochal.history import History
from epochal.stats.curves import slope

# All figures on curves: 36 runs on digits and CIFAR-10, rates from a hundredth to 300 times the usual, Adam and SGD,
# constant and one-cycle, real and shuffled labels (benchmarks/healthy/curves.md).

# Steps, after the rate has stopped rising, below which a curve has no shape yet ...
ENOUGH = 100
# ... and looks at held-out samples, or steps where there are none: on hard problems the first hundred steps are slow.
LOOKS, STEPS = 3, 1000
# The last ten steps over the first ten. Healthy runs stay below 1.05; lost ones pass 5 on the way to 1e14.
LOST, RISEN = 5.0, 2.0
# The highest mean of five steps over the first. At usual rates runs measure at most 1.03, leaping ones 1.43 and more.
LEAP = 1.2
# And that leap in standard errors of five steps, for the noise of small batches and rare classes.
SURE = 6.0
# Share of the first loss by which it must have fallen. Healthy runs end 19 % lower or more; at a hundredth of the
# usual rate 0 to 10 %; with shuffled labels 3 to 4 %.
FLAT, SLOW = 0.02, 0.12
# The second half's fall over the first half's: a straight line has 1, a curve that bends has less.
STRAIGHT = 0.5
# Rise of the held-out loss over its lowest that is worth a word, and the looks since then that show it is no accident.
# With label smoothing a sound run drifts by 4 % while its accuracy stays; 320 samples learnt by heart measure 10 %.
WORSE, LOOKS_SINCE = 0.07, 5


@rule("diverging-loss", code="EP401", severity=Severity.STOP, tips=["W7.1"])
def diverging_loss(history: History) -> Iterator[Observation]:
    """Steps longer than the valley is wide carry the loss far above where it began, or to infinity.

    Nothing learnt so far survives it, and more steps do not bring it back. The learning rate is too high for this
    network, batch size and scale of inputs: divide it by ten, or warm it up for longer. NaN without a rise before it
    comes from an operation: a division by zero, a logarithm of zero, half precision that ran over.
    """
    loss = _series(history, "loss")
    if len(loss) >= 3 and not np.isfinite(loss[-3:]).any():
        before = loss[np.isfinite(loss)]
        calm = len(before) == 0 or before[-10:].mean() < RISEN * before[:10].mean()
        yield Observation(
            f"step {_first_broken(history)}",
            "the loss is NaN or infinite",
            expected="a finite loss.",
            remedy="look at the step before: a division, a logarithm, half precision."
            if calm
            else "divide the learning rate by 10, or warm it up for longer.",
            cause="an operation" if calm else "learning rate too high",
        )
    elif len(loss) >= 2 * 10 and np.isfinite(loss).all():
        start, now = float(loss[:10].mean()), float(loss[-10:].mean())
        if now > RISEN * start and now - start > SURE * _noise(loss) * sqrt(2 / 10):
            yield Observation(
                f"step {history.steps('loss')[-1]}",
                f"loss {now:.3g}, from {start:.3g}",
                expected="below where it began.",
                remedy="divide the learning rate by 10, or warm it up for longer.",
                cause="learning rate too high",
                severity=None if now > LOST * start else Severity.WARN,
            )


@rule("flat-loss", code="EP402", severity=Severity.WARN, tips=["W7.1"])
def flat_loss(history: History) -> Iterator[Observation]:
    """The loss has not moved from where it began: nothing is being learnt.

    If it leapt at first and then stayed, the learning rate is far too high: the first steps destroyed the network and
    no gradient leads back. If it never moved, the rate is far too low, no gradient arrives, or the labels have
    nothing to do with the images: the check on learnable signal tells these apart.
    """
    loss = _series(history, "loss")
    if not _has_shape(history) or not np.isfinite(loss).all() or list(diverging_loss(history)):
        return
    start, now = _ends(loss)
    if now > (1 - FLAT) * start:
        leapt = bool(list(rate_too_high(history)))
        yield Observation(
            f"{len(loss):,} steps",
            f"loss {now:.3g}, from {start:.3g}",
            expected=f"a fall of {FLAT:.0%} or more.",
            remedy="divide the learning rate by 30."
            if leapt
            else "multiply the learning rate by 30; look at the labels.",
            cause="learning rate far too high" if leapt else "rate far too low, no gradient, or no signal",
        )


@rule("rate-too-high", code="EP403", severity=Severity.WARN, tips=["W7.1", "S9"])
def rate_too_high(history: History) -> Iterator[Observation]:
    """The loss leapt above where it began, and came back: the first steps were too long.

    What the initial weights were chosen for is lost, and training starts again from a worse place. It often ends a
    little below what it could reach. Divide the learning rate by three, or give it a longer warm-up.
    """
    loss = _series(history, "loss")
    if len(loss) < ENOUGH or not np.isfinite(loss).all() or list(diverging_loss(history)):
        return
    fives = np.convolve(loss, np.full(5, 0.2), mode="valid")
    highest, start = float(fives.max()), float(loss[0])
    if highest > LEAP * start and highest - start > SURE * _noise(loss) * sqrt(1 / 5 + 1):
        where = history.steps("loss")[int(fives.argmax()) + 4]
        yield Observation(
            f"step {where}",
            f"loss {highest:.3g}, from {start:.3g}",
            expected="no leap above the start.",
            remedy="divide the learning rate by 3, or warm it up for longer.",
            cause="learning rate too high at that step",
        )


@rule("rate-too-low", code="EP404", severity=Severity.NOTE, tips=["W7.1", "L5"])
def rate_too_low(history: History) -> Iterator[Observation]:
    """The loss falls slowly and along a straight line: each step is as useful as the one before.

    A good curve falls steeply at first and then bends. A straight one says that the steps are too short to get
    anywhere in the time given. Multiply the learning rate by three to ten. If labels and images have little to do with
    each other, the curve looks alike.
    """
    loss = _series(history, "loss")
    if not _has_shape(history) or not np.isfinite(loss).all() or not _rate_is_up(history):
        return
    start, now = _ends(loss)
    fall = (start - now) / start if start > 0 else inf
    eighth = max(1, len(loss) // 8)
    middle = float(loss[len(loss) // 2 - eighth // 2 : len(loss) // 2 + eighth // 2 + 1].mean())
    first, second = start - middle, middle - now
    if FLAT <= fall < SLOW and first > 0 and STRAIGHT < second / first < 1 / STRAIGHT:
        yield Observation(
            f"{len(loss):,} steps",
            f"a fall of {fall:.0%}, {first:.2g} nats in the first half and {second:.2g} in the second",
            expected="a steep fall that bends.",
            remedy="multiply the learning rate by 3 to 10.",
            cause="learning rate too low, or little to be learnt",
        )


@rule("overfitting", code="EP405", severity=Severity.NOTE, tips=["W7.3", "K4.9"])
def overfitting(history: History) -> Iterator[Observation]:
    """The loss on held-out samples rises while that on training samples still falls.

    What is learnt now is particular to the training samples. The best weights so far are kept, so nothing is lost but
    time. More data help most; then stronger augmentation, more weight decay, a smaller network, or stopping here.
    """
    held, loss = _series(history, "val_loss"), _series(history, "loss")
    if len(held) <= LOOKS_SINCE or not np.isfinite(held).all() or len(loss) < ENOUGH:
        return
    best = int(held.argmin())
    since = held[best:]
    if len(since) <= LOOKS_SINCE:
        return
    rising = slope(np.arange(len(since), dtype=np.float64), since).low > 0
    recent = float(since[-3:].mean())
    steps = np.asarray(history.steps("loss"))
    then = loss[steps <= history.steps("val_loss")[best]][-len(loss) // 10 :]
    if rising and recent > (1 + WORSE) * held[best] and len(then) and loss[-len(then) :].mean() < then.mean():
        yield Observation(
            f"since step {history.steps('val_loss')[best]}",
            f"held-out loss {recent:.3g}, lowest {held[best]:.3g}; training loss fell from {then.mean():.3g} to "
            f"{loss[-len(then) :].mean():.3g}",
            expected="both falling.",
            remedy="more data or augmentation, more weight decay, or stop at the lowest.",
        )


def _series(history: History, name: str) -> Float64[np.ndarray, " n"]:
    return np.asarray(history.values(name), dtype=np.float64)


def _first_broken(history: History) -> int:
    values = history.values("loss")
    return history.steps("loss")[next(row for row, value in enumerate(values) if not isfinite(value))]


def _noise(loss: Float64[np.ndarray, " n"]) -> float:
    """Standard deviation of one step's loss around its trend: from the median jump, which single leaps do not move."""
    jumps = np.abs(np.diff(loss))
    return float(np.median(jumps)) / 0.9539 if len(jumps) else 0.0  # of normal noise: 0.6745 times the root of 2


def _ends(loss: Float64[np.ndarray, " n"]) -> tuple[float, float]:
    """The loss at the start (the first steps, or the very first if they leapt) and now (the last tenth)."""
    start = float(loss[: max(3, len(loss) // 50)].mean())
    return (start if start < LEAP * loss[0] else float(loss[0])), float(loss[-max(3, len(loss) // 10) :].mean())


def _steps_at_rate(history: History) -> int:
    """Steps since the learning rate last rose to its highest; all steps where no rate was noted."""
    rates = _series(history, "lr")
    return len(history.values("loss")) - (int(rates.argmax()) if len(rates) else 0)


def _rate_is_up(history: History) -> bool:
    rates = history.values("lr")
    return not rates or rates[-1] >= max(rates) / 2


def _has_shape(history: History) -> bool:
    looks, steps = len(history.values("val_loss")), len(history.values("loss"))
    return _steps_at_rate(history) >= ENOUGH and (looks >= LOOKS or steps >= STEPS)


def _curve(values: Sequence[float], *, steps: int = 400, noise: float = 0.03) -> list[float]:
    """A curve through evenly spaced values, with the noise of a batch."""
    x = np.linspace(0, len(values) - 1, steps)
    drawn = np.random.default_rng(0).normal(0, noise, steps)
    return [float(value) for value in np.interp(x, np.arange(len(values)), np.asarray(values)) + drawn]


def _run(loss: Sequence[float], *, held: Sequence[float] = (2.2, 2.0, 1.8, 1.7), lr: Sequence[float] = ()) -> History:
    history = History.of(loss=loss, lr=lr or [0.1] * len(loss))
    each = max(1, len(loss) // len(held))
    for look, value in enumerate(held):
        history.append(step=(look + 1) * each - 1, val_loss=value)
    return history


_GOOD = (2.3, 1.7, 1.4, 1.2, 1.1, 1.05, 1.0)
_UP = np.linspace(1e-4, 0.1, 400).tolist()

diverging_loss.fires_on("NaN", lambda: _run([2.3, 2.2, float("nan"), float("nan"), float("nan")])).fires_on(
    "runaway", lambda: _run(_curve([2.3, 3, 80, 4000], steps=40))
).silent_on("falling", lambda: _run(_curve(_GOOD))).silent_on(
    "one step that overflowed in half precision", lambda: _run([2.3, inf, 2.2, 2.1, 2.0])
).silent_on("rare classes", lambda: _run(_curve([0.3, 0.32, 0.3], steps=40, noise=0.2)))
flat_loss.fires_on("never moved", lambda: _run(_curve([2.3, 2.3, 2.29]))).fires_on(
    "leapt and stayed", lambda: _run([2.3, *_curve([5.0, 3.5, *[2.8] * 20])])
).silent_on("falling", lambda: _run(_curve(_GOOD))).silent_on(
    "warming up", lambda: _run(_curve([2.3, 2.3, 2.29]), lr=_UP)
).silent_on("the first steps of a hard problem", lambda: _run(_curve([6.9, 6.9, 6.8], steps=120), held=(6.8,)))
rate_too_high.fires_on("a leap", lambda: _run([2.3, *_curve([6.0, *_GOOD, 1.0, 1.0, 1.0])])).silent_on(
    "falling", lambda: _run(_curve(_GOOD))
).silent_on("small batches", lambda: _run(_curve(_GOOD, noise=0.3)))
rate_too_low.fires_on("straight", lambda: _run(_curve([2.3, 2.25, 2.2, 2.15, 2.1], noise=0.02))).silent_on(
    "bent", lambda: _run(_curve(_GOOD))
).silent_on("steep and straight", lambda: _run(_curve([2.3, 1.8, 1.3]))).silent_on(
    "the rate has been lowered", lambda: _run(_curve([2.3, 2.25, 2.2, 2.15, 2.1]), lr=_UP[::-1])
)
overfitting.fires_on(
    "rising since the third look",
    lambda: _run(_curve([2.3, 1.2, 0.5, 0.2, 0.1]), held=(1.9, 1.6, 1.5, 1.55, 1.6, 1.66, 1.7, 1.78, 1.83)),
).silent_on("level", lambda: _run(_curve(_GOOD), held=(1.9, 1.6, 1.5, 1.51, 1.5, 1.52, 1.5, 1.51, 1.51))).silent_on(
    "both rising", lambda: _run(_curve([1.5, 1.5, 1.6, 1.8]), held=(1.9, 1.5, 1.5, 1.55, 1.6, 1.66, 1.7, 1.78, 1.83))
).silent_on("too few looks", lambda: _run(_curve(_GOOD), held=(1.5, 1.6, 1.7)))

RULES = (diverging_loss, flat_loss, rate_too_high, rate_too_low, overfitting)
