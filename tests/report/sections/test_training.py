from __future__ import annotations

import pytest

from epochal.report.record import Record
from epochal.report.sections.training import TrainingView, build
from epochal.report.wording import GAP
from report.clock import Event
from report.markup import Page


def epochs(stage: str, *accuracies: object) -> list[Event]:
    """A fit with these validation accuracies."""
    return [
        {
            "kind": "epoch",
            "stage": stage,
            "number": number,
            "train_loss": 2 / number,
            "val_loss": 2.2 / number,
            "val_accuracy": accuracy,
            "lr": 0.1,
        }
        for number, accuracy in enumerate(accuracies, start=1)
    ]


def seen(events: list[Event]) -> TrainingView:
    """The section for these events."""
    view = build(Record.of(events))
    assert view is not None
    return view


def test_every_curve_is_drawn(page: Page) -> None:
    """Loss, accuracy, loss by step and rate of the training; loss, accuracy and rate of the baseline, folded."""
    titles = [each.text for each in page.all("figcaption") if each.text]
    for title in ("Losslog", "Accuracy", "Loss, step by step (nats)log", "Learning ratelog"):
        assert title in titles
    assert "Baseline" in [each.text for each in page.all("summary")]


def test_the_best_epoch_is_marked() -> None:
    """Early stopping restores the best, not the last; the charts and the lead say which it is."""
    view = seen(epochs("train", 0.5, 0.8, 0.7))
    assert view.lead.replace(GAP, " ") == "Best on validation: 80.0 % after epoch 2 of 3."
    assert 'class="mark" x1="50.00%"' in view.main.charts[0].svg


def test_the_train_stage_comes_first() -> None:
    """Whatever ran last, the network's own training is the one shown open."""
    view = seen([*epochs("train", 0.5, 0.6), *epochs("squeeze", 0.6, 0.7)])
    assert (view.main.name, [fit.name for fit in view.others]) == ("train", ["squeeze"])


def test_values_that_are_not_finite_are_counted() -> None:
    """A curve with holes says so."""
    view = seen(epochs("train", 0.5, "nan", 0.6))
    assert view.main.charts[1].note == "1 value is missing or not finite, and not drawn."


def test_one_epoch_is_no_curve() -> None:
    """A single point is told in words."""
    view = seen(epochs("train", 0.5))
    assert view.main.charts == ()
    assert view.lead.startswith("Best on validation")


def test_series_belong_to_their_fit() -> None:
    """A step-level curve stands with the fit whose name it begins with; one of no fit stands alone."""
    curve = {"kind": "series", "name": "train.grad_norm", "x": [1, 2], "y": [3.0, 2.0]}
    view = seen([*epochs("train", 0.5, 0.6), curve, {**curve, "name": "probe.loss"}])
    assert "Length of the gradient" in [chart.title for chart in view.main.charts]
    assert [fit.name for fit in view.others] == ["probe"]


def told(metric: str, *, up: bool, unit: str) -> Event:
    """What the run is judged by."""
    value = {"name": "regression", "metric": metric, "higher_is_better": up, "unit": unit}
    return {"kind": "measurement", "name": "task", "value": value}


def scored(*scores: object, **fields: object) -> list[Event]:
    """A fit with these validation scores, as newer journals have them."""
    return [
        {"kind": "epoch", "stage": "train", "number": number, "val_score": score, "lr": 0.1 / number, **fields}
        for number, score in enumerate(scores, start=1)
    ]


def test_the_best_error_is_the_smallest() -> None:
    """Of a metric that falls, the lowest epoch is marked, and the chart has its name and unit."""
    view = seen([told("mean absolute error", up=False, unit="px"), *scored(3.0, 1.25, 2.0)])
    assert view.lead.replace(GAP, " ") == "Best on validation: mean absolute error 1.25 px after epoch 2 of 3."
    assert view.main.charts[0].title == "Mean absolute error (px)"
    assert 'class="mark" x1="50.00%"' in view.main.charts[0].svg


def test_other_shares_are_per_cent() -> None:
    """A mean IoU is read like an accuracy, under its own name."""
    view = seen([told("mean IoU", up=True, unit="share"), *scored(0.2, 0.5)])
    assert view.lead.replace(GAP, " ") == "Best on validation: 50.0 % after epoch 2 of 2."
    assert view.main.charts[0].title == "Mean IoU"


def test_a_score_wins_over_an_accuracy() -> None:
    """Journals that have both mean the score."""
    assert "70.0" in seen(scored(0.6, 0.7, val_accuracy=0.1)).lead


def test_without_a_direction_no_epoch_is_best() -> None:
    """Of a metric that nobody explains none is marked; the epochs are counted."""
    events = [{"kind": "result", "metric": "rmse", "value": 3.0}, *scored(3.0, 2.0)]
    view = seen(events)
    assert view.lead == "2 epochs."
    assert "mark" not in view.main.charts[0].svg


def planned(**fields: object) -> Event:
    """The schedule as it was drawn before the run."""
    return {"kind": "series", "name": "train.lr_planned", "x": [0, 50, 100], "y": [0.0, 0.1, 0.0], **fields}


def rates(view: TrainingView) -> list[str]:
    """The names of the lines in the chart of the learning rate."""
    (chart,) = [chart for chart in view.main.charts if chart.title == "Learning rate"]
    return [each.text for each in Page.read(chart.svg).all("text") if "label" in each.attributes.get("class", "")]


def test_the_planned_rate_stands_behind_the_actual_one() -> None:
    """Both in one chart, the plan dashed, step by step where the rate was written so."""
    actual = {"kind": "series", "name": "train.lr", "x": [1, 60], "y": [0.01, 0.09]}
    view = seen([*scored(0.5, 0.6), planned(), actual])
    assert sorted(rates(view)) == ["actual", "planned"]
    (chart,) = [chart for chart in view.main.charts if chart.title == "Learning rate"]
    assert 'class="s2 dashed"' in chart.svg
    assert "train.lr_planned" not in [each.title for each in view.main.charts]


@pytest.mark.parametrize(
    ("over", "label"), [("progress", "share of the schedule"), ("epoch", "epoch"), ("step", "step")]
)
def test_a_plan_runs_along_what_it_says(over: str, label: str) -> None:
    """Without a step-level series the rates of the epochs are put at the same kind of place."""
    epochs = [{**event, "progress": 0.3 * at, "steps": 40 * at} for at, event in enumerate(scored(0.5, 0.6, 0.7), 1)]
    view = seen([*epochs, planned(over=over)])
    assert sorted(rates(view)) == ["actual", "planned"]
    (chart,) = [chart for chart in view.main.charts if chart.title == "Learning rate"]
    assert label in [each.text for each in Page.read(chart.svg).all("text")]


def test_a_plan_that_ends_at_one_is_a_share_of_the_schedule() -> None:
    """Where nothing is told, no schedule of real steps ends at the first."""
    epochs = [{**event, "progress": 0.3 * at} for at, event in enumerate(scored(0.5, 0.6, 0.7), 1)]
    view = seen([*epochs, {**planned(), "x": [0.0, 0.5, 1.0]}])
    (chart,) = [chart for chart in view.main.charts if chart.title == "Learning rate"]
    assert "share of the schedule" in [each.text for each in Page.read(chart.svg).all("text")]
    assert sorted(rates(view)) == ["actual", "planned"]


def test_a_plan_alone_is_drawn_alone() -> None:
    """Before the first epoch ends there is a plan to look at."""
    assert rates(seen([planned(over="progress")])) == ["planned"]


def test_no_fit_is_no_section() -> None:
    """Without epochs and series there is nothing to show."""
    assert build(Record.of([])) is None
