from __future__ import annotations

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


def test_no_fit_is_no_section() -> None:
    """Without epochs and series there is nothing to show."""
    assert build(Record.of([])) is None
