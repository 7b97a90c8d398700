"""How sure a figure is that is no mean over samples: samples are drawn again, and the figure is taken anew."""

from collections.abc import Iterator
from math import erfc, exp, sqrt

import numpy as np
from jaxtyping import Float32, Float64

from epochal.stats.distributions import t_quantile
from epochal.stats.intervals import Interval

# Times of samples in draws held at once: 16 MB.
DRAWS_AT_ONCE = 1 << 22


def times_drawn(n: int, *, draws: int, seed: int) -> Iterator[Float32[np.ndarray, "n some"]]:
    """How often each of n samples comes up in n draws with replacement: `draws` columns, in portions.

    The same for the same seed, so that two models are judged on the same draws.

    Shapes: the portions together have `draws` columns, each of which adds up to n.

    >>> portion = next(times_drawn(3, draws=4, seed=0))
    >>> portion.shape, portion.sum(axis=0).tolist()
    ((3, 4), [3.0, 3.0, 3.0, 3.0])
    """
    source, at_once = np.random.default_rng(seed), max(1, DRAWS_AT_ONCE // max(1, n))
    for start in range(0, draws, at_once):
        some = min(at_once, draws - start)
        chosen = source.integers(0, max(1, n), size=(some, n)) + np.arange(some)[:, None] * n
        counts = np.bincount(chosen.ravel(), minlength=some * n).reshape(some, n)
        yield np.ascontiguousarray(counts.T, dtype=np.float32)


def interval_of_draws(
    value: float,
    *,
    drawn: Float64[np.ndarray, " draws"],
    samples: int,
    confidence: float = 0.95,
    reach: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """The interval of a figure from its values on samples drawn again; draws in which it is not defined are left out.

    Percentiles further out than the confidence says, `Phi(-t sqrt(n / (n - 1)))`: plain ones promise too much below
    50 samples, as do those corrected for bias and skew. Of fewer than two samples nothing is known but the `reach`.

    Source: Efron 1979; Hesterberg 2015, section 5.3 (expanded percentiles); `benchmarks/healthy/overlap.md`.

    >>> drawn = np.random.default_rng(0).normal(0.5, 0.1, 2000)
    >>> few, many = (interval_of_draws(0.5, drawn=drawn, samples=n) for n in (5, 500))
    >>> few.high - few.low > many.high - many.low
    True
    """
    known = drawn[~np.isnan(drawn)]
    if samples < 2 or not len(known):
        return Interval(value=value, low=reach[0], high=reach[1], confidence=confidence, method="bootstrap")
    low, high = _ends(known, samples=samples, confidence=confidence)
    # A figure that few images carry can lie outside its own draws: the interval holds it all the same.
    return Interval(value=value, low=min(low, value), high=max(high, value), confidence=confidence, method="bootstrap")


def interval_of_ranking(
    value: float, *, drawn: Float64[np.ndarray, " draws"], samples: int, confidence: float = 0.95
) -> Interval:
    """As `interval_of_draws`, for a share that looks better the fewer samples there are, as average precision does.

    Draws repeat samples and look better once more by about as much: twice their mean distance from the value is taken
    off, in log odds, so that the interval stays within 0 and 1 and is the wider towards the middle.

    Source: Efron and Tibshirani 1993, chapter 10 (bias); Boyd, Eng and Page 2013 for the log odds;
    `benchmarks/healthy/overlap.md`.

    >>> drawn = np.random.default_rng(0).normal(0.8, 0.05, 2000)
    >>> flattered = interval_of_ranking(0.75, drawn=drawn, samples=100)
    >>> flattered.low < 0.7 < flattered.high
    True
    """
    known = drawn[~np.isnan(drawn)]
    if samples < 2 or not len(known) or np.isnan(value):
        return Interval(value=value, low=0.0, high=1.0, confidence=confidence, method="bootstrap")
    odds = _log_odds(known)
    middle = float(_log_odds(np.asarray([value]))[0])
    ends = _ends(odds, samples=samples, confidence=confidence)
    low, high = (1 / (1 + exp(2 * (float(odds.mean()) - middle) - end)) for end in ends)
    return Interval(value=value, low=min(low, value), high=max(high, value), confidence=confidence, method="bootstrap")


def _ends(known: Float64[np.ndarray, " draws"], *, samples: int, confidence: float) -> tuple[float, float]:
    far = t_quantile((1 + confidence) / 2, freedom=samples - 1) * sqrt(samples / (samples - 1))
    tail = 0.5 * erfc(far / sqrt(2))
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def _log_odds(shares: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    inside = np.clip(shares, 1e-6, 1 - 1e-6)  # 0 and 1 have none
    return np.asarray(np.log(inside) - np.log1p(-inside))
