"""Learning-rate schedules as closed forms: a function from progress in [0, 1] to a factor on the base rate.

A closed form has no state, so it can be drawn before the run, resumed anywhere, and stretched over a time budget. Every
schedule here clamps progress to [0, 1]: none rises again after its end.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from epochal.errors import SettingError

Schedule: TypeAlias = Callable[[float], float]


def constant() -> Schedule:
    """Leave the rate as it is, the choice of a baseline (tip K3.4).

    >>> constant()(0.7)
    1.0
    """
    return lambda _progress: 1.0


def linear(*, end: float = 0.0) -> Schedule:
    """Fall in a straight line from 1 to `end`: `1 + (end - 1) p`.

    >>> linear()(0.25), linear(end=0.1)(1.0)
    (0.75, 0.1)
    """
    return polynomial(power=1.0, end=end)


def polynomial(*, power: float = 2.0, end: float = 0.0) -> Schedule:
    """Fall along a power: `end + (1 - end) (1 - p)^power`.

    Raises: SettingError if `power` is not positive.

    >>> polynomial(power=2)(0.5)
    0.25
    """
    if power <= 0:
        raise SettingError(f"The power is {power}.", expected="more than 0.", remedy="1 is a line, 2 a parabola.")
    return lambda progress: end + (1 - end) * (1 - _clamped(progress)) ** power


def cosine(*, end: float = 0.0) -> Schedule:
    """Fall along half a cosine wave: `end + (1 - end) (1 + cos(pi p)) / 2`.

    Source: Loshchilov and Hutter 2017, eq. 5, without restarts.

    >>> round(cosine()(0.5), 6), cosine()(1.0), cosine()(1.2)
    (0.5, 0.0, 0.0)
    """
    return lambda progress: end + (1 - end) * (1 + math.cos(math.pi * _clamped(progress))) / 2


def steps(*, at: Sequence[float], factor: float = 0.1) -> Schedule:
    """Multiply the rate by `factor` at each of the points `at` of progress: step and multi-step schedules.

    Raises: SettingError where a point lies outside (0, 1).

    >>> by_ten = steps(at=[0.5, 0.75])
    >>> by_ten(0.4), by_ten(0.5), round(by_ten(0.9), 4)
    (1.0, 0.1, 0.01)
    """
    if not all(0 < point < 1 for point in at):
        raise SettingError(f"Steps at {list(at)}.", expected="points between 0 and 1.", remedy="[0.5, 0.75] is usual.")
    return lambda progress: factor ** sum(progress >= point for point in at)


def warmup_then(schedule: Schedule, *, share: float = 0.1, start: float = 0.0) -> Schedule:
    """Rise in a straight line from `start` to 1 over the first `share` of the run, then follow `schedule` (tip S9).

    The schedule that follows is stretched over what is left, so it still begins at its beginning and ends at its end.

    Raises: SettingError if `share` is outside [0, 1).  Source: Goyal et al. 2017, section 2.2.

    >>> rate = warmup_then(linear(), share=0.2)
    >>> rate(0.1), rate(0.2), rate(0.6), rate(1.0)
    (0.5, 1.0, 0.5, 0.0)
    """
    if not 0 <= share < 1:
        raise SettingError(f"Warm-up is {share} of the run.", expected="0 or more, below 1.", remedy="0.1 is usual.")

    def factor(progress: float) -> float:
        progress = _clamped(progress)
        if progress < share:
            return start + (1 - start) * progress / share
        return schedule((progress - share) / (1 - share))

    return factor


def one_cycle(*, peak: float = 0.3, start: float = 0.04, end: float = 0.0) -> Schedule:
    """Rise from `start` to 1 at the point `peak`, fall to `end`, both along half a cosine wave.

    Source: Smith and Topin 2018; the cosine shape as in fastai and torch's OneCycleLR.

    >>> rate = one_cycle(peak=0.25)
    >>> rate(0.0), rate(0.25), rate(1.0)
    (0.04, 1.0, 0.0)
    """
    if not 0 < peak < 1:
        raise SettingError(f"The peak is at {peak}.", expected="a point between 0 and 1.", remedy="0.3 is usual.")
    rise, fall = cosine(end=start), cosine(end=end)

    def factor(progress: float) -> float:
        progress = _clamped(progress)
        return rise(1 - progress / peak) if progress < peak else fall((progress - peak) / (1 - peak))

    return factor


def hold_then(schedule: Schedule, *, share: float = 0.5) -> Schedule:
    """Keep the full rate for the first `share` of the run, then follow `schedule` over the rest.

    With `linear()` and a warm-up before it, this is the trapezoid.

    Raises: SettingError if `share` is outside [0, 1).

    >>> rate = hold_then(linear(), share=0.5)
    >>> rate(0.3), rate(0.75)
    (1.0, 0.5)
    """
    if not 0 <= share < 1:
        raise SettingError(f"Held for {share} of the run.", expected="0 or more, below 1.", remedy="0.5 is usual.")
    return lambda progress: 1.0 if progress < share else schedule((_clamped(progress) - share) / (1 - share))


def drawn(schedule: Schedule, *, points: int = 101) -> list[tuple[float, float]]:
    """Evaluate a schedule at even points from 0 to 1, so that it can be seen before the run.

    >>> drawn(linear(), points=3)
    [(0.0, 1.0), (0.5, 0.5), (1.0, 0.0)]
    """
    return [(i / (points - 1), schedule(i / (points - 1))) for i in range(points)]


def _clamped(progress: float) -> float:
    return min(max(progress, 0.0), 1.0)
