from __future__ import annotations

import pytest

from epochal.report.record import Record
from epochal.report.sections.result import ResultView, build
from report.clock import CLASSES, Event
from report.markup import Page
from report.scoring import confusion


def seen(**details: object) -> ResultView:
    """The section for a result with these details."""
    view = build(Record.of([{"kind": "result", "value": 0.9, "details": details}]))
    assert view is not None
    return view


def test_the_matrix_shows_every_count(page: Page) -> None:
    """Counts stand in the cells where the journal has them, row by row."""
    cells = [each for each in page.all("td") if "data-tip" in each.attributes]
    assert [int(each.text) for each in cells] == [count for row in confusion() for count in row]
    assert cells[1].attributes["data-tip"].startswith("airplane, taken for automobile: ")


def test_strength_follows_the_share() -> None:
    """Right answers are as strong as their share of the row; the worst error is the strongest of the errors."""
    view = seen(confusion={"labels": ["a", "b"], "counts": [[90, 10], [40, 60]]})
    assert view.confusion is not None
    (_, first), (_, second) = view.confusion.matrix
    assert (first[0].strength, second[1].strength) == ("0.900", "0.600")
    assert float(second[0].strength) == 0.8
    assert 0.12 < float(first[1].strength) < float(second[0].strength)


def test_the_most_confused_pairs_come_first() -> None:
    """Pairs are ordered by count, right answers and zeros are none."""
    view = seen(confusion={"labels": ["a", "b", "c"], "counts": [[90, 10, 0], [40, 60, 0], [0, 2, 98]]})
    assert view.confusion is not None
    assert [(given, said, amount) for given, said, amount, _ in view.confusion.pairs] == [
        ("b", "a", "40"),
        ("a", "b", "10"),
        ("c", "b", "2"),
    ]


def test_missing_names_are_numbers() -> None:
    """A matrix without labels is drawn all the same."""
    view = seen(confusion={"counts": [[1, 0], [0, 1]]})
    assert view.confusion is not None
    assert view.confusion.labels == ("class 0", "class 1")


@pytest.mark.parametrize("counts", [None, [], [[5]], [[1, 2], []], "text"])
def test_a_broken_matrix_is_left_out(counts: object) -> None:
    """What is not a square of two or more is not drawn."""
    assert seen(confusion={"labels": ["a", "b"], "counts": counts}).confusion is None


def test_classes_can_be_sorted_by_their_numbers(events: list[Event]) -> None:
    """Each row carries the plain numbers beside the written ones; a missing one sorts below zero."""
    view = build(Record.of(events))
    assert view is not None
    assert view.classes is not None
    assert [row.label for row in view.classes.rows] == CLASSES
    assert view.lead == "Easiest class: automobile (96.4\xa0% found). Hardest: cat (80.0\xa0%)."


def test_calibration_is_drawn_by_its_groups() -> None:
    """One dot for each group that holds images; an error is per cent."""
    bins = [{"confidence": 0.9, "accuracy": 0.8, "count": 10}, {"confidence": 0.5, "accuracy": "nan", "count": 0}]
    view = seen(calibration={"ece": 0.1, "bins": bins})
    assert view.reliability.count("<circle") == 1
    assert ("Calibration error", "10.0\xa0%") in view.facts
    assert seen(calibration={"bins": []}).reliability == ""


def test_a_paired_gain_is_in_points() -> None:
    """The difference to the linear model on the same images has its sign and its interval."""
    view = seen(gain_over_linear={"value": 0.512, "low": 0.5, "high": 0.524})
    assert view.facts == (("Gain over a linear model, same images", "+51.2\xa0points (50.0 to 52.4)"),)


def test_no_result_is_no_section() -> None:
    """Before the test split is opened there is nothing to show."""
    assert build(Record.of([])) is None
