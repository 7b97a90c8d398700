"""Facts about samples drawn again, and intervals made of what they give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.stats import resampling
from epochal.stats.intervals import mean_interval
from epochal.stats.resampling import interval_of_draws, interval_of_ranking, times_drawn


@given(st.integers(1, 30), st.integers(1, 20), st.integers(0, 99))
def test_each_draw_takes_as_many_as_there_are(n: int, draws: int, seed: int) -> None:
    """Columns add up to n, and the same seed draws the same."""
    times, again = (np.concatenate(list(times_drawn(n, draws=draws, seed=seed)), axis=1) for _ in range(2))
    assert times.shape == (n, draws)
    assert (times.sum(axis=0) == n).all()
    np.testing.assert_array_equal(times, again)


def test_portions_change_nothing_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn in portions or at once, each sample comes up once on average, and all columns are there."""
    monkeypatch.setattr(resampling, "DRAWS_AT_ONCE", 100)
    portions = list(times_drawn(10, draws=4005, seed=0))
    assert [each.shape[1] for each in portions] == [10] * 400 + [5]
    assert np.concatenate(portions, axis=1).mean(axis=1) == pytest.approx(1, abs=0.06)


def test_no_sample_draws_nothing() -> None:
    """Without samples there are columns of nothing."""
    assert next(times_drawn(0, draws=3, seed=0)).shape == (0, 3)


@pytest.mark.parametrize("n", [8, 20, 100])
def test_a_mean_of_few_gets_students_interval(n: int) -> None:
    """Of normal values the interval is about Student's, not the narrower one of plain percentiles."""
    values = np.random.default_rng(n).normal(0.5, 0.1, n)
    drawn = np.concatenate([values @ times / n for times in times_drawn(n, draws=20_000, seed=0)])
    ours, exact = interval_of_draws(float(values.mean()), drawn=drawn, samples=n), mean_interval(values)
    plain = np.quantile(drawn, [0.025, 0.975])
    assert ours.high - ours.low == pytest.approx(exact.high - exact.low, rel=0.2)
    assert ours.high - ours.low > plain[1] - plain[0]


@pytest.mark.parametrize("make", [interval_of_draws, interval_of_ranking])
def test_what_is_not_defined_is_left_out(make: type) -> None:
    """Draws without a figure do not count; without any other, or of one sample, nothing is known."""
    drawn = np.array([0.4, np.nan, 0.6] * 50)
    known = make(0.5, drawn=drawn, samples=20)
    assert known == make(0.5, drawn=drawn[~np.isnan(drawn)], samples=20)
    for found in (make(0.5, drawn=drawn, samples=1), make(np.nan, drawn=np.full(9, np.nan), samples=20)):
        assert (found.low, found.high) == (0, 1)


def test_flattery_is_taken_off() -> None:
    """Where the draws lie above the value, the interval's middle lies as far below it, in log odds; 1 stays 1."""
    drawn = 1 / (1 + np.exp(-np.random.default_rng(0).normal(0.5, 0.2, 4000)))
    for odds in (0.5, 0.4):
        found = interval_of_ranking(float(1 / (1 + np.exp(-odds))), drawn=drawn, samples=500)
        middle = np.mean([np.log(p / (1 - p)) for p in (found.low, found.high)])
        assert middle == pytest.approx(2 * odds - 0.5, abs=0.03)
    sure = interval_of_ranking(1.0, drawn=np.ones(100), samples=50)
    assert sure.high == 1.0
    assert 0.999 < sure.low <= 1.0


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(0, 1))
def test_the_value_is_always_held(drawn: list[float], value: float) -> None:
    """Whatever is drawn, the interval holds the figure and lies within its reach."""
    for make in (interval_of_draws, interval_of_ranking):
        found = make(value, drawn=np.array(drawn), samples=5)
        assert 0 <= found.low <= value <= found.high <= 1
