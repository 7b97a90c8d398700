"""How sure a figure is that is no mean over samples: samples are drawn again, and the figure is taken anew."""

from collections.abc import Iterator
from math import erfc, sqrt

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
    far = t_quantile((1 + confidence) / 2, freedom=samples - 1) * sqrt(samples / (samples - 1))
    tail = 0.5 * erfc(far / sqrt(2))
    low, high = (float(each) for each in np.quantile(known, [tail, 1 - tail]))
    # A figure that few images carry can lie outside its own draws: the interval holds it all the same.
    low, high = min(low, value), max(high, value)
    return Interval(value=value, low=low, high=high, confidence=confidence, method="bootstrap")
