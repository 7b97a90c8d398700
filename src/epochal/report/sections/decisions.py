"""Every value the run used, where it came from and why; and the models it put on disk, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from epochal.report import wording
from epochal.report.fields import Event, mapping, number, rows, text, texts
from epochal.report.metric import Metric
from epochal.report.record import Record
from epochal.report.scores import score_of

_ORIGINS = {"user": "yours", "measured": "measured", "default": "default"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One value with its origin and reason."""

    key: str
    value: str
    origin: str
    origin_name: str
    reason: str
    evidence: tuple[tuple[str, str], ...]
    trials: tuple[tuple[str, ...], ...]  # evidence that is a table: its head, then its rows
    earlier: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model put on disk."""

    at: str
    name: str
    file: str
    score: str
    replaced: str
    reason: str
    adopted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionsView:
    """What the decisions section shows; defaults stand apart, since they are many and say little."""

    lead: str
    chosen: tuple[Decision, ...]
    defaults: tuple[Decision, ...]
    models: tuple[Model, ...]
    first_model: str


def build(record: Record) -> DecisionsView | None:
    """The decisions section, or None where none were taken.

    >>> build(Record.of([{"kind": "decision", "key": "seed", "value": 0, "origin": "user"}])).lead
    '1 value: 1 yours.'
    """
    taken = record.select("decision")
    decisions = [_decision(event, taken=taken) for event in record.decisions().values()]
    metric = Metric.of(record)
    models = tuple(_model(event, metric=metric.told_by(event)) for event in record.select("model"))
    if not decisions and not models:
        return None
    amounts = {name: sum(each.origin == origin for each in decisions) for origin, name in _ORIGINS.items()}
    parts = [f"{amount} {name}" for name, amount in amounts.items() if amount]
    return DecisionsView(
        lead=f"{wording.counted(len(decisions), 'value')}: {', '.join(parts)}." if parts else "",
        chosen=tuple(
            sorted((each for each in decisions if each.origin != "default"), key=lambda each: each.key != "task")
        ),
        defaults=tuple(each for each in decisions if each.origin == "default"),
        models=models,
        first_model=_first_model(record),
    )


def _decision(event: Event, *, taken: list[Event]) -> Decision:
    """A decision as it stands, with the values that it replaced."""
    origin, value = text(event.get("origin")), text(event.get("value"))
    before = dict.fromkeys(text(each.get("value")) for each in taken if each.get("key") == event.get("key"))
    return Decision(
        key=text(event.get("key")),
        value=value,
        origin=origin if origin in _ORIGINS else "other",
        origin_name=_ORIGINS.get(origin, origin),
        reason=text(event.get("reason")),
        evidence=() if rows(event.get("evidence")) else _evidence(event.get("evidence")),
        trials=_trials(event.get("evidence")),
        earlier=tuple(each for each in before if each != value),
    )


def _evidence(told: object) -> tuple[tuple[str, str], ...]:
    """Named values, or the items of a list without names."""
    if isinstance(told, Mapping):
        return tuple((name.replace("_", " "), text(value)) for name, value in mapping(told).items())
    return tuple(("", each) for each in texts(told)) or ((("", text(told)),) if text(told) else ())


def _trials(told: object) -> tuple[tuple[str, ...], ...]:
    """Evidence that is a list of trials, as a table without its empty columns."""
    trials = rows(told)
    names = [
        name
        for name in dict.fromkeys(key for each in trials for key in each)
        if any(text(each.get(name)) for each in trials)
    ]
    if not names:
        return ()
    body = (tuple(_shown(each.get(name)) for name in names) for each in trials)
    return (tuple(name.replace("_", " ") for name in names), *body)


def _shown(value: object) -> str:
    return wording.figure(value) if isinstance(value, float) and number(value) is not None else text(value)


def _model(event: Event, *, metric: Metric) -> Model:
    score = score_of(event, metric=metric)
    shown = ""
    if score is not None:
        shown = score.worded if metric.is_share else f"{text(event.get('metric'))} {score.worded}"
    return Model(
        at=wording.duration(number(event.get("at"))),
        name=text(event.get("name")),
        file=text(event.get("file")),
        score=shown,
        replaced=text(event.get("replaced")),
        reason=text(event.get("reason")),
        adopted=event.get("adopted") is not False,
    )


def _first_model(record: Record) -> str:
    """When the first usable model existed, and which part of the budget that is."""
    at = record.first_model_at
    if at is None:
        return ""
    part = f", {wording.percent(at / record.budget)} of the budget" if record.budget else ""
    first = f"The first usable model was on disk after {wording.duration(at)}{part}."
    return f"{first} Each later one had to be better on validation data."
