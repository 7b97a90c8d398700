"""Predictions on one fixed batch through training (tip K2.11): one row for each image, one cell for each epoch."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from epochal.report import wording
from epochal.report.comparisons import heat_row
from epochal.report.fields import items, number, numbers, text, texts, whole
from epochal.report.pictures import Cell, Sheet, sheets_of
from epochal.report.record import Record, rewound

_MOST_ROWS = 32
_MOST_CELLS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One image of the batch: its class, its heat row, and how it ended."""

    label: str
    heat: Markup
    final: str
    guess: str
    right: bool
    cell: Cell | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicsView:
    """What the dynamics section shows."""

    lead: str
    first: str
    last: str
    rows: tuple[Row, ...]
    sheet: Sheet | None
    left_out: int


def build(record: Record) -> DynamicsView | None:
    """The dynamics section, or None where no predictions or labels were recorded.

    >>> build(Record.of([{"kind": "measurement", "name": "dynamics.labels", "value": [0]},
    ...                  {"kind": "dynamics", "epoch": 1, "probabilities": [[0.7, 0.3]]}])).rows[0].right
    True
    """
    by_epoch = {
        number(event.get("epoch")) or 0.0: [numbers(each) for each in items(event.get("probabilities"))]
        for event in rewound(record.select("dynamics"), key="epoch")
    }
    epochs = [at for at, rows in by_epoch.items() if rows]
    labels = _labels(record)
    samples = min(len(labels), max((len(each) for each in by_epoch.values()), default=0))
    if not epochs or not samples:
        return None
    names = texts(record.measured("dynamics.classes")) or record.classes
    shown = _spread(epochs)
    sheets, _ = sheets_of(record.pictures("dynamics"), anchor="dynamics")
    sheet = sheets[0] if sheets and sheets[0].cell_width and len(sheets[0].cells) >= samples else None
    histories = [
        [(at, by_epoch[at][index] if index < len(by_epoch[at]) else []) for at in shown] for index in range(samples)
    ]
    rows = tuple(
        _row(history, label=labels[index], names=names, cell=sheet.cells[index] if sheet else None)
        for index, history in enumerate(histories[:_MOST_ROWS])
    )
    return DynamicsView(
        lead=f"{sum(row.right for row in rows)} of {len(rows)} are right in the end.",
        first=wording.epoch(epochs[0]),
        last=wording.epoch(epochs[-1]),
        rows=rows,
        sheet=sheet,
        left_out=max(0, samples - _MOST_ROWS),
    )


def _labels(record: Record) -> list[int]:
    """The true classes of the batch; names are looked up among the classes."""
    names = {name: index for index, name in enumerate(record.classes)}
    told = items(record.measured("dynamics.labels"))
    return [names.get(text(value), -1) if (index := whole(value)) is None else index for value in told]


def _spread(epochs: list[float]) -> list[float]:
    """At most so many epochs as can be told apart, first and last among them."""
    if len(epochs) <= _MOST_CELLS:
        return epochs
    last = len(epochs) - 1
    return [epochs[round(index * last / (_MOST_CELLS - 1))] for index in range(_MOST_CELLS)]


def _name(names: list[str], index: int) -> str:
    return names[index] if 0 <= index < len(names) else f"class {index}"


def _row(history: list[tuple[float, list[float | None]]], *, label: int, names: list[str], cell: Cell | None) -> Row:
    shares = [row[label] if 0 <= label < len(row) else None for _, row in history]
    guesses = [_guess(row) for _, row in history]
    tips = [
        f"epoch {wording.epoch(at)}: {wording.percent(share)} {_name(names, label)}"
        + (f", says {_name(names, guess)}" if guess is not None and guess != label else "")
        for (at, _), share, guess in zip(history, shares, guesses, strict=True)
    ]
    return Row(
        label=_name(names, label),
        heat=heat_row(shares, tips=tips),
        final=wording.percent(shares[-1]),
        guess=_name(names, guesses[-1]) if guesses[-1] is not None else "",
        right=guesses[-1] == label,
        cell=cell,
    )


def _guess(row: list[float | None]) -> int | None:
    """The class with the highest probability."""
    known = [(value, -index) for index, value in enumerate(row) if value is not None]
    return -max(known)[1] if known else None
