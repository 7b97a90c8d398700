from __future__ import annotations

from epochal.report.record import Record
from epochal.report.sections.dynamics import DynamicsView, build
from report.clock import CLASSES, Event
from report.markup import Page

LABELS: Event = {"kind": "measurement", "name": "dynamics.labels", "value": ["cat", "dog"]}
NAMES: Event = {"kind": "measurement", "name": "data.classes", "value": ["cat", "dog"]}


def probabilities(epoch: float, *rows: list[object]) -> Event:
    """What the network said at one epoch."""
    return {"kind": "dynamics", "epoch": epoch, "probabilities": list(rows)}


def seen(*events: Event) -> DynamicsView:
    """The section for these events."""
    view = build(Record.of(events))
    assert view is not None
    return view


def test_each_image_has_its_row(page: Page) -> None:
    """Sixteen images, twenty epochs each, with their pictures."""
    assert len(page.all("div", class_="dynamics-row")) == 16
    assert len(page.all("rect", class_="heat")) == 16 * 20
    assert len(page.all("use", href="#dynamics-0")) == 16


def test_the_true_class_is_followed() -> None:
    """The heat is the probability of the label, not of the guess; a wrong guess is named in the end."""
    view = seen(NAMES, LABELS, probabilities(1, [0.9, 0.1], [0.7, 0.3]))
    assert [row.final for row in view.rows] == ["90.0\xa0%", "30.0\xa0%"]
    assert [(row.right, row.guess) for row in view.rows] == [(True, ""), (False, "cat")]
    assert 'fill-opacity="0.300"' in view.rows[1].heat


def test_labels_may_be_numbers() -> None:
    """Places of classes are as good as their names."""
    view = seen(NAMES, {**LABELS, "value": [0, 1]}, probabilities(1, [0.9, 0.1], [0.7, 0.3]))
    assert [row.label for row in view.rows] == ["cat", "dog"]


def test_an_epoch_told_again_replaces_the_first_telling() -> None:
    """A fit that began anew leaves no ghost."""
    view = seen(NAMES, LABELS, probabilities(1, [0.5, 0.5]), probabilities(2, [0.1, 0.9]), probabilities(1, [0.8, 0.2]))
    assert (view.first, view.last) == ("1", "1")
    assert view.rows[0].final == "80.0\xa0%"


def test_many_epochs_are_thinned_to_the_ends() -> None:
    """Of a thousand epochs sixty are drawn, first and last among them."""
    view = seen(NAMES, LABELS, *(probabilities(epoch, [epoch / 1000, 0.0]) for epoch in range(1, 1001)))
    assert view.rows[0].heat.count("<rect") == 60
    assert (view.first, view.last, view.rows[0].final) == ("1", "1,000", "100\xa0%")


def test_broken_rows_leave_gaps() -> None:
    """A sample or class that is missing at some epoch is a gap there, and nothing else changes."""
    view = seen(NAMES, LABELS, probabilities(1, [0.5, 0.5]), probabilities(2, ["nan", 0.5], [0.2, 0.8]))
    assert [row.heat.count('class="gap"') for row in view.rows] == [1, 1]


def test_without_labels_there_is_no_section(events: list[Event]) -> None:
    """Probabilities of nobody knows which class say nothing."""
    assert build(Record.of([event for event in events if event.get("name") != "dynamics.labels"])) is None
    assert CLASSES[0] in {row.label for row in seen(*events).rows}


def of_task(name: str, *events: Event) -> DynamicsView:
    """The section of a run of this task."""
    told = {"name": name, "metric": "any", "higher_is_better": True, "unit": "share"}
    return seen({"kind": "measurement", "name": "task", "value": told}, *events)


def test_labels_are_followed_together() -> None:
    """An image with two labels fills as both become likely, and is right when exactly these are said."""
    targets = {"kind": "measurement", "name": "dynamics.targets", "value": [[1, 1], [0, 1]]}
    labels = {**LABELS, "value": ["cat; dog", "dog"]}
    view = of_task("multi-label", NAMES, labels, targets, probabilities(1, [0.6, 0.8], [0.7, 0.9]))
    assert [(row.label, row.final, row.right, row.guess) for row in view.rows] == [
        ("cat; dog", "70.0\xa0%", True, ""),
        ("dog", "90.0\xa0%", False, "cat; dog"),
    ]
    assert view.head == "Labels"
    assert view.lead == "1 of 2 are right in the end."


def test_values_are_followed_by_their_nearness() -> None:
    """The nearer the fuller; in the end the value itself is told, and none is called wrong."""
    events: list[Event] = [
        {**LABELS, "value": ["0", "10"]},
        {"kind": "measurement", "name": "dynamics.targets", "value": [[0.0], [10.0]]},
        {"kind": "dynamics", "epoch": 1, "values": [[5.0], [5.0]]},
        {"kind": "dynamics", "epoch": 2, "values": [[2.5], [10.0]]},
    ]
    view = of_task("regression", *events)
    assert [row.final for row in view.rows] == ["2.5", "10"]
    assert all(row.right for row in view.rows)
    assert [row.heat.count('fill-opacity="0.500"') for row in view.rows] == [1, 0]
    assert 'fill-opacity="1.000"' in view.rows[1].heat
    assert (view.lead, view.legend) == ("", ("far off", "exact"))


def test_values_go_round_where_the_task_says_so() -> None:
    """With a period 9.9 and 0.1 are near each other."""
    period = {"name": "regression", "metric": "x", "higher_is_better": False, "unit": "", "period": 10.0}
    view = seen(
        {"kind": "measurement", "name": "task", "value": period},
        {**LABELS, "value": ["9.9", "5"]},
        {"kind": "measurement", "name": "dynamics.targets", "value": [[9.9], [5.0]]},
        {"kind": "dynamics", "epoch": 1, "values": [[0.1], [5.0]]},
    )
    assert 'fill-opacity="0.920"' in view.rows[0].heat
