from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.report.scales import logarithmic, straight, ticks_between, whole_ticks

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20)


@given(VALUES)
def test_ticks_enclose_the_values(values: list[float]) -> None:
    """No value lies outside its axis, and the ticks rise evenly."""
    scale = straight(values)
    assert scale.low <= min(values) or scale.low == pytest.approx(min(values))
    assert scale.high >= max(values)
    steps = [b - a for a, b in zip(scale.ticks, scale.ticks[1:], strict=False)]
    assert min(steps) > 0
    assert max(steps) == pytest.approx(min(steps), rel=1e-3)


@given(VALUES, st.floats(-1e9, 1e9))
def test_places_are_shares(values: list[float], value: float) -> None:
    """A place is within the axis, whatever is asked for."""
    assert 0 <= straight(values).place(value) <= 1


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_there_are_few_ticks(low: float, width: float) -> None:
    """An axis is read at a glance: between two and nine numbers."""
    assert 2 <= len(ticks_between(low, low + width)) <= 9


def test_values_that_reach_down_are_shown_from_zero() -> None:
    """Heights are compared from the ground where the ground is near, and not where it is far."""
    assert straight([0.5, 2.3]).low == 0.0
    assert straight([90.1, 91.5]).low == 90.0


def test_shares_end_at_their_ceiling() -> None:
    """No axis of per cent goes beyond 100."""
    assert straight([0.4, 0.97], ceiling=1.0).ticks[-1] == 1.0


@given(st.lists(st.floats(1e-9, 1e9), min_size=1))
def test_a_logarithmic_axis_encloses_its_values(values: list[float]) -> None:
    """Where there is such an axis, lowest and highest values lie on it, not beyond."""
    scale = logarithmic(values)
    if scale is not None:
        assert scale.low <= min(values) * 1.00001
        assert scale.high >= max(values) * 0.99999


def test_zeros_have_no_place_on_a_logarithmic_axis() -> None:
    """They are left out of its range; without positive values there is none."""
    assert logarithmic([0.0, None, -1.0]) is None
    assert logarithmic([0.0, 0.01, 1.0]) == logarithmic([0.01, 1.0])


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_epochs_are_counted_in_whole_numbers(low: float, high: float) -> None:
    """Ticks of an axis of epochs lie within it, and are whole where it is long enough."""
    ticks = whole_ticks(min(low, high), max(low, high))
    assert all(min(low, high) <= tick <= max(low, high) for tick in ticks)
    if abs(high - low) > 3:
        assert all(tick == int(tick) for tick in ticks)
