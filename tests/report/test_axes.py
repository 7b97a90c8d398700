from __future__ import annotations

from epochal.report.axes import Axes, plain
from epochal.report.scales import Scale
from report.markup import Page

AXES = Axes(
    x=Scale(low=-1.0, high=3.0, ticks=(-1.0, 0.0, 3.0)), y=Scale(low=0.0, high=2.0, ticks=(0.0, 2.0)), height=100
)


def test_up_is_more_and_right_is_more() -> None:
    """The lowest value lies at the bottom left, the highest at the top right."""
    assert (AXES.across(-1.0), AXES.down(0.0)) == ("0.00%", 100.0)
    assert (AXES.across(3.0), AXES.down(2.0)) == ("100.00%", 0.0)


def test_every_tick_is_written_once() -> None:
    """Numbers of both axes and what the lower one is; a line for each of the left one."""
    page = Page.read("<svg>" + AXES.grid(x_label="a <b>") + "</svg>")
    assert [each.text for each in page.all("text")] == ["0", "2", "−1", "0", "3", "a <b>"]
    assert len(page.all("line")) == 2


def test_numbers_have_a_true_minus_sign() -> None:
    """A hyphen is no sign."""
    assert plain(-0.5) == "−0.5"
    assert plain(-0.0) == "0"
