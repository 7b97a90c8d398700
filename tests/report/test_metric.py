from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.report.metric import Metric
from epochal.report.record import Record
from epochal.report.wording import GAP
from report.clock import Event

ERROR = Metric(task="regression", name="mean absolute error", higher_is_better=False, unit="")
TOLD = {"name": "regression", "metric": "mean absolute error", "higher_is_better": False, "unit": "degrees"}


def test_the_journal_names_its_metric_at_the_start() -> None:
    """The measurement `task` holds from the first event on, before there is any result."""
    metric = Metric.of(Record.of([{"kind": "measurement", "name": "task", "value": TOLD}]))
    assert metric == Metric(task="regression", name="mean absolute error", higher_is_better=False, unit="degrees")
    assert metric.title == "Mean absolute error (degrees)"
    assert metric.show(3.25) == f"3.25{GAP}degrees"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], Metric()),
        ([{"kind": "result", "value": 0.9}], Metric()),
        ([{"kind": "result", "metric": "accuracy", "value": 0.9}], Metric()),
        ([{"kind": "result", "metric": "rmse", "value": 3.0}], Metric(name="rmse", higher_is_better=None, unit="")),
        (
            [
                {
                    "kind": "result",
                    "task": "segmentation",
                    "metric": "mean IoU",
                    "higher_is_better": True,
                    "unit": "share",
                }
            ],
            Metric(task="segmentation", name="mean IoU"),
        ),
        ([{"kind": "measurement", "name": "task", "value": "nonsense"}], Metric()),
    ],
)
def test_older_and_broken_journals_have_one_too(events: list[Event], expected: Metric) -> None:
    """Without the measurement the result tells it; without a unit, accuracy is a share and nothing else is."""
    assert Metric.of(Record.of(events)) == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=1), st.booleans())
def test_the_best_is_beaten_by_none(values: list[float], up: bool) -> None:
    """Whichever way is up, no other value is better than the best."""
    metric = Metric(name="any", higher_is_better=up, unit="")
    best = metric.best(values)
    assert best in values
    assert not any(metric.better(value, than=best) for value in values)


def test_without_a_direction_nothing_is_compared() -> None:
    """A metric of which nobody says what is better has no best."""
    metric = Metric(name="rmse", higher_is_better=None, unit="")
    assert metric.best([1.0, 2.0]) is None
    assert not metric.better(1.0, than=2.0)
    assert not metric.better(2.0, than=1.0)


def test_model_events_name_their_split() -> None:
    """`validation mean absolute error` is the run's metric; a metric of another name speaks for itself."""
    assert ERROR.told_by({"metric": "validation mean absolute error"}) is ERROR
    assert ERROR.told_by({}) is ERROR
    assert ERROR.told_by({"metric": "validation accuracy"}).is_share
    assert not Metric().told_by({"metric": "rmse"}).is_share


@pytest.mark.parametrize(
    ("metric", "worded"),
    [(Metric(), "50.0 % (40.0 to 60.0)"), (ERROR, "0.5 (0.4 to 0.6)"), (Metric(unit="px"), "0.5 px (0.4 to 0.6)")],
)
def test_values_carry_their_unit_once(metric: Metric, worded: str) -> None:
    """The unit stands with the value, the interval goes without."""
    assert metric.worded(0.5, low=0.4, high=0.6).replace(GAP, " ") == worded
    assert "(" not in metric.worded(0.5, low=0.4)
    assert metric.show(None) == "–"
