"""Facts about the figures of predicted numbers, against scikit-learn and by how often intervals hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, median_absolute_error, r2_score

from epochal.stats.circular import Circle
from epochal.stats.regression import histogram, judge, mean_size, signed_errors, sketch, weighted_median

PAIRS = st.lists(st.tuples(st.integers(-90, 90), st.integers(-90, 90)), min_size=2, max_size=40).map(
    lambda rows: np.array(rows, dtype=np.float64).T
)


@given(PAIRS)
def test_figures_are_scikit_learns(pair: np.ndarray) -> None:
    """Mean and median absolute error and r2 agree with scikit-learn's; the bias is the mean difference."""
    predicted, given = pair
    found = judge(predicted, given)
    assert found.mae.value == pytest.approx(mean_absolute_error(given, predicted))
    assert found.median == pytest.approx(median_absolute_error(given, predicted))
    assert found.bias == pytest.approx((predicted - given).mean())
    assert found.rmse == pytest.approx(np.sqrt(np.square(predicted - given).mean()))
    if len(np.unique(given)) > 1:
        assert found.r2 == pytest.approx(r2_score(given, predicted), rel=1e-6, abs=1e-9)
    else:
        assert np.isnan(found.r2)


@given(PAIRS)
def test_on_a_wide_circle_the_figures_are_those_of_a_line(pair: np.ndarray) -> None:
    """Where no two values are half a circle apart, the circle changes nothing but r2, and that hardly."""
    predicted, given = pair
    wide = judge(predicted, given, circle=Circle(period=1e6))
    line = judge(predicted, given)
    assert (wide.mae.value, wide.rmse, wide.median, wide.bias) == pytest.approx(
        (line.mae.value, line.rmse, line.median, line.bias), abs=1e-6
    )
    if len(np.unique(given)) > 1:
        assert wide.r2 == pytest.approx(line.r2, rel=1e-3, abs=1e-3)


@given(PAIRS, st.floats(-100, 100))
def test_turning_a_circle_changes_no_figure(pair: np.ndarray, turn: float) -> None:
    """All figures of a circle stay when prediction and label are turned together."""
    predicted, given = pair + 0.25 * np.array([[1], [0]])  # a quarter off, so that no error is exactly half a turn
    circle = Circle(period=36.0)
    here, there = judge(predicted, given, circle=circle), judge(predicted + turn, given + turn, circle=circle)
    assert (there.mae.value, there.rmse, there.bias) == pytest.approx((here.mae.value, here.rmse, here.bias), abs=1e-6)
    if np.isfinite(here.r2) and abs(here.r2) < 1e3:
        assert there.r2 == pytest.approx(here.r2, rel=1e-4, abs=1e-4)


def test_across_the_seam_the_error_is_small() -> None:
    """9.9 for a given 0.1 is 0.2 too little on a dial, 9.8 too much on a line."""
    given, said = np.array([0.1]), np.array([9.9])
    assert signed_errors(said, given, circle=Circle(period=10.0)) == pytest.approx(-0.2)
    assert signed_errors(said, given) == pytest.approx(9.8)


@pytest.mark.parametrize(("family", "truth"), [("half-normal", np.sqrt(2 / np.pi)), ("exponential", 1.0)])
@pytest.mark.parametrize(("n", "least"), [(10, 0.925), (30, 0.925), (200, 0.935)])
def test_intervals_of_sizes_hold_the_truth_about_as_often_as_they_say(
    family: str, truth: float, n: int, least: float
) -> None:
    """Of 2,000 samples of usual error sizes, the 95 % interval holds the true mean in 92.5 to 97 %."""
    source = np.random.default_rng(n)
    draws = np.abs(source.normal(size=(2000, n))) if family == "half-normal" else source.exponential(size=(2000, n))
    found = [mean_size(sizes) for sizes in draws]
    held = np.mean([interval.low <= truth <= interval.high for interval in found])
    assert least <= held <= 0.97


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=30))
def test_intervals_of_sizes_stay_above_zero(sizes: list[float]) -> None:
    """No interval of sizes reaches below 0, and each holds the mean."""
    found = mean_size(np.array(sizes))
    assert 0 <= found.low <= found.value * (1 + 1e-12)
    assert found.value <= found.high * (1 + 1e-12)


def test_without_samples_nothing_is_known() -> None:
    """Of one size the interval is everything from 0 up; of none, or of NaN, the value is NaN."""
    assert (mean_size(np.array([3.0])).low, mean_size(np.array([3.0])).high) == (0.0, np.inf)
    assert np.isnan(mean_size(np.array([])).value)
    assert np.isnan(mean_size(np.array([1.0, np.nan])).value)
    empty = judge(np.array([]), np.array([]))
    assert np.isnan([empty.rmse, empty.median, empty.bias, empty.r2]).all()


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(1, 5)), min_size=1, max_size=20))
def test_weighted_median_is_that_of_repeated_values(rows: list[tuple[int, int]]) -> None:
    """Weights count as repetitions."""
    values, weights = np.array(rows).T
    assert weighted_median(values.astype(float), weights) == np.median(np.repeat(values, weights))


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=200))
def test_a_sketch_of_few_values_loses_nothing(values: list[int]) -> None:
    """Distinct values with their counts are the sample itself, sorted."""
    kept, counts = sketch(np.array(values, dtype=float))
    assert np.repeat(kept, counts).tolist() == sorted(values)


@pytest.mark.parametrize("draw", ["normal", "exponential", "standard_cauchy"])
def test_a_sketch_of_many_values_keeps_means(draw: str) -> None:
    """Of 50,000 values 256 numbers keep count and mean, and the mean of a smooth L1 loss to a thousandth."""
    values = getattr(np.random.default_rng(0), draw)(size=50_000)
    kept, counts = sketch(values)
    assert (len(kept), counts.sum()) == (256, 50_000)
    assert np.average(kept, weights=counts) == pytest.approx(values.mean(), rel=1e-9)

    def loss(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(np.abs(x) < 1, 0.5 * x * x, np.abs(x) - 0.5))

    assert np.average(loss(kept), weights=counts) == pytest.approx(loss(values).mean(), rel=1e-3)


def test_a_histogram_lies_evenly_about_zero() -> None:
    """Every finite error is counted once, between edges that mirror each other; what is not finite is left out."""
    errors = np.array([-3.0, 0.1, 0.2, np.nan, np.inf, 2.9])
    edges, counts = histogram(errors)
    assert counts.sum() == 4
    np.testing.assert_allclose(edges, -edges[::-1])
    assert histogram(np.zeros(5))[1][20] == 5
