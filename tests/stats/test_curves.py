"""Facts about thinning, smoothing and slopes of series."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from epochal.errors import SettingError
from epochal.stats.curves import slope, smooth, thin

SERIES = st.lists(st.floats(-100, 100), min_size=1, max_size=400)


@given(SERIES, st.integers(4, 60))
def test_thinning_keeps_peaks_and_ends(values: list[float], points: int) -> None:
    """Few enough points remain, in order, each one an original, with both ends and both extremes."""
    y = np.array(values)
    x = np.arange(len(y))
    kept_x, kept_y = thin(x, y, points=points)
    assert len(kept_x) <= max(points, 4)
    assert (np.diff(kept_x) > 0).all()
    np.testing.assert_array_equal(kept_y, y[kept_x])
    assert (kept_x[0], kept_x[-1]) == (0, len(y) - 1)
    assert (kept_y.min(), kept_y.max()) == (y.min(), y.max())


def test_thinning_keeps_a_break() -> None:
    """One NaN among ten thousand points is still there afterwards."""
    y = np.zeros(10_000)
    y[777] = np.nan
    assert np.isnan(thin(np.arange(10_000), y, points=50)[1]).any()
    assert np.isnan(thin(np.arange(100), np.full(100, np.nan), points=10)[1]).all()


def test_too_few_points_are_refused() -> None:
    """Fewer than four points cannot hold both ends and both extremes."""
    with pytest.raises(SettingError, match="points is 3"):
        thin(np.arange(9), np.arange(9), points=3)


@given(SERIES, st.floats(1, 50))
def test_smoothing_is_a_weighted_mean(values: list[float], span: float) -> None:
    """Every smoothed point is the mean of the past, weighted by (1 - 1/span)^age."""
    y = np.array(values)
    keep = 1 - 1 / span
    for step, got in enumerate(smooth(y, span=span)):
        weights = keep ** np.arange(step, -1, -1)
        assert got == pytest.approx(weights @ y[: step + 1] / weights.sum(), abs=1e-8)


def test_smoothing_does_not_hide_a_break() -> None:
    """After a NaN everything is NaN."""
    assert np.isnan(smooth(np.array([1.0, np.nan, 1.0]), span=3)).tolist() == [False, True, True]
    with pytest.raises(SettingError, match="span"):
        smooth(np.ones(3), span=0.5)


@given(st.lists(st.floats(-50, 50), min_size=3, max_size=40))
def test_slope_is_scipys(values: list[float]) -> None:
    """Slope and interval agree with scipy's linear regression."""
    y = np.array(values)
    if np.ptp(y) < 1e-6:  # scipy divides nought by nought
        return
    x = np.arange(len(y)) * 0.5
    line = stats.linregress(x, y)
    reach = stats.t.ppf(0.975, len(y) - 2) * line.stderr
    ours = slope(x, y)
    assert ours.value == pytest.approx(line.slope, abs=1e-9)
    assert ours.high - ours.value == pytest.approx(reach, rel=1e-5, abs=1e-5)


def test_slope_of_too_little_is_open() -> None:
    """One point has no slope; two have one, of which nothing is sure."""
    assert np.isnan(slope(np.array([1.0]), np.array([2.0])).value)
    assert np.isnan(slope(np.ones(5), np.arange(5.0)).value)
    assert slope(np.array([0.0, 1.0]), np.array([0.0, 3.0])).value == 3.0
    assert slope(np.array([0.0, 1.0]), np.array([0.0, 3.0])).high == np.inf
