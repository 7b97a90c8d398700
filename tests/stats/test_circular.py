"""Facts about circles, against scipy's circular statistics, complex numbers and brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from epochal.errors import SettingError
from epochal.stats.circular import Circle

NUMBERS = st.floats(-1e4, 1e4, allow_nan=False)
CIRCLES = st.builds(Circle, period=st.floats(1e-2, 1e3), origin=st.floats(-1e3, 1e3))
SOME = st.lists(st.integers(0, 99), min_size=1, max_size=30).map(lambda tenths: np.array(tenths) / 10)
DIAL = Circle(period=10.0)


@given(CIRCLES, NUMBERS)
def test_wrapped_values_lie_within_one_period(circle: Circle, value: float) -> None:
    """A wrapped value lies from the origin to below one period more, and is the same place."""
    (wrapped,) = circle.wrap(np.array([value]))
    assert circle.origin <= wrapped < circle.origin + circle.period
    turns = (value - wrapped) / circle.period
    assert turns == pytest.approx(round(turns), abs=1e-6)


def test_a_rounding_step_below_the_origin_is_the_origin() -> None:
    """Of -1e-20 the remainder rounds to the whole period, which is written 0."""
    assert DIAL.wrap(np.array([-1e-20])).tolist() == [0.0]


@given(CIRCLES, NUMBERS, NUMBERS)
def test_distance_is_the_angle_between_vectors(circle: Circle, a: float, b: float) -> None:
    """The distance is the angle between the two unit vectors, symmetric and at most half the circle."""
    one, other = np.array([a]), np.array([b])
    between = np.exp(2j * np.pi * (a - b) / circle.period)
    away = circle.distance(one, other)[0]
    assert away == pytest.approx(abs(np.angle(between)) / (2 * np.pi) * circle.period, abs=1e-6 * circle.period)
    assert away == pytest.approx(circle.distance(other, one)[0], abs=1e-9 * circle.period + 1e-9)
    assert 0 <= away <= circle.period / 2 * (1 + 1e-12)


@given(CIRCLES, NUMBERS)
def test_place_undoes_unit(circle: Circle, value: float) -> None:
    """A value turned into a vector of any length and back is the same place, written within the scale."""
    back = circle.place(3.7 * circle.unit(np.array([value])))
    assert circle.distance(back, np.array([value]))[0] < 1e-6 * circle.period
    assert circle.origin <= back[0] < circle.origin + circle.period


@given(SOME)
def test_mean_is_scipys(values: np.ndarray) -> None:
    """Where the vectors do not cancel, their mean direction is scipy's circular mean."""
    if np.linalg.norm(DIAL.unit(values).mean(axis=0)) > 0.01:
        expected = stats.circmean(values, high=10, low=0)
        assert DIAL.distance(np.array([DIAL.mean(values)]), np.array([expected]))[0] < 1e-6


@given(SOME)
def test_no_place_has_a_smaller_mean_distance_than_the_median(values: np.ndarray) -> None:
    """Of a thousand places around the circle none is a better constant answer by absolute error."""
    best = DIAL.distance(values, np.array(DIAL.median(values))).mean()
    grid = np.linspace(0, 10, 1001)
    assert best <= DIAL.distance(values[:, None], grid).mean(axis=0).min() + 1e-9


@given(SOME, st.floats(-50, 50))
def test_spread_does_not_know_where_the_scale_begins(values: np.ndarray, turn: float) -> None:
    """Turning all values changes neither the spread nor where the mean lies among them."""
    assert DIAL.spread(values + turn) == pytest.approx(DIAL.spread(values), abs=1e-6)


def test_small_spreads_are_the_deviation_of_a_line() -> None:
    """A tenth of a degree around north spreads as numbers on a line do."""
    degrees = np.random.default_rng(0).normal(0, 0.1, 2000)
    assert Circle(period=360.0).spread(degrees) == pytest.approx(degrees.std(), rel=1e-3)


def test_weights_stand_for_repeated_values() -> None:
    """A value with the weight 3 counts as three equal ones, for mean, median and spread."""
    few, weights = np.array([9.0, 0.5, 3.0]), np.array([3, 2, 1])
    many = np.repeat(few, weights)
    for figure in (DIAL.mean, DIAL.median, DIAL.spread):
        assert figure(few, weights) == pytest.approx(figure(many))


@pytest.mark.parametrize(("period", "origin"), [(0.0, 0.0), (-1.0, 0.0), (np.inf, 0.0), (np.nan, 0.0), (1.0, np.nan)])
def test_what_is_no_circle_is_refused(period: float, origin: float) -> None:
    """A circle has a finite length above 0 and begins somewhere."""
    with pytest.raises(SettingError, match="Expected"):
        Circle(period=period, origin=origin)
