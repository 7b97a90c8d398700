from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.report.scatter import scatter, unwrapped
from report.markup import Page

VALUES = st.floats(-1e3, 1e3)


@given(VALUES, VALUES, st.floats(0.5, 400))
def test_no_answer_is_further_than_half_a_turn(true: float, said: float, period: float) -> None:
    """Cut open, a prediction lies on the same place of the circle, at most half of it away from its truth."""
    place = unwrapped(true, said, period=period)
    assert abs(place - true) <= period / 2 * 1.000001 + 1e-6
    turns = (place - said) / period
    assert turns == pytest.approx(round(turns), abs=1e-4)


def dots(page: Page) -> list[tuple[float, float]]:
    """Where the dots are, in per cent from the left and pixels from the top."""
    return [(float(each.attributes["cx"][:-1]), float(each.attributes["cy"])) for each in page.all("circle")]


def test_right_answers_lie_on_the_diagonal() -> None:
    """Both axes have one scale: what is predicted rightly is as high as it is far right."""
    page = Page.read(scatter([(1.0, 1.0), (2.0, 2.0), (4.0, 3.0)], name="age"))
    (ideal,) = page.all("line", class_="ideal")
    assert (ideal.attributes["x1"], ideal.attributes["x2"]) == ("0.00%", "100.00%")
    first, second, third = dots(page)
    for across, down in (first, second):
        assert across / 100 == pytest.approx(1 - down / 320, abs=0.001)
    assert third[0] / 100 > 1 - third[1] / 320


def test_an_answer_across_the_seam_is_drawn_beyond_it() -> None:
    """9.9 taken for 0.1 is a small error and lies near the diagonal, above the dotted end of the circle."""
    page = Page.read(scatter([(9.9, 0.1), (5.0, 5.0), (0.1, 0.1)], name="dial", period=10.0))
    (seam,) = page.all("line", class_="mark")
    crossed = dots(page)[0]
    assert crossed[1] < float(seam.attributes["y1"])
    assert page.all("circle")[0].attributes["data-tip"] == "true 9.9, predicted 0.1"
    (ideal,) = page.all("line", class_="ideal")
    assert (ideal.attributes["x1"], ideal.attributes["x2"]) == ("0.00%", "100.00%")
    assert float(ideal.attributes["y2"]) == float(seam.attributes["y1"])


def test_a_circle_may_begin_below_zero() -> None:
    """Angles from -180 to 180 are cut open at -180."""
    page = Page.read(scatter([(-170.0, 175.0), (170.0, 170.0)], name="angle", period=360.0))
    texts = [each.text for each in page.all("text")]
    assert "−100" in texts
    assert len(page.all("line", class_="mark")) == 1  # only the lower end is crossed


def test_names_are_text() -> None:
    """A column may be called anything."""
    page = Page.read(scatter([(1.0, 2.0)], name="<b>"))
    assert not page.all("b")
    assert "true <b>" in [each.text for each in page.all("text")]


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=20), st.none() | st.floats(1, 400))
def test_every_dot_is_inside(points: list[tuple[float, float]], period: float | None) -> None:
    """Whatever the values, each has its place in the drawing."""
    for across, down in dots(Page.read(scatter(points, name="x", period=period))):
        assert 0 <= across <= 100
        assert 0 <= down <= 320
