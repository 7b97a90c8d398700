"""Where the time went: the budget seconds of each stage."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from epochal.report import wording
from epochal.report.comparisons import stacked
from epochal.report.fields import number, text
from epochal.report.record import Record

_OUTSIDE = "between stages"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """One stage: its time, its share of the whole, and what became of it."""

    name: str
    color: int
    seconds: str
    share: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CostView:
    """What the cost section shows."""

    lead: str
    bar: Markup
    stages: tuple[StageRow, ...]
    over: bool


def build(record: Record) -> CostView | None:
    """The cost section, or None where no stage was begun.

    >>> events = [{"kind": "stage", "stage": "train", "event": "begin", "at": 1.0},
    ...           {"kind": "stage", "stage": "train", "event": "end", "at": 5.0}]
    >>> [(row.name, row.seconds.replace(wording.GAP, " ")) for row in build(Record.of(events)).stages]
    [('train', '4.0 s'), ('between stages', '1.0 s')]
    """
    spent, notes = _spent(record)
    if not spent and not notes:
        return None
    used = sum(spent.values())
    total = max(used, record.budget or 0.0) or 1.0
    names = [name for name in {**spent, **notes} if name != _OUTSIDE] + [_OUTSIDE] * (spent.get(_OUTSIDE, 0.0) > 0)
    parts = [(name, spent.get(name, 0.0)) for name in names]
    labelled = [(f"{name}: {wording.duration(seconds)}", seconds) for name, seconds in parts]
    stages = tuple(
        StageRow(
            name=name,
            color=index % 8 + 1,
            seconds=wording.duration(seconds) if name in spent else wording.ABSENT,
            share=wording.percent(seconds / total) if name in spent else "",
            note=notes.get(name, ""),
        )
        for index, (name, seconds) in enumerate(parts)
    )
    return CostView(
        lead=_lead(used, budget=record.budget),
        bar=stacked(labelled, total=total, limit=record.budget),
        stages=stages,
        over=record.budget is not None and used > record.budget * 1.05,
    )


def _lead(used: float, *, budget: float | None) -> str:
    if budget is None:
        return f"{wording.duration(used)} in all."
    return f"{wording.duration(used)} of {wording.duration(budget)}, {wording.percent(used / budget)} of the budget."


def _spent(record: Record) -> tuple[dict[str, float], dict[str, str]]:
    """Seconds by stage from the clock of the events, and a note for each stage that did not simply end.

    The clock counts budget seconds over all starts, so time between two events belongs to the stage that was
    open, also in a run that was killed and continued.
    """
    spent: dict[str, float] = {}
    notes: dict[str, str] = {}
    current, clock = _OUTSIDE, 0.0
    for event in record.events:
        at = number(event.get("at"))
        if at is not None and at > clock:
            spent[current] = spent.get(current, 0.0) + at - clock
            clock = at
        name, what = text(event.get("stage")), text(event.get("event"))
        if event["kind"] == "session":
            current = _OUTSIDE
        if event["kind"] != "stage" or not name:
            continue
        if what == "begin":
            current, notes[name] = name, "not finished"
            spent.setdefault(name, 0.0)
        else:
            current = _OUTSIDE
            reason = text(event.get("reason"))
            notes[name] = (f"skipped: {reason}" if reason else "skipped") if what == "skipped" else reason
    return spent, notes
