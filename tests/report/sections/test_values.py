from __future__ import annotations

import pytest

from epochal.report.sections.values import Values, build
from report.clock import Event
from report.markup import Page


def seen(**details: object) -> Values:
    """What is shown of these details."""
    found = build(details)
    assert found is not None
    return found


SCATTER = {"dial": [[9.9, 0.1], [5.0, 5.1], [1.0, 1.05], [2.0, 2.4]]}
RESIDUALS = {"dial": {"edges": [-1.0, 0.0, 1.0], "counts": [1, 3]}}
FIGURES = {"name": "dial", "mae": 0.19, "low": 0.1, "high": 0.3, "rmse": 0.25, "r2": 0.98, "bias": -0.02}


def test_every_value_has_its_drawings_and_its_row() -> None:
    """A scatter and a histogram under the name of the column, and its figures in the table."""
    view = seen(scatter=SCATTER, residuals=RESIDUALS, per_value=[FIGURES], period=10.0)
    (charts,) = view.charts
    assert charts.name == "dial"
    assert len(Page.read(charts.scatter).all("circle")) == 4
    assert len(Page.read(charts.residuals).all("rect")) == 2
    assert view.table == (("dial", "0.19", "0.1 to 0.3", "0.25", "0.98", "−0.02"),)


@pytest.mark.parametrize("told", [{"period": 10.0}, {"per_value": [{**FIGURES, "period": 10.0}]}])
def test_distances_go_round_the_circle(told: Event) -> None:
    """9.9 and 0.1 are 0.2 apart, wherever the period is told."""
    lead = seen(scatter=SCATTER, **told).lead
    assert "in a circle of 10" in lead
    assert "Half of these answers are off by less than 0.15, one in twenty by more than 0.4." in lead


def test_without_a_period_the_line_is_straight() -> None:
    """Then 9.9 and 0.1 are far apart, and nothing is said of a seam."""
    lead = seen(scatter=SCATTER, per_value=[{**FIGURES, "period": None}], period=None).lead
    assert "circle" not in lead
    assert "by more than 9.8." in lead


def test_many_columns_are_drawn_up_to_a_dozen() -> None:
    """The table has all of them, and the number of those not drawn is told."""
    names = [f"v{index}" for index in range(30)]
    view = seen(scatter=dict.fromkeys(names, SCATTER["dial"]), per_value=[{**FIGURES, "name": name} for name in names])
    assert (len(view.charts), view.left_out, len(view.table)) == (12, 18, 30)
    assert "Half of these" not in view.lead  # values of several units have no distance in common


@pytest.mark.parametrize(
    "broken",
    [
        {"scatter": {"dial": [[1.0], ["nan", 2.0], None]}},
        {"residuals": {"dial": {"edges": [0.0, "nan"], "counts": [1]}}},
        {"residuals": {"dial": {"edges": [0.0, 1.0], "counts": [1, 2, 3]}}},
        {"scatter": "text", "residuals": [], "per_value": 5},
        {},
    ],
)
def test_what_cannot_be_drawn_is_left_out(broken: Event) -> None:
    """Broken points and counts leave nothing, no empty frame."""
    assert build(broken) is None
