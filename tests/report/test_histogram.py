from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.report.histogram import histogram
from report.markup import Page

EDGES = [0.0, 1.0, 2.0, 4.0]


def bars(page: Page) -> list[tuple[float, float]]:
    """Width in per cent and height in pixels of each bar."""
    return [(float(each.attributes["width"][:-1]), float(each.attributes["height"])) for each in page.all("rect")]


def test_bars_are_as_high_as_their_counts() -> None:
    """One group: counts on the axis, bars between their edges."""
    page = Page.read(histogram({"images": [10, 5, 0]}, edges=EDGES, label="error"))
    (first, high), (second, half), (third, none) = bars(page)
    assert (first, second, third) == (25.0, 25.0, 50.0)
    assert high == pytest.approx(2 * half)
    assert none == 0
    assert page.all("rect")[0].attributes["data-tip"] == "0 to 1: 10 images"


def test_groups_are_compared_by_their_shares() -> None:
    """A split of ten times the size does not hide the other: both are shares, in per cent."""
    page = Page.read(histogram({"train": [500, 500, 0], "val": [5, 5, 0]}, edges=EDGES, label="angle"))
    (path,) = page.all("path")
    top = round(220 - bars(page)[0][1], 1)
    assert f"L0.0 {top:g}" in path.attributes["d"]
    assert any(each.text.endswith(" %") for each in page.all("text"))
    assert page.all("rect")[0].attributes["data-tip"] == "0 to 1: train 500, val 5"


def test_a_mark_stands_where_it_lies_within() -> None:
    """No error is a place on the axis of errors; a mark outside is not drawn."""
    assert Page.read(histogram({"a": [1, 1, 1]}, edges=EDGES, label="x", mark=2.0)).all("line", class_="mark")
    assert not Page.read(histogram({"a": [1, 1, 1]}, edges=EDGES, label="x", mark=9.0)).all("line", class_="mark")


@pytest.mark.parametrize(
    ("groups", "edges"),
    [({}, EDGES), ({"a": [1, 2]}, EDGES), ({"a": [0, 0, 0]}, EDGES), ({"a": [1]}, [1.0, 1.0]), ({"a": []}, [])],
)
def test_what_makes_no_histogram_is_not_drawn(groups: dict[str, list[float]], edges: list[float]) -> None:
    """Counts that do not fit their edges, edges that do not rise, and nothing at all."""
    assert histogram(groups, edges=edges, label="x") == ""


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30).filter(any), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
def test_every_bar_is_inside(counts: list[int], low: float, width: float) -> None:
    """Bars fill the width from end to end, and none is higher than the drawing."""
    edges = [low + width * index for index in range(len(counts) + 1)]
    found = bars(Page.read(histogram({"a": counts}, edges=edges, label="x")))
    assert sum(each for each, _ in found) == pytest.approx(100, abs=0.01 * len(counts))
    assert all(0 <= height <= 220 for _, height in found)
