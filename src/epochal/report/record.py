"""A journal's events sorted into what the report asks for; the only place that knows the shape of the stream."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from epochal.report.fields import Event, mapping, number, numbers, text, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A series put together from the pieces in the journal; `over` says what it runs along, where that is told."""

    name: str
    unit: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    over: str = ""


def rewound(events: Iterable[Event], *, key: str) -> list[Event]:
    """Events in rising order of `key`: one that falls back replaces all that it falls behind.

    A run that was killed tells some epochs again, and a fit that diverged begins anew.

    >>> [event["n"] for event in rewound([{"n": 1}, {"n": 2}, {"n": 3}, {"n": 2}, {"n": "nan"}], key="n")]
    [1, 2]
    """
    kept: list[tuple[float, Event]] = []
    for event in events:
        at = number(event.get(key))
        if at is not None:
            while kept and kept[-1][0] >= at:
                kept.pop()
            kept.append((at, event))
    return [event for _, event in kept]


@dataclass(frozen=True, slots=True)
class Record:
    """The events of one run, oldest first, by kind.

    >>> record = Record.of([{"kind": "measurement", "name": "data.images", "value": 3}, {"kind": "unheard-of"}])
    >>> record.measured("data.images"), record.measured("nothing"), record.result
    (3, None, {})
    """

    events: tuple[Event, ...]

    @classmethod
    def of(cls, events: Iterable[object]) -> Record:
        """Sort `events`; what is not a mapping with a kind is left out."""
        return cls(tuple(event for event in map(mapping, events) if isinstance(event.get("kind"), str)))

    def select(self, kind: str) -> list[Event]:
        """All events of `kind`."""
        return [event for event in self.events if event["kind"] == kind]

    def measurements(self) -> dict[str, Event]:
        """The newest measurement of each name, in the order of first appearance."""
        return {text(event.get("name")): event for event in self.select("measurement")}

    def measured(self, name: str) -> object:
        """The newest value measured under `name`, or None."""
        return self.measurements().get(name, {}).get("value")

    def decisions(self) -> dict[str, Event]:
        """The newest decision on each key."""
        return {text(event.get("key")): event for event in self.select("decision")}

    def pictures(self, name: str) -> list[Event]:
        """The newest picture under `name` and under each `name.something`."""
        newest = {text(event.get("name")): event for event in self.select("picture")}
        return [event for key, event in newest.items() if key == name or key.startswith(f"{name}.")]

    @property
    def starts(self) -> list[Event]:
        """The events with which the program began, one for each start of the run."""
        return self.select("session")

    @property
    def ending(self) -> Event:
        """How the newest start of the program that said so ended; empty while a start after it goes on."""
        newest: Event = {}
        for event in self.events:
            if event["kind"] in {"end", "stop"}:
                newest = event
            elif event["kind"] == "session" and not self.result:
                newest = {}
        return newest

    @property
    def result(self) -> Event:
        """The newest result, its details brought up to the same level; empty if there is none."""
        found = self.select("result")
        return {**mapping(found[-1].get("details")), **found[-1]} if found else {}

    @property
    def spent(self) -> float | None:
        """Budget seconds used, as far as the journal knows."""
        clocks = [at for event in self.events if (at := number(event.get("at"))) is not None]
        return max([*clocks, number(self.result.get("spent_seconds")) or 0.0], default=None) if clocks else None

    @property
    def budget(self) -> float | None:
        """The budget in seconds: from the result, the newest start, or the decision on it."""
        told = [
            self.result.get("budget_seconds"),
            *(event.get("budget_seconds") for event in reversed(self.starts)),
            *(
                mapping(mapping(event.get("request")).get("settings")).get("budget_seconds")
                for event in reversed(self.starts)
            ),
            self.decisions().get("budget_seconds", {}).get("value"),
        ]
        return next((found for each in told if (found := number(each))), None)

    @property
    def openings(self) -> int:
        """How often the sealed test split was opened."""
        opened = [event for event in self.select("opened") if event.get("split", "test") == "test"]
        return max([len(opened), *(whole(event.get("count")) or 0 for event in opened)])

    def models(self) -> list[Event]:
        """The models that were put on disk, oldest first; those that were tried and not adopted left out."""
        return [event for event in self.select("model") if event.get("adopted") is not False]

    @property
    def first_model_at(self) -> float | None:
        """Budget seconds at which a usable model existed."""
        return min((at for event in self.models() if (at := number(event.get("at"))) is not None), default=None)

    @property
    def classes(self) -> list[str]:
        """The names of the classes: from the data, else from the result."""
        for source in (self.measured("data.classes"), mapping(self.result.get("confusion")).get("labels")):
            if isinstance(source, list | tuple) and source:
                return [text(each) for each in source]
        return []

    def epochs(self) -> dict[str, list[Event]]:
        """Epochs in order for each fit (`fit`, else the stage); a fit that began anew counts from there."""
        fits: dict[str, list[Event]] = {}
        for event in self.select("epoch"):
            fits.setdefault(text(event.get("fit")) or text(event.get("stage")), []).append(event)
        return {fit: rewound(events, key="number") for fit, events in fits.items()}

    def curves(self) -> list[Curve]:
        """The step-level series; where a resumed run repeats steps, the later piece holds."""
        points: dict[str, dict[float, float | None]] = {}
        units: dict[str, str] = {}
        over: dict[str, str] = {}
        for event in self.select("series"):
            name = text(event.get("name"))
            over[name] = text(event.get("over")) or over.get(name, "")
            units[name] = text(event.get("unit")) or units.get(name, "")
            known = points.setdefault(name, {})
            piece = [
                (x, y) for x, y in zip(numbers(event.get("x")), numbers(event.get("y")), strict=False) if x is not None
            ]
            first = min((x for x, _ in piece), default=None)
            if first is not None:
                kept = {x: y for x, y in known.items() if x < first}
                points[name] = {**kept, **dict(piece)}
        return [
            Curve(name=name, unit=units[name], x=tuple(sorted(by)), y=tuple(by[x] for x in sorted(by)), over=over[name])
            for name, by in points.items()
            if by
        ]
