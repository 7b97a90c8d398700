from __future__ import annotations

import pytest

from epochal.report.page import render
from epochal.report.record import Record
from epochal.report.sections.result import ResultView, build
from report.clock import CLASSES, Event
from report.markup import Page
from report.other_results import METRICS
from report.other_tasks import run_of
from report.scoring import confusion

TASKS = list(METRICS)


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


def test_classes_are_told_with_the_extremes(events: list[Event]) -> None:
    """Each class has its row; the easiest and the hardest are named above."""
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


def test_calibration_may_be_a_list_of_groups() -> None:
    """The groups alone, as the task writes them, are as good."""
    view = seen(calibration=[{"confidence": 0.9, "accuracy": 0.8, "count": 10}], calibration_error=0.1)
    assert view.reliability.count("<circle") == 1
    assert ("Calibration error", "10.0\xa0%") in view.facts


def test_a_paired_gain_is_in_points() -> None:
    """The difference to the linear model on the same images has its sign and its interval."""
    view = seen(gain_over_linear={"value": 0.512, "low": 0.5, "high": 0.524})
    assert view.facts == (("Gain over a linear model, same images", "+51.2\xa0points (50.0 to 52.4)"),)


def test_the_linear_model_gains_nothing_over_itself() -> None:
    """Where the baseline is the model, no gain is told."""
    gain = {"value": 0.0, "low": 0.0, "high": 0.0}
    result = {"kind": "result", "value": 0.5, "model": "linear", "details": {"gain_over_linear": gain}}
    view = build(Record.of([result]))
    assert view is not None
    assert view.facts == ()


@pytest.mark.parametrize(("gain", "shown"), [(0.5, "0.5 less (0.4 to 0.6)"), (-0.2, "0.2 more (0.4 to 0.6)")])
def test_a_gain_of_an_error_is_less_of_it(gain: float, shown: str) -> None:
    """A positive gain is better whichever way the metric points: of an error, less."""
    told = {"gain_over_linear": {"value": gain, "low": 0.4, "high": 0.6}}
    error = {"metric": "mean absolute error", "higher_is_better": False, "unit": "", "task": "regression"}
    view = build(Record.of([{"kind": "result", "value": 0.5, **error, "details": told}]))
    assert view is not None
    assert view.facts == (("Gain over a linear model, same images", shown),)


@pytest.mark.parametrize("task", TASKS)
def test_each_task_shows_its_own_parts(task: str) -> None:
    """Values have drawings and no classes; masks and labels have classes; only masks and classes are confused."""
    view = build(Record.of(run_of(task)))
    assert view is not None
    assert (view.values is not None) == (task == "regression")
    assert (view.classes is not None) == (task != "regression")
    assert (view.confusion is not None) == (task == "segmentation")
    assert view.errors


def test_rows_of_masks_have_room_and_a_legend() -> None:
    """Image, truth and prediction stand in one wide cell; the colours of the classes are told beside them."""
    page = Page.read(render(run_of("segmentation")))
    assert page.all("ul", class_="cells wide")
    (legend,) = page.all("p", class_="key classes")
    assert legend.text.startswith("skybuildingpole")


def test_no_result_is_no_section() -> None:
    """Before the test split is opened there is nothing to show."""
    assert build(Record.of([])) is None
