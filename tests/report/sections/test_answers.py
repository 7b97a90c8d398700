from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.report.sections.answers import ManyLabels, Measured, OneClass

ROWS = st.lists(st.none() | st.floats(0, 1), max_size=4)


def test_one_class_is_worth_its_probability() -> None:
    """A class that is preferred is named where it is another one."""
    truth = OneClass(index=1, names=["cat", "dog"], label="dog")
    assert truth.share([0.7, 0.3]) == 0.3
    assert truth.told([0.7, 0.3]).replace("\xa0", " ") == "30.0 % dog, says cat"
    assert truth.guess([0.3, 0.7]) == ""


def test_labels_are_worth_the_mean_probability_of_those_that_are_there() -> None:
    """What is said besides counts only as a wrong answer; an image without labels is right where all are unlikely."""
    truth = ManyLabels(present=[True, False, True], names=["a", "b", "c"], label="a; c")
    assert truth.share([0.9, 0.99, 0.7]) == 0.8
    assert truth.guess([0.9, 0.99, 0.7]) == "a; b; c"
    assert truth.guess([0.9, 0.2, 0.7]) == ""
    assert truth.guess([0.1, 0.2, 0.3]) == "nothing"
    none = ManyLabels(present=[False, False], names=["a", "b"], label="none")
    assert none.share([0.1, 0.3]) == pytest.approx(0.7)
    assert none.guess([0.1, 0.3]) == ""


def test_values_are_worth_their_nearness() -> None:
    """1 at the truth, falling to 0 at the scale, by the shorter way round where there is one."""
    line = Measured(values=[2.0, 10.0], scales=[4.0, 10.0], label="2, 10")
    assert line.share([2.0, 10.0]) == 1.0
    assert line.share([4.0, 15.0]) == pytest.approx(0.5)
    assert line.share([99.0, 99.0]) == 0.0
    dial = Measured(values=[9.9], scales=[2.5], label="9.9", period=10.0)
    assert dial.share([0.1]) == pytest.approx(1 - 0.2 / 2.5)
    assert dial.told([0.1]) == "0.1, true 9.9"
    assert dial.guess([5.0]) == ""


@given(ROWS)
def test_any_row_can_be_read(row: list[float | None]) -> None:
    """Rows that are too short or have gaps are worth a share or nothing, and are always told."""
    answers = (
        OneClass(index=2, names=["a"], label="class 2"),
        ManyLabels(present=[True, False], names=["a"], label="a"),
        Measured(values=[0.5, 0.1], scales=[1.0, 1.0], label="0.5", period=1.0),
    )
    for answer in answers:
        share = answer.share(row)
        assert share is None or 0 <= share <= 1
        assert answer.told(row)
        assert isinstance(answer.final(row), str)
        assert isinstance(answer.guess(row), str)
