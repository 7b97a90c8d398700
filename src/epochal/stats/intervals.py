"""How sure a number is: intervals for shares, means and differences, and the paired test."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
from jaxtyping import Bool, Float64, Num

from epochal.errors import SettingError
from epochal.stats.distributions import beta_quantile, binomial_tail, normal_quantile, t_cdf, t_quantile

# Index draws held at once by the bootstrap: 32 MB.
DRAWS_AT_ONCE = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A measured value and the range that holds the true one with the stated confidence.

    >>> wilson(9, 10).excludes(0.5)
    True
    """

    value: float
    low: float
    high: float
    confidence: float
    method: str

    def excludes(self, value: float) -> bool:
        """Whether `value` lies outside.

        >>> wilson(5, 10).excludes(0.5)
        False
        """
        return not self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """How two classifiers differ on the same samples: only where one alone is right.

    `p_exact` never claims too much; `p_mid` is the same test with half the weight on what was
    observed, closer to the stated rate.

    >>> mcnemar(np.array([True, True, True, False]), np.array([False, False, True, True])).only_a
    2
    """

    only_a: int
    only_b: int
    p_exact: float
    p_mid: float


def wilson(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """How sure a share is: the score interval, good for few samples and for shares near 0 and 1.

    `(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)`; without samples, 0 to 1.

    Raises: SettingError if `successes` is not within 0 to `n`, or the confidence not within 0 to 1.
    Source: Wilson 1927; tip K2.3.

    >>> accuracy = wilson(97, 100)
    >>> f"{accuracy.value:.2f} ({accuracy.low:.3f} to {accuracy.high:.3f})"
    '0.97 (0.915 to 0.990)'
    """
    _check_counts(successes, n, confidence=confidence)
    if n == 0:
        return Interval(value=float("nan"), low=0.0, high=1.0, confidence=confidence, method="wilson")
    share, z = successes / n, normal_quantile((1 + confidence) / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the ends the formula gives exactly 0 and 1; rounding must not move them.
    low = 0.0 if successes == 0 else middle - reach
    high = 1.0 if successes == n else middle + reach
    return Interval(value=share, low=low, high=high, confidence=confidence, method="wilson")


def clopper_pearson(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """How sure a share is, never promising too much: wider than Wilson's, for claims that must hold.

    Raises: SettingError if `successes` is not within 0 to `n`, or the confidence not within 0 to 1.
    Source: Clopper and Pearson 1934.

    >>> rare = clopper_pearson(0, 300)
    >>> f"{rare.low} to {rare.high:.4f}"
    '0.0 to 0.0122'
    """
    _check_counts(successes, n, confidence=confidence)
    tail = (1 - confidence) / 2
    low = beta_quantile(tail, a=successes, b=n - successes + 1) if successes else 0.0
    high = beta_quantile(1 - tail, a=successes + 1, b=n - successes) if successes < n else 1.0
    value = successes / n if n else float("nan")
    return Interval(value=value, low=low, high=high, confidence=confidence, method="clopper-pearson")


def mean_interval(values: Num[np.ndarray, " n"], *, confidence: float = 0.95) -> Interval:
    """How sure a mean is, by Student's t; of a single value nothing is known but the value.

    Source: Student 1908.

    >>> runs = mean_interval(np.array([91.0, 92.0, 93.0]))
    >>> round(runs.low, 2), round(runs.high, 2)
    (89.52, 94.48)
    """
    n = len(values)
    mean = float(np.mean(values)) if n else float("nan")
    if n < 2:
        return Interval(value=mean, low=-np.inf, high=np.inf, confidence=confidence, method="t")
    reach = t_quantile((1 + confidence) / 2, freedom=n - 1) * float(np.std(values, ddof=1)) / sqrt(n)
    return Interval(value=mean, low=mean - reach, high=mean + reach, confidence=confidence, method="t")


def p_of_mean_above_zero(values: Num[np.ndarray, " n"]) -> float:
    """Chance of a mean this far above zero if the true mean were zero (one-sided t-test).

    Equal values leave nothing to doubt: 0 above zero, 1 otherwise.  Fewer than two say nothing: 1.

    >>> round(p_of_mean_above_zero(np.array([1.0, 2.0, 3.0])), 4)
    0.0371
    """
    if len(values) < 2:
        return 1.0
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    if spread == 0:
        return 0.0 if mean > 0 else 1.0
    return t_cdf(-mean / spread * sqrt(len(values)), freedom=len(values) - 1)


def bootstrap_mean(
    values: Num[np.ndarray, " n"], *, confidence: float = 0.95, draws: int = 2000, seed: int = 0
) -> Interval:
    """How sure a mean is without assuming a shape: means of samples drawn again with replacement.

    For paired values hand over their differences.  Source: Efron 1979 (percentile interval).

    >>> losses = np.array([0.1, 0.2, 0.1, 5.0])
    >>> interval = bootstrap_mean(losses)
    >>> interval.low < interval.value < interval.high
    True
    """
    n = len(values)
    mean = float(np.mean(values)) if n else float("nan")
    if n < 2:
        return Interval(value=mean, low=-np.inf, high=np.inf, confidence=confidence, method="bootstrap")
    source = np.random.default_rng(seed)
    at_once = max(1, min(draws, DRAWS_AT_ONCE // n))
    means = np.concatenate(
        [_drawn_means(values, draws=min(at_once, draws - done), source=source) for done in range(0, draws, at_once)]
    )
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value=mean, low=float(low), high=float(high), confidence=confidence, method="bootstrap")


def mcnemar(a_right: Bool[np.ndarray, " n"], b_right: Bool[np.ndarray, " n"]) -> McNemar:
    """Whether two classifiers differ beyond chance on the same samples.

    Where both are right or both are wrong nothing is learnt; where one alone is right, each
    should win half the time.  Both p-values are two-sided.
    Source: McNemar 1947; Fagerland, Lydersen and Laake 2013 for the mid-p form.

    >>> a, b = np.arange(20) < 18, np.arange(20) < 10
    >>> round(mcnemar(a, b).p_exact, 4), round(mcnemar(a, b).p_mid, 4)
    (0.0078, 0.0039)
    """
    only_a, only_b = int(np.sum(a_right & ~b_right)), int(np.sum(b_right & ~a_right))
    fewer, trials = min(only_a, only_b), only_a + only_b
    tail = binomial_tail(fewer, trials=trials)
    observed = tail - binomial_tail(fewer - 1, trials=trials)
    exact = min(1.0, 2 * tail)
    mid = min(1.0, 2 * tail - observed) if trials else 1.0
    return McNemar(only_a=only_a, only_b=only_b, p_exact=exact, p_mid=mid)


def paired_difference(
    a_right: Bool[np.ndarray, " n"], b_right: Bool[np.ndarray, " n"], *, confidence: float = 0.95
) -> Interval:
    """How much more accurate `a` is than `b` on the same samples, with its interval.

    Half a sample is added to either side of the disagreement, twice: `p = (count + 1) / (n + 2)`.
    Units: share of samples, -1 to 1.  Source: Bonett and Price 2012.

    >>> a, b = np.arange(100) < 90, np.arange(100) < 80
    >>> gain = paired_difference(a, b)
    >>> round(gain.value, 2), gain.excludes(0)
    (0.1, True)
    """
    n = len(a_right)
    counts = mcnemar(a_right, b_right)
    p_a, p_b = (counts.only_a + 1) / (n + 2), (counts.only_b + 1) / (n + 2)
    middle, z = p_a - p_b, normal_quantile((1 + confidence) / 2)
    reach = z * sqrt((p_a + p_b - middle**2) / (n + 2))
    return Interval(
        value=(counts.only_a - counts.only_b) / n if n else float("nan"),
        low=max(-1.0, middle - reach),
        high=min(1.0, middle + reach),
        confidence=confidence,
        method="bonett-price",
    )


def _drawn_means(
    values: Num[np.ndarray, " n"], *, draws: int, source: np.random.Generator
) -> Float64[np.ndarray, " draws"]:
    rows = source.integers(0, len(values), size=(draws, len(values)))
    return np.asarray(values[rows].mean(axis=1), dtype=np.float64)


def _check_counts(successes: int, n: int, *, confidence: float) -> None:
    if not 0 <= successes <= n:
        raise SettingError(
            f"{successes} successes of {n}.",
            expected="successes from 0 to the number of samples.",
            remedy="count the successes among the samples that n counts.",
        )
    if not 0 < confidence < 1:
        raise SettingError(
            f"confidence is {confidence}.",
            expected="a share between 0 and 1.",
            remedy="0.95, the usual choice.",
        )
