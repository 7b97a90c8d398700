"""Facts about intervals: against scipy and the tables, and by how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from epochal.errors import SettingError
from epochal.stats import intervals
from epochal.stats.intervals import (
    bootstrap_mean,
    clopper_pearson,
    mcnemar,
    mean_interval,
    p_of_mean_above_zero,
    paired_difference,
    wilson,
)

COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.floats(0.5, 0.999))
def test_wilson_is_scipys(counts: tuple[int, int], confidence: float) -> None:
    """Wilson's interval agrees with scipy's."""
    expected = stats.binomtest(*counts).proportion_ci(confidence, method="wilson")
    ours = wilson(*counts, confidence=confidence)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(COUNTS, st.floats(0.5, 0.999))
def test_clopper_pearson_is_scipys(counts: tuple[int, int], confidence: float) -> None:
    """Clopper and Pearson's interval agrees with scipy's."""
    expected = stats.binomtest(*counts).proportion_ci(confidence, method="exact")
    ours = clopper_pearson(*counts, confidence=confidence)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=1e-7)


@given(COUNTS)
def test_intervals_hold_their_value(counts: tuple[int, int]) -> None:
    """The measured share lies inside both intervals, and both stay within 0 to 1."""
    for interval in (wilson(*counts), clopper_pearson(*counts)):
        assert 0 <= interval.low <= interval.value <= interval.high <= 1


def test_no_samples_say_nothing() -> None:
    """Without samples the interval is everything."""
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert (clopper_pearson(0, 0).low, clopper_pearson(0, 0).high) == (0.0, 1.0)
    assert mean_interval(np.array([3.0])).high == np.inf
    assert bootstrap_mean(np.array([3.0])).low == -np.inf


@pytest.mark.parametrize(("successes", "n", "confidence"), [(3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_impossible_counts_are_refused(successes: int, n: int, confidence: float) -> None:
    """More successes than samples, or a confidence of 1, is the caller's mistake."""
    with pytest.raises(SettingError, match="Expected"):
        wilson(successes, n, confidence=confidence)


def test_mean_interval_is_scipys() -> None:
    """Student's interval agrees with scipy's."""
    values = np.random.default_rng(1).normal(5, 2, 12)
    expected = stats.t.interval(0.9, 11, values.mean(), stats.sem(values))
    ours = mean_interval(values, confidence=0.9)
    assert (ours.low, ours.high) == pytest.approx(expected)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30), st.floats(-1, 1))
def test_p_of_mean_is_scipys(values: list[float], shift: float) -> None:
    """The one-sided t-test agrees with scipy's where the values differ."""
    array = np.array(values) + shift
    if array.std() < 1e-6:
        return
    expected = float(stats.ttest_1samp(array, 0, alternative="greater").pvalue)
    assert p_of_mean_above_zero(array) == pytest.approx(expected, abs=1e-9)


def test_p_of_mean_without_spread() -> None:
    """Equal values leave no doubt, a single one says nothing."""
    assert p_of_mean_above_zero(np.ones(5)) == 0.0
    assert p_of_mean_above_zero(np.zeros(5)) == 1.0
    assert p_of_mean_above_zero(np.array([4.0])) == 1.0


def test_bootstrap_holds_the_truth() -> None:
    """Of 200 skewed samples of 60, the 95 % interval holds the true mean about that often."""
    source = np.random.default_rng(0)
    intervals_ = [bootstrap_mean(source.exponential(1.0, 60), draws=400, seed=i) for i in range(200)]
    held = sum(not interval.excludes(1.0) for interval in intervals_)
    assert 175 <= held <= 199


def test_bootstrap_is_repeatable_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same seed gives the same interval; drawn in portions it stays close."""
    values = np.random.default_rng(0).normal(size=50)
    whole = bootstrap_mean(values)
    assert whole == bootstrap_mean(values)
    monkeypatch.setattr(intervals, "DRAWS_AT_ONCE", 50 * 300)
    assert bootstrap_mean(values).low == pytest.approx(whole.low, abs=0.03)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5))
def test_mcnemar_is_a_coin_test(only_a: int, only_b: int, both: int) -> None:
    """The exact form is scipy's two-sided test of a fair coin; the mid-p form is never larger."""
    a = np.array([True] * only_a + [False] * only_b + [True] * both, dtype=bool)
    b = np.array([False] * only_a + [True] * only_b + [True] * both, dtype=bool)
    test = mcnemar(a, b)
    trials = only_a + only_b
    expected = float(stats.binomtest(only_a, trials).pvalue) if trials else 1.0
    assert (test.only_a, test.only_b) == (only_a, only_b)
    assert test.p_exact == pytest.approx(expected)
    assert test.p_mid <= test.p_exact + 1e-12
    assert test.p_mid >= test.p_exact / 2 - 1e-12


@pytest.mark.parametrize(("gain", "n"), [(0.0, 60), (0.05, 200), (0.3, 40)])
def test_paired_difference_holds_the_truth(gain: float, n: int) -> None:
    """Over 500 draws of correlated classifiers the 95 % interval holds the true gain that often."""
    source = np.random.default_rng(7)
    held = 0
    for _ in range(500):
        draw = source.random(n)
        b_right = draw < 0.6
        a_right = (b_right & (source.random(n) < 0.9)) | (~b_right & (source.random(n) < 0.15 + gain / 0.4))
        held += not paired_difference(a_right, b_right).excludes(0.6 * 0.9 + 0.4 * 0.15 + gain - 0.6)
    assert held / 500 > 0.92


def test_paired_difference_of_the_same() -> None:
    """A classifier against itself gains nothing, and the interval says how little is sure."""
    right = np.arange(50) < 30
    same = paired_difference(right, right)
    assert same.value == 0.0
    assert same.low == pytest.approx(-same.high)
    assert same.high < 0.08


def test_impossible_gains_are_cut() -> None:
    """The interval stays within -1 to 1 even on a handful of samples."""
    best = paired_difference(np.array([True, True]), np.array([False, False]))
    assert best.high == 1.0
