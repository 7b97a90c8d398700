"""Tails and quantiles of the few distributions that intervals and tests need, without scipy."""

import math
from collections.abc import Callable
from statistics import NormalDist

# The continued fraction converges to this relative error; float64 carries no more.
PRECISION = 1e-15
TERMS = 10_000
TINY = 1e-300


def normal_quantile(probability: float) -> float:
    """Below which standard normal value lies this share of draws.

    >>> round(normal_quantile(0.975), 4)
    1.96
    """
    return NormalDist().inv_cdf(probability)


def beta_cdf(x: float, *, a: float, b: float) -> float:
    """Share of Beta(a, b) draws below `x`: the regularised incomplete beta function.

    Source: Press et al., Numerical Recipes, section 6.4 (continued fraction by Lentz's method).

    >>> round(beta_cdf(0.5, a=2, b=2), 6)
    0.5
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1) / (a + b + 2):  # on this side the fraction converges fast
        return math.exp(log_front) * _beta_fraction(x, a=a, b=b) / a
    return 1 - math.exp(log_front) * _beta_fraction(1 - x, a=b, b=a) / b


def beta_quantile(probability: float, *, a: float, b: float) -> float:
    """Below which value lies this share of Beta(a, b) draws.

    >>> round(beta_quantile(0.975, a=1, b=10), 6)  # Clopper-Pearson: 0 of 10
    0.308497
    """
    return _inverted(lambda x: beta_cdf(x, a=a, b=b), probability, low=0.0, high=1.0)


def t_cdf(t: float, *, freedom: float) -> float:
    """Share of Student's t draws below `t`, for `freedom` degrees of freedom.

    >>> round(t_cdf(2.228, freedom=10), 3)
    0.975
    """
    if t * t < 1:  # near the middle, where the other form would lose its digits
        return 0.5 + math.copysign(beta_cdf(t * t / (freedom + t * t), a=0.5, b=freedom / 2) / 2, t)
    tail = beta_cdf(freedom / (freedom + t * t), a=freedom / 2, b=0.5) / 2
    return 1 - tail if t > 0 else tail


def t_quantile(probability: float, *, freedom: float) -> float:
    """Below which value lies this share of Student's t draws.

    >>> round(t_quantile(0.975, freedom=4), 3)
    2.776
    """
    if probability < 0.5:
        return -t_quantile(1 - probability, freedom=freedom)
    high = 2.0
    while t_cdf(high, freedom=freedom) < probability:
        high *= 2
    return _inverted(lambda t: t_cdf(t, freedom=freedom), probability, low=0.0, high=high)


def binomial_tail(at_most: int, *, trials: int) -> float:
    """Chance of at most so many heads in `trials` throws of a fair coin.

    >>> binomial_tail(1, trials=3)
    0.5
    """
    if at_most >= trials:
        return 1.0
    return beta_cdf(0.5, a=trials - at_most, b=at_most + 1) if at_most >= 0 else 0.0


def _inverted(cdf: Callable[[float], float], probability: float, *, low: float, high: float) -> float:
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if cdf(middle) < probability else (low, middle)
    return (low + high) / 2


def _beta_fraction(x: float, *, a: float, b: float) -> float:
    numerator, denominator = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    result = denominator
    for m in range(1, TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            denominator = 1 / _away_from_zero(1 + term * denominator)
            numerator = _away_from_zero(1 + term / numerator)
            change = numerator * denominator
            result *= change
        if abs(change - 1) < PRECISION:
            break
    return result


def _away_from_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
