"""How each class fares alone, in the figures of its task: recall, overlap, or average precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from epochal.report import wording
from epochal.report.comparisons import bar
from epochal.report.fields import Event, number, rows, text
from epochal.stats.painting import VOID, palette

_MOST_NAMED = 40  # in a legend

Write = Callable[[float | None], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of a class: to sort by, and as it is written."""

    key: float
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class: its size, its score with interval and bar, and what else is told."""

    label: str
    size: Figure
    score: Figure
    interval: str
    bar: Markup
    more: tuple[Figure, ...]
    color: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTable:
    """The classes, with the headings of their columns."""

    size: str
    score: str
    more: tuple[str, ...]
    rows: tuple[ClassRow, ...]
    verb: str = "found"

    @property
    def colored(self) -> bool:
        """Whether the classes have colours, as in painted masks, and are few enough for a legend."""
        return 0 < len(self.rows) <= _MOST_NAMED and all(row.color for row in self.rows)

    @property
    def lead(self) -> str:
        """The easiest class and the hardest, where there are enough to choose from."""
        known = [row for row in self.rows if row.score.key >= 0]
        if len(known) < 3:
            return ""
        ranked = sorted(known, key=lambda row: row.score.key)
        hardest, easiest = ranked[0], ranked[-1]
        told = f" ({easiest.score.shown} {self.verb}). Hardest: {hardest.label} ({hardest.score.shown})."
        return f"Easiest class: {easiest.label}{told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Which keys of a class make which columns: each a key of the event and a heading."""

    size: tuple[str, str]
    score: tuple[str, str]
    more: tuple[tuple[str, str], ...]
    verb: str


_TASKS: Mapping[str, _Columns] = {
    "classification": _Columns(
        size=("support", "Images"),
        score=("recall", "Recall"),
        more=(("precision", "Precision"), ("f1", "F1")),
        verb="found",
    ),
    "multi-label": _Columns(
        size=("support", "Images"),
        score=("average_precision", "Average precision"),
        more=(("precision", "Precision"), ("recall", "Recall"), ("f1", "F1"), ("threshold", "Threshold")),
        verb="average precision",
    ),
    "segmentation": _Columns(
        size=("pixels", "Pixels"),
        score=("iou", "IoU"),
        more=(("recall", "Recall"), ("precision", "Precision")),
        verb="overlap",
    ),
}


def build(result: Event, *, task: str) -> ClassTable | None:
    """The table of classes that a result tells, or None.

    >>> told = [{"label": name, "iou": iou} for name, iou in (("sky", 0.9), ("road", 0.8), ("pole", 0.2))]
    >>> build({"per_class": told}, task="segmentation").lead.replace(wording.GAP, " ")
    'Easiest class: sky (90.0 % overlap). Hardest: pole (20.0 %).'
    """
    told = rows(result.get("per_class"))
    if not told:
        return None
    columns = _TASKS.get(task, _TASKS["classification"])
    return ClassTable(
        size=columns.size[1],
        score=columns.score[1],
        more=tuple(heading for _, heading in columns.more),
        rows=tuple(
            _row(each, columns=columns, color=color)
            for each, color in zip(told, _colors(len(told), task=task), strict=True)
        ),
        verb=columns.verb,
    )


def _colors(count: int, *, task: str) -> list[str]:
    """The colours in which masks are painted, for the classes in their order; none of other tasks."""
    if task != "segmentation" or count > VOID:
        return [""] * count
    return [f"rgb({red},{green},{blue})" for red, green, blue in palette(count).tolist()]


def _row(event: Event, *, columns: _Columns, color: str) -> ClassRow:
    score, low, high = number(event.get(columns.score[0])), number(event.get("low")), number(event.get("high"))
    return ClassRow(
        label=text(event.get("label")),
        size=_figure(event, columns.size[0], write=wording.count),
        score=_figure(event, columns.score[0]),
        interval=wording.between(low, high) if score is not None else "",
        bar=bar(score, low=low, high=high) if score is not None else Markup(),
        more=tuple(_figure(event, key) for key, _ in columns.more),
        color=color,
    )


def _figure(event: Event, key: str, *, write: Write = wording.percent) -> Figure:
    value = number(event.get(key))
    return Figure(key=-1.0 if value is None else value, shown=write(value))
