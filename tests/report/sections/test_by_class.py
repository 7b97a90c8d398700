from __future__ import annotations

import pytest

from epochal.report.sections.by_class import ClassTable, build
from epochal.report.wording import GAP
from epochal.stats.painting import palette


def table(*rows: dict[str, object], task: str = "classification") -> ClassTable:
    """The table of these classes."""
    found = build({"per_class": list(rows)}, task=task)
    assert found is not None
    return found


ROW = {"label": "a", "support": 50, "recall": 0.8, "precision": 0.7, "f1": 0.75, "low": 0.7, "high": 0.9}
MORE = {"iou": 0.6, "pixels": 12_345, "average_precision": 0.9, "threshold": 0.4}


@pytest.mark.parametrize(
    ("task", "heads", "cells"),
    [
        ("classification", ("Images", "Recall", "Precision", "F1"), ("50", "80.0 %", "70.0 %", "75.0 %")),
        ("segmentation", ("Pixels", "IoU", "Recall", "Precision"), ("12,345", "60.0 %", "80.0 %", "70.0 %")),
        (
            "multi-label",
            ("Images", "Average precision", "Precision", "Recall", "F1", "Threshold"),
            ("50", "90.0 %", "70.0 %", "80.0 %", "75.0 %", "40.0 %"),
        ),
    ],
)
def test_each_task_has_its_columns(task: str, heads: tuple[str, ...], cells: tuple[str, ...]) -> None:
    """Size, score and what else a task tells of a class, under its headings."""
    found = table({**ROW, **MORE}, task=task)
    assert (found.size, found.score, *found.more) == heads
    (row,) = found.rows
    assert tuple(each.shown.replace(GAP, " ") for each in (row.size, row.score, *row.more)) == cells
    assert row.interval == "70.0 to 90.0"


def test_rows_carry_numbers_to_sort_by() -> None:
    """The plain number beside the written one; a missing one sorts below zero and has neither bar nor interval."""
    row = table(ROW).rows[0]
    assert [each.key for each in (row.size, row.score, *row.more)] == [50.0, 0.8, 0.7, 0.75]
    (unknown,) = table({"label": "a", "low": 0.0, "high": 1.0}).rows
    assert [each.key for each in (unknown.size, unknown.score, *unknown.more)] == [-1.0] * 4
    assert (unknown.bar, unknown.interval) == ("", "")


def test_easiest_and_hardest_are_named() -> None:
    """From three classes on; classes that never occur are neither."""
    rows: list[dict[str, object]] = [
        {"label": name, "recall": recall} for name, recall in (("a", 0.9), ("b", None), ("c", 0.2), ("d", 0.5))
    ]
    assert table(*rows).lead.replace(GAP, " ") == "Easiest class: a (90.0 % found). Hardest: c (20.0 %)."
    assert table(*rows[:3]).lead == ""


def test_masks_have_the_colors_of_their_classes() -> None:
    """Swatches are those in which masks are painted, and only masks have them."""
    colored = table(ROW, {**ROW, "label": "b"}, task="segmentation")
    assert [row.color for row in colored.rows] == [f"rgb({r},{g},{b})" for r, g, b in palette(2).tolist()]
    assert colored.colored
    assert not table(ROW).colored
    assert not table(*[ROW] * 41, task="segmentation").colored  # a legend of so many is none
    assert table(*[ROW] * 300, task="segmentation").rows[0].color == ""


def test_no_class_is_no_table() -> None:
    """A result without classes has none, and a task that nobody knows is read as classification."""
    assert build({}, task="segmentation") is None
    assert table(ROW, task="of-the-future").score == "Recall"
