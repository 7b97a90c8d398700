"""Where to begin with the learning rate: three rates tried briefly, and a test over their whole range.

Both ask a callable that trains and gives back a loss, so they know neither networks nor data, and a formula can stand
in for a network.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from epochal.errors import SettingError

STARTS: tuple[float, ...] = (1e-1, 1e-3, 1e-6)  # L5
BOUNDARY = 1e-3  # L5: training from scratch begins at it or above, fine-tuning below


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Rates that were tried, and the loss that each led to; infinite where it diverged.

    >>> Tried(rates=(0.1, 1e-3, 1e-6), losses=(math.inf, 0.7, 2.3)).best
    0.001
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def best(self) -> float | None:
        """The rate with the lowest loss, the lower rate of equals; None where all diverged."""
        sound = [(loss, rate) for rate, loss in zip(self.rates, self.losses, strict=True) if math.isfinite(loss)]
        return min(sound)[1] if sound else None


def try_rates(trial: Callable[[float], float], *, rates: Sequence[float] = STARTS) -> Tried:
    """Train briefly at each rate and keep the best: `trial` begins anew each time and gives the loss it ends at.

    The rates of L5 lie far apart on purpose: they tell the order of magnitude, and whether training works at all. A
    loss that is not finite counts as diverged. Give every trial the same steps and data, and judge by a loss that all
    reach in the same way, such as the mean of the last tenth of the steps.

    Raises: SettingError for no rate, or one that is not positive.  Source: tip L5.

    >>> try_rates(lambda lr: (math.log10(lr) + 2.5) ** 2).best
    0.001
    """
    _check_rates(rates)
    losses = [float(trial(rate)) for rate in rates]
    return Tried(rates=tuple(rates), losses=tuple(loss if math.isfinite(loss) else math.inf for loss in losses))


def suits(lr: float, *, pretrained: bool) -> bool:
    """Whether a rate is what L5 asks for: below 1e-3 for weights that know something, 1e-3 or more for fresh ones.

    >>> suits(1e-4, pretrained=True), suits(1e-4, pretrained=False)
    (True, False)
    """
    return lr < BOUNDARY if pretrained else lr >= BOUNDARY


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeTest:
    """Losses while the rate rose step by step; `smooth` is their running mean, by which the curve is read."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smooth: tuple[float, ...]
    diverged: bool

    @property
    def steepest(self) -> float | None:
        """The rate at which the loss fell fastest, a rate that is safe; None where it never fell.

        Source: Howard and Gugger 2020, fastai's "steep".
        """
        slopes = [
            (after - before, rate)
            for before, after, rate in zip(self.smooth, self.smooth[2:], self.rates[1:], strict=False)
        ]
        slope, rate = min(slopes, default=(0.0, 0.0))
        return rate if slope < 0 else None

    @property
    def highest(self) -> float | None:
        """A tenth of the rate with the lowest loss, about the most that a run bears; None where the loss never fell.

        Source: Smith 2018, section 4.1, by the rule of thumb of fastai's "minimum".
        """
        lowest = min(range(len(self.smooth)), key=self.smooth.__getitem__)
        return self.rates[lowest] / 10 if lowest else None


def range_test(
    step: Callable[[float], float],
    *,
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    smoothing: float = 0.9,
) -> RangeTest:
    """Raise the rate from `low` to `high` by the same factor at each step, and watch the loss: Smith's range test.

        lr_i = low (high / low)^(i / (n - 1)),   m <- s m + (1 - s) loss,   smooth_i = m / (1 - s^(i + 1))

    `step` makes one training step at the rate that it is given and returns the loss before it. The test ends early
    where the loss is not finite, or the smooth one is above four times its lowest. Throw the weights away afterwards.

    Raises: SettingError for fewer than three steps, rates that do not rise from above 0, or smoothing outside [0, 1).
    Source: Smith 2017, "Cyclical learning rates for training neural networks", section 3.3; tip L5.

    >>> found = range_test(lambda lr: 1.0 if lr < 1e-3 else 0.5 if lr < 1.0 else math.inf, steps=50)
    >>> found.diverged, found.steepest > 1e-3, found.highest < 0.1
    (True, True, True)
    """
    _check_rates((low, high))
    if steps < 3 or not low < high or not 0 <= smoothing < 1:
        raise SettingError(
            f"The rate shall rise from {low} to {high} in {steps} steps, smoothed by {smoothing}.",
            expected="a rise in three steps or more, smoothing in [0, 1).",
            remedy="1e-6 to 10 in 100 steps, smoothed by 0.9.",
        )
    rates, losses, smooth, mean = list[float](), list[float](), list[float](), 0.0
    for i in range(steps):
        rate = low * (high / low) ** (i / (steps - 1))
        loss = float(step(rate))
        if not math.isfinite(loss):
            return _tested(rates, losses, smooth=smooth, diverged=True)
        mean = smoothing * mean + (1 - smoothing) * loss
        rates.append(rate)
        losses.append(loss)
        smooth.append(mean / (1 - smoothing ** (i + 1)))
        if smooth[-1] > 4 * min(smooth) > 0:
            return _tested(rates, losses, smooth=smooth, diverged=True)
    return _tested(rates, losses, smooth=smooth, diverged=False)


def _tested(rates: Sequence[float], losses: Sequence[float], *, smooth: Sequence[float], diverged: bool) -> RangeTest:
    if not rates:
        raise SettingError(
            "The loss is not finite at the lowest rate already.",
            expected="a finite loss at the first step.",
            remedy="look at the data and the loss first; a lower rate cannot mend this.",
        )
    return RangeTest(rates=tuple(rates), losses=tuple(losses), smooth=tuple(smooth), diverged=diverged)


def _check_rates(rates: Sequence[float]) -> None:
    if not rates or not all(rate > 0 and math.isfinite(rate) for rate in rates):
        raise SettingError(
            f"The rates to be tried are {list(rates)[:8]}.", expected="one or more, all above 0.", remedy=f"{STARTS}."
        )
