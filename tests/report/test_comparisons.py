from __future__ import annotations

import pytest

from epochal.report.comparisons import bar, heat_row, interval_dot, reliability, stacked
from report.markup import Page


def test_a_bar_is_as_long_as_its_share() -> None:
    """The second rectangle, over the track, measures the value; the whisker its interval."""
    page = Page.read(bar(0.25, low=0.2, high=0.4))
    assert page.all("rect")[1].attributes["width"] == "25.00%"
    (whisker,) = page.all("line")
    assert (whisker.attributes["x1"], whisker.attributes["x2"]) == ("20.00%", "40.00%")


@pytest.mark.parametrize(("share", "width"), [(-0.5, "0.00%"), (7.0, "100.00%")])
def test_a_bar_never_leaves_its_cell(share: float, width: str) -> None:
    """A share that cannot be is drawn at the end of the track."""
    assert Page.read(bar(share)).all("rect")[1].attributes["width"] == width


def test_the_own_score_is_marked() -> None:
    """The model's dot is larger than those of its baselines."""
    own, other = (
        float(Page.read(interval_dot(0.5, own=each)).all("circle")[0].attributes["r"]) for each in (True, False)
    )
    assert own > other


def test_the_grid_behind_a_score_is_that_of_its_scale() -> None:
    """Quarters for shares, other places for other scales."""
    page = Page.read(interval_dot(0.5, grid=[0.0, 1 / 3, 2 / 3, 1.0]))
    assert [each.attributes["x1"] for each in page.all("line", class_="grid")] == ["0%", "33.33%", "66.67%", "100%"]


def test_heat_is_the_share() -> None:
    """Opacity is probability; a missing one is a gap, not a zero."""
    cells = Page.read(heat_row([0.0, 0.5, None], tips=["a", "b", "<c>"])).all("rect")
    assert [each.attributes.get("fill-opacity") for each in cells] == ["0.000", "0.500", None]
    assert cells[2].attributes["data-tip"] == "<c>"


def test_parts_of_a_bar_meet() -> None:
    """Each part begins where the one before ends, and the limit stands where it lies within."""
    page = Page.read(stacked([("a", 30.0), ("b", 90.0)], total=120.0, limit=100.0))
    _, first, second = page.all("rect")
    assert (first.attributes["x"], first.attributes["width"]) == ("0.00%", "25.00%")
    assert (second.attributes["x"], second.attributes["width"]) == ("25.00%", "75.00%")
    assert page.all("line", class_="limit")[0].attributes["x1"] == "83.33%"


def test_a_limit_that_was_kept_is_not_drawn() -> None:
    """Where the whole bar is the budget, its end needs no line."""
    assert not Page.read(stacked([("a", 30.0)], total=100.0, limit=100.0)).all("line")


def test_a_calibrated_group_lies_on_the_line() -> None:
    """A dot that is right as often as it says lies as high as it is far right."""
    (dot,) = Page.read(reliability([(0.75, 0.75, 1.0)])).all("circle")
    assert dot.attributes["cx"] == "75.00%"
    assert float(dot.attributes["cy"]) == 75.0  # a quarter down the 300 pixels of the drawing
