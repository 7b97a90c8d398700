"""How good predicted numbers are: how far off, in which direction, and how much of the spread they explain."""

from dataclasses import dataclass
from functools import cache
from math import exp, sqrt

import numpy as np
from jaxtyping import Float64, Int64, Num

from epochal.stats.circular import Circle
from epochal.stats.distributions import t_quantile
from epochal.stats.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """The figures of one value column.

    `mae` mean absolute error, `rmse` root of the mean squared error, `median` the median absolute error, `bias` the
    mean signed error (predicted minus given), all in the units of the values; `r2` the share of the spread that is
    explained, 1 at best, 0 for the mean, NaN where there is no spread.
    """

    mae: Interval
    rmse: float
    median: float
    bias: float
    r2: float


def signed_errors(
    predicted: Num[np.ndarray, " n"], given: Num[np.ndarray, " n"], *, circle: Circle | None = None
) -> Float64[np.ndarray, " n"]:
    """Predicted minus given; on a circle by the shorter way.

    >>> signed_errors(np.array([0.1]), np.array([9.9]), circle=Circle(period=10.0)).round(6).tolist()
    [0.2]
    """
    if circle is not None:
        return circle.offset(predicted, given)
    return predicted.astype(np.float64) - given.astype(np.float64)


def judge(predicted: Num[np.ndarray, " n"], given: Num[np.ndarray, " n"], *, circle: Circle | None = None) -> Errors:
    """All figures of one column at once.

    On a circle r2 compares circular variances: `1 - Σ(1 - cos e) / Σ(1 - cos d)`, e the errors and d the angles from
    the mean direction; for small angles it is the usual one.

    Shapes: n samples.  Source: Fisher 1993, sections 2.3 and 6.4 (the circular form).

    >>> found = judge(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    >>> round(found.mae.value, 4), round(found.bias, 4), found.r2, found.median
    (0.3333, 0.3333, 0.5, 0.0)
    """
    errors = signed_errors(predicted, given, circle=circle)
    away = np.abs(errors)
    return Errors(
        mae=mean_size(away),
        rmse=float(np.sqrt(np.square(errors).mean())) if len(errors) else float("nan"),
        median=float(np.median(away)) if len(errors) else float("nan"),
        bias=float(errors.mean()) if len(errors) else float("nan"),
        r2=_explained(errors, given, circle=circle),
    )


def mean_size(sizes: Num[np.ndarray, " n"], *, confidence: float = 0.95) -> Interval:
    """How sure the mean of sizes is, none of them below 0: Student's interval of its logarithm.

    `m · exp(± t s / (m √n))`: sizes of errors are skewed, so the range reaches further up than down, and never below
    0. Of exponential sizes, 95 % intervals of n = 10, 30, 100 hold the true mean in 93.3, 94.0, 95.2 % of draws
    (Student's in 90.0, 91.8, 94.7, the percentile bootstrap in 86.4, 90.9, 94.5). Where 3 % of labels are grossly wrong
    and few samples are there, all of them hold it far less often: `benchmarks/regression/intervals.md`.
    Of a single size nothing is known but the size.

    NaN sizes give NaN.  Source: delta method on Student 1908.

    >>> found = mean_size(np.array([0.1, 0.2, 0.1, 0.4]))
    >>> round(found.low, 2), round(found.value, 2), round(found.high, 2)
    (0.06, 0.2, 0.62)
    """
    n = len(sizes)
    mean = float(np.mean(sizes)) if n else float("nan")
    if n < 2 or not np.isfinite(mean):
        return Interval(value=mean, low=0.0, high=np.inf, confidence=confidence, method="log-t")
    reach = _t_quantile((1 + confidence) / 2, freedom=n - 1) * float(np.std(sizes, ddof=1)) / sqrt(n)
    factor = exp(min(reach / mean, 700.0)) if mean > 0 else 1.0  # beyond 700 exp overflows
    return Interval(value=mean, low=mean / factor, high=mean * factor, confidence=confidence, method="log-t")


def weighted_median(values: Num[np.ndarray, " n"], weights: Num[np.ndarray, " n"]) -> float:
    """The value with half the weight on either side, the middle of two where it falls between them.

    >>> weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1, 1, 5]))
    2.0
    """
    order = np.argsort(values, kind="stable")
    total = np.cumsum(weights[order].astype(np.float64))
    half = total[-1] / 2
    first, last = np.searchsorted(total, half, side="left"), np.searchsorted(total, half, side="right")
    return float((values[order[first]] + values[order[min(last, len(order) - 1)]]) / 2)


def sketch(
    values: Num[np.ndarray, " n"], *, at_most: int = 256
) -> tuple[Float64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    """A distribution in few numbers: each distinct value with its count, or the means of equally full stretches.

    With `at_most` distinct values or fewer nothing is lost. Otherwise the mean is kept exactly, and a smooth loss to
    the square of a stretch's width: `Σ count · f(value) / n` stands for the mean of f.

    Shapes: n values, m of them kept, in ascending order.

    >>> kept, counts = sketch(np.array([2.0, 1.0, 2.0]))
    >>> kept.tolist(), counts.tolist()
    ([1.0, 2.0], [1, 2])
    >>> sketch(np.arange(1000.0), at_most=4)[0].tolist()
    [124.5, 374.5, 624.5, 874.5]
    """
    distinct, counts = np.unique(values.astype(np.float64), return_counts=True)
    if len(distinct) <= at_most:
        return distinct, counts.astype(np.int64)
    stretches = np.array_split(np.sort(values.astype(np.float64)), at_most)
    return np.array([s.mean() for s in stretches]), np.array([len(s) for s in stretches], dtype=np.int64)


def histogram(
    errors: Float64[np.ndarray, " n"], *, bins: int = 41
) -> tuple[Float64[np.ndarray, " edges"], Int64[np.ndarray, " bins"]]:
    """Counts of signed errors between edges that lie evenly about 0, wide enough for the largest.

    An odd number of bins puts one around 0.

    >>> edges, counts = histogram(np.array([-1.0, 0.0, 0.0, 1.0]), bins=3)
    >>> edges.round(3).tolist(), counts.tolist()
    ([-1.0, -0.333, 0.333, 1.0], [1, 2, 1])
    """
    sound = errors[np.isfinite(errors)]
    reach = float(np.abs(sound).max(initial=0.0)) or 1.0
    counts, edges = np.histogram(sound, bins=bins, range=(-reach, reach))
    return edges, counts.astype(np.int64)


@cache
def _t_quantile(probability: float, *, freedom: int) -> float:
    """Kept once found: it is searched for, and a split is judged column by column."""
    return t_quantile(probability, freedom=freedom)


def _explained(errors: Float64[np.ndarray, " n"], given: Num[np.ndarray, " n"], *, circle: Circle | None) -> float:
    if not len(errors):
        return float("nan")
    if circle is None:
        left, there = np.square(errors).sum(), np.square(given - given.mean(dtype=np.float64)).sum()
    else:
        turn = 2 * np.pi / circle.period
        away = circle.offset(given, np.array(circle.mean(given)))
        left, there = (1 - np.cos(errors * turn)).sum(), (1 - np.cos(away * turn)).sum()
    return float(1 - left / there) if there > 0 else float("nan")
