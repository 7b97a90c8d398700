"""Facts about tails and quantiles, against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from epochal.stats.distributions import (
    beta_cdf,
    beta_quantile,
    binomial_tail,
    normal_quantile,
    t_cdf,
    t_quantile,
)

SHARES = st.floats(0.001, 0.999)
SIZES = st.floats(0.5, 5e4)


@given(SHARES, SIZES, SIZES)
def test_beta_cdf_is_scipys(x: float, a: float, b: float) -> None:
    """The incomplete beta function agrees with scipy over sizes from one half to fifty thousand."""
    assert beta_cdf(x, a=a, b=b) == pytest.approx(float(stats.beta.cdf(x, a, b)), abs=1e-9)


@given(SHARES, SIZES, SIZES)
def test_beta_quantile_inverts(share: float, a: float, b: float) -> None:
    """The quantile is where the distribution function has the asked share."""
    assert beta_cdf(beta_quantile(share, a=a, b=b), a=a, b=b) == pytest.approx(share, abs=1e-6)


@given(st.floats(-40, 40), st.floats(1, 1e4))
def test_t_cdf_is_scipys(t: float, freedom: float) -> None:
    """Student's distribution function agrees with scipy."""
    assert t_cdf(t, freedom=freedom) == pytest.approx(float(stats.t.cdf(t, freedom)), abs=1e-9)


@given(SHARES, st.integers(1, 5000))
def test_t_quantile_is_scipys(share: float, freedom: int) -> None:
    """Student's quantile agrees with scipy, in both tails and from one degree of freedom."""
    expected = float(stats.t.ppf(share, freedom))
    assert t_quantile(share, freedom=freedom) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@given(st.integers(-1, 60), st.integers(0, 60))
def test_binomial_tail_is_scipys(at_most: int, trials: int) -> None:
    """Heads of a fair coin: the tail agrees with scipy, also outside the possible counts."""
    expected = float(stats.binom.cdf(at_most, trials, 0.5))
    assert binomial_tail(at_most, trials=trials) == pytest.approx(expected, abs=1e-12)


def test_normal_quantile_is_symmetric() -> None:
    """Both tails of the normal distribution are equally far from zero."""
    assert normal_quantile(0.1) == pytest.approx(-normal_quantile(0.9))
    assert np.isclose(normal_quantile(0.975), stats.norm.ppf(0.975))


@pytest.mark.parametrize(("x", "expected"), [(-1.0, 0.0), (0.0, 0.0), (1.0, 1.0), (2.0, 1.0)])
def test_beta_cdf_ends(x: float, expected: float) -> None:
    """Outside 0 to 1 the distribution function is flat."""
    assert beta_cdf(x, a=2, b=3) == expected
