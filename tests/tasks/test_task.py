"""What every task says: its metric."""

import math

import pytest

from epochal.tasks.task import Metric

ACCURACY = Metric(name="accuracy", higher_is_better=True)
ERROR = Metric(name="mean absolute error", higher_is_better=False, unit="degrees")


@pytest.mark.parametrize("metric", [ACCURACY, ERROR])
def test_better_follows_the_direction_of_the_metric(metric: Metric) -> None:
    """Of two values exactly one is better, and it is the one on the metric's good side."""
    low_wins, high_wins = metric.better(1.0, than=2.0), metric.better(2.0, than=1.0)
    assert (low_wins, high_wins) == (not metric.higher_is_better, metric.higher_is_better)


@pytest.mark.parametrize("metric", [ACCURACY, ERROR])
def test_what_is_no_number_is_never_better(metric: Metric) -> None:
    """A score that is NaN wins against nothing."""
    assert not metric.better(math.nan, than=0.5)


def test_values_are_shown_in_their_unit() -> None:
    """Shares are percentages; everything else keeps its unit, and none leaves no blank behind."""
    assert ACCURACY.show(0.5) == "50.0%"
    assert ERROR.show(0.1234) == "0.123 degrees"
    assert Metric(name="mean absolute error", higher_is_better=False, unit="").show(2.0) == "2"
