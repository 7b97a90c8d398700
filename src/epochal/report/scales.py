"""From values to places on an axis, and the round numbers written beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis from `low` to `high`, straight or logarithmic, with its ticks.

    >>> Scale(low=0.0, high=10.0, ticks=(0.0, 5.0, 10.0)).place(2.5)
    0.25
    >>> Scale(low=0.01, high=1.0, log=True, ticks=()).place(0.1)
    0.5
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def place(self, value: float) -> float:
        """Where `value` lies: 0 at `low`, 1 at `high`, never outside."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        return min(1.0, max(0.0, (value - low) / (high - low)))


def ticks_between(low: float, high: float, *, most: int = 5) -> tuple[float, ...]:
    """Round numbers that enclose `low` to `high`, evenly spaced, about `most` of them.

    Source: Heckbert, "Nice numbers for graph labels", Graphics Gems 1990.

    >>> ticks_between(0.13, 0.87)
    (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    >>> ticks_between(3.0, 3.0)
    (2.0, 2.5, 3.0, 3.5, 4.0)
    """
    if high <= low:
        pad = abs(low) / 3 or 1.0
        low, high = low - pad, high + pad
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in _STEPS if power * each >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    return tuple(round(step * index, digits) + 0.0 for index in range(first, last + 1))


def straight(values: Iterable[float | None], *, most: int = 5, ceiling: float | None = None) -> Scale:
    """A straight axis around `values`, from zero where they come near it.

    Values that reach to a quarter of the largest or below are shown from zero, so that heights can be compared.

    >>> straight([0.1, 2.3]).low
    0.0
    """
    known = [value for value in values if value is not None] or [0.0, 1.0]
    low, high = min(known), max(known)
    if 0 <= low <= high / 4:
        low = 0.0
    ticks = ticks_between(low, high, most=most)
    if ceiling is not None and high <= ceiling:
        ticks = tuple(tick for tick in ticks if tick <= ceiling)
    return Scale(low=ticks[0], high=max(ticks[-1], high), ticks=ticks)


def logarithmic(values: Iterable[float | None]) -> Scale | None:
    """A logarithmic axis around the positive `values`; None where it would show nothing more.

    >>> logarithmic([0.02, 2.3]).ticks
    (0.01, 0.1, 1.0, 10.0)
    >>> logarithmic([2.0, 2.3]) is None
    True
    """
    known = [value for value in values if value is not None and value > 0]
    if not known or max(known) < 3 * min(known):  # below half a decade straight and log look alike
        return None
    first, last = math.floor(math.log10(min(known)) + 1e-9), math.ceil(math.log10(max(known)) - 1e-9)
    decades = [float(f"1e{power}") for power in range(first, last + 1)]
    if len(decades) > 3:
        return Scale(low=decades[0], high=decades[-1], ticks=tuple(decades[:: 1 + len(decades) // 7]), log=True)
    between = sorted({*decades, *(each * by for each in decades for by in (2, 5))})
    low = max(each for each in between if each <= min(known) * 1.000001)
    high = min((each for each in between if each >= max(known) * 0.999999), default=decades[-1])
    return Scale(low=low, high=high, ticks=tuple(each for each in between if low <= each <= high), log=True)


def whole_ticks(low: float, high: float, *, most: int = 6) -> tuple[float, ...]:
    """Round whole numbers within `low` to `high`, for axes of epochs and steps; parts where there is no room.

    >>> whole_ticks(1, 12), whole_ticks(0, 5000)
    ((2.0, 4.0, 6.0, 8.0, 10.0, 12.0), (0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0))
    >>> whole_ticks(0.5, 1.3)
    (0.6, 0.8, 1.0, 1.2)
    """
    if high <= low:
        return (low,)
    if math.floor(high) - math.ceil(low) < 2:
        return tuple(tick for tick in ticks_between(low, high) if low <= tick <= high)
    rough = max((high - low) / most, 1.0)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 5, 10) if power * each >= rough * 0.999)
    return tuple(step * index for index in range(math.ceil(low / step), math.floor(high / step) + 1))
