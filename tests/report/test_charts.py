from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.report.charts import Frame, Line, line_chart
from report.markup import Page

FRAME = Frame(title="Loss", x_label="epoch", height=200)


def drawn(lines: list[Line], *, frame: Frame = FRAME, log: bool = False) -> Page:
    """The chart, read as strictly as a page."""
    return Page.read(line_chart(lines, frame=frame, log=log))


def test_the_lowest_value_lies_lowest() -> None:
    """Heights follow values: the axis runs from its first tick at the bottom to its last at the top."""
    page = drawn([Line(label="train", x=[1, 2, 3], y=[0.0, 1.0, 2.0])])
    heights = [float(each.attributes["cy"]) for each in page.all("circle")]
    assert heights == [200.0, 100.0, 0.0]
    places = [each.attributes["cx"] for each in page.all("circle")]
    assert places == ["0.00%", "50.00%", "100.00%"]


def test_a_logarithmic_axis_spaces_equal_ratios_equally() -> None:
    """From 0.01 to 0.1 is as far as from 0.1 to 1."""
    page = drawn([Line(label="train", x=[1, 2, 3], y=[0.01, 0.1, 1.0])], log=True)
    heights = [float(each.attributes["cy"]) for each in page.all("circle")]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2])


def test_a_missing_value_leaves_a_gap() -> None:
    """A loss that was not finite breaks the curve; nothing is drawn across it."""
    page = drawn([Line(label="train", x=[1, 2, 3, 4, 5], y=[3.0, 2.0, None, 1.0, 0.5])])
    (path,) = page.all("path")
    assert path.attributes["d"].count("M") == 2
    assert len(page.all("circle")) == 4


def test_a_spike_survives_thinning() -> None:
    """One bad step among ten thousand is still seen."""
    y = [1.0] * 10_000
    y[5_417] = 80.0
    page = drawn([Line(label="loss", x=list(range(10_000)), y=y)])
    (told,) = json.loads(page.all("svg", class_="plot")[0].attributes["data-lines"])
    assert "80" in told["text"]
    assert len(told["x"]) <= 320


def test_labels_never_touch() -> None:
    """Lines that end at the same height are named one below the other, inside the chart."""
    lines = [Line(label=name, x=[1, 2], y=[1.0, 0.0], color=index + 1) for index, name in enumerate("abcd")]
    heights = sorted(
        float(each.attributes["y"]) for each in drawn(lines).all("text") if "label" in each.attributes["class"]
    )
    assert min(b - a for a, b in pairwise(heights)) >= 16
    assert heights[-1] <= 200


def test_the_chart_is_told_in_words() -> None:
    """Who cannot see the curve is told where it begins and ends."""
    page = drawn([Line(label="train", x=[1, 2, 3], y=[2.3, 1.0, 0.5])])
    assert page.all("svg", class_="plot")[0].attributes["aria-label"] == "Loss: train from 2.3 to 0.5"


def test_what_was_only_planned_is_dashed() -> None:
    """Without dots, even where there are few points: nothing was measured there."""
    page = drawn([Line(label="planned", x=[1, 2], y=[1.0, 0.0], color=2, dashed=True)])
    assert page.all("path", class_="s2 dashed")
    assert not page.all("circle")


def test_names_are_escaped() -> None:
    """A label is text, whatever it says."""
    page = drawn([Line(label='<b onclick="x">', x=[1, 2], y=[1.0, 2.0])], frame=Frame(title="<i>", x_label='"&'))
    assert not page.all("b")
    assert '<b onclick="x">' in [each.text for each in page.all("text")]


@pytest.mark.parametrize("y", [[], [None, None]])
def test_nothing_is_drawn_of_nothing(y: list[float | None]) -> None:
    """Without a value there is no chart."""
    assert line_chart([Line(label="train", x=[1.0] * len(y), y=y)], frame=FRAME) == ""


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.none() | st.floats(-1e12, 1e12)), min_size=1, max_size=60),
    st.sampled_from(["straight", "log"]),
)
def test_every_place_lies_inside(points: list[tuple[float, float | None]], axis: str) -> None:
    """Whatever the values, each point is a finite place within the chart."""
    points.sort(key=lambda point: point[0])
    chart = line_chart(
        [Line(label="any", x=[x for x, _ in points], y=[y for _, y in points])], frame=FRAME, log=axis == "log"
    )
    for plot in Page.read(chart).all("svg", class_="plot"):
        for line in json.loads(plot.attributes["data-lines"]):
            assert all(0 <= x <= 1 for x in line["x"])
            assert all(math.isfinite(y) and 0 <= y <= 200 for y in line["y"])
