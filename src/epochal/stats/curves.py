"""Long series made short and steady: thinning that keeps the peaks, smoothing, slopes."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float64, Num

from epochal.errors import SettingError
from epochal.stats.distributions import t_quantile
from epochal.stats.intervals import Interval


def thin(
    x: Num[np.ndarray, " n"], y: Num[np.ndarray, " n"], *, points: int
) -> tuple[Num[np.ndarray, " m"], Num[np.ndarray, " m"]]:
    """At most `points` points that look the same when drawn: the lowest and highest of each stretch.

    First and last points stay.  A stretch with a NaN keeps its first NaN instead of its highest
    point, so that a broken run looks broken.
    Shapes: m = n where n fits, otherwise at most `points`.
    Raises: SettingError if `points` < 4.

    >>> x, y = thin(np.arange(1000), np.where(np.arange(1000) == 500, 9.0, 0.0), points=10)
    >>> len(y) <= 10, float(y.max())
    (True, 9.0)
    """
    if points < 4:
        raise SettingError(
            f"points is {points}.", expected="4 or more: both ends, a low and a high.", remedy="200 or so."
        )
    if len(x) <= points:
        return x, y
    edges = np.linspace(1, len(x) - 1, (points - 2) // 2 + 1).astype(np.int64)
    kept = {0, len(x) - 1}
    for start, stop in pairwise(edges.tolist()):
        if stop > start:
            kept.update(start + place for place in _extremes(y[start:stop]))
    rows = np.array(sorted(kept))
    return x[rows], y[rows]


def smooth(y: Num[np.ndarray, " n"], *, span: float) -> Float64[np.ndarray, " n"]:
    """Exponential mean over about `span` points, without the pull towards zero at the start.

    `s = b s + (1 - b) y`, `b = 1 - 1/span`, divided by `1 - b^t`.  NaN and infinity stay in what
    follows them.  Raises: SettingError if `span` < 1.  Source: Kingma and Ba 2015, section 3 (the
    correction).

    >>> smooth(np.array([2.0, 2.0, 2.0]), span=10).round(6).tolist()
    [2.0, 2.0, 2.0]
    """
    if span < 1:
        raise SettingError(f"span is {span}.", expected="1 point or more.", remedy="1 smooths nothing.")
    keep = 1 - 1 / span
    out, state = np.empty(len(y)), 0.0
    for step, value in enumerate(y.tolist(), start=1):
        state = keep * state + (1 - keep) * value
        out[step - 1] = state / (1 - keep**step)
    return out


def slope(x: Num[np.ndarray, " n"], y: Num[np.ndarray, " n"], *, confidence: float = 0.95) -> Interval:
    """Rise of `y` per unit of `x` by least squares, with its interval as if the points were independent.

    Points of a training curve follow each other, so thin or average them first, or the interval is
    too narrow.  Fewer than three points, or all at one x, leave it open.

    >>> fall = slope(np.arange(5.0), np.array([4.0, 3.1, 2.0, 0.9, 0.0]))
    >>> round(fall.value, 2), fall.high < 0
    (-1.02, True)
    """
    n = len(x)
    off = x - np.mean(x) if n else np.zeros(0)
    spread = float(off @ off)
    if n < 2 or spread == 0:
        return Interval(value=float("nan"), low=-np.inf, high=np.inf, confidence=confidence, method="t")
    value = float(off @ y) / spread
    if n < 3:
        return Interval(value=value, low=-np.inf, high=np.inf, confidence=confidence, method="t")
    rest = y - np.mean(y) - value * off
    reach = t_quantile((1 + confidence) / 2, freedom=n - 2) * float(np.sqrt(rest @ rest / (n - 2) / spread))
    return Interval(value=value, low=value - reach, high=value + reach, confidence=confidence, method="t")


def _extremes(stretch: Num[np.ndarray, " n"]) -> set[int]:
    broken = np.flatnonzero(np.isnan(stretch))
    if len(broken) == len(stretch):
        return {int(broken[0])}
    low, high = int(np.nanargmin(stretch)), int(np.nanargmax(stretch))
    return {low, int(broken[0]) if len(broken) else high}
