"""What it takes to do the same again, and every measurement that no other section shows."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from epochal.report import wording
from epochal.report.fields import items, mapping, text, texts
from epochal.report.record import Record

_DRAWN = ("data.", "dynamics.", "batch.", "filters.")  # measurements that have a section of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceView:
    """What the last section shows."""

    lead: str
    command: str
    seed: str
    versions: tuple[tuple[str, str], ...]
    machine: tuple[tuple[str, str], ...]


def build(record: Record) -> ReproduceView | None:
    """How to reproduce the run, or None where no start of the program was recorded.

    >>> build(Record.of([{"kind": "session", "argv": ["epochal", "run", "my photos"]}])).command
    "epochal run 'my photos'"
    """
    if not record.starts:
        return None
    first, last = record.starts[0], record.starts[-1]
    argv = first.get("argv")
    seed = record.result.get("seed", record.decisions().get("seed", {}).get("value", first.get("seed")))
    told_versions = mapping(last.get("versions")) or mapping(record.result.get("versions"))
    times = len(record.starts) - 1
    return ReproduceView(
        lead=f"Continued {'once' if times == 1 else wording.counted(times, 'time')} after an interruption."
        if times
        else "",
        command=shlex.join(texts(argv)) if items(argv) else text(argv),
        seed=text(seed),
        versions=tuple((name, text(value)) for name, value in told_versions.items()),
        machine=tuple(
            (name.replace("_", " "), text(value))
            for name, value in mapping(last.get("machine")).items()
            if value not in (None, "")
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementsView:
    """Measurements in the order they were first taken: name, value with unit, note, stage."""

    rows: tuple[tuple[str, str, str, str], ...]


def measurements(record: Record) -> MeasurementsView | None:
    """All measurements that have no drawing, or None.

    >>> measurements(Record.of([{"kind": "measurement", "name": "model.flops", "value": 3, "unit": "GFLOP"}])).rows
    (('model.flops', '3 GFLOP', '', ''),)
    """
    found = tuple(
        (
            name,
            f"{_shortened(text(event.get('value')))} {text(event.get('unit'))}".strip(),
            text(event.get("note")),
            text(event.get("stage")),
        )
        for name, event in record.measurements().items()
        if name and name != "task" and not name.startswith(_DRAWN)
    )
    return MeasurementsView(rows=found) if found else None


def _shortened(value: str, *, most: int = 400) -> str:
    return value if len(value) <= most else f"{value[:most]}…"
