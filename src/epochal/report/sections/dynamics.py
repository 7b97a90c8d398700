"""Predictions on one fixed batch through training (tip K2.11): one row for each image, one cell for each epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from epochal.report import wording
from epochal.report.comparisons import heat_row
from epochal.report.fields import items, mapping, number, numbers, text, texts, whole
from epochal.report.metric import Metric
from epochal.report.pictures import Cell, Sheet, sheets_of
from epochal.report.record import Record, rewound
from epochal.report.sections.answers import Answer, ManyLabels, Measured, OneClass
from epochal.report.wording import GAP

_MOST_ROWS = 32
_MOST_CELLS = 60
_HEALTHY = "Steady filling is healthy learning; flicker means that the learning rate is too high."
_WORDS = {  # by task: what is drawn, what stands at the head of the rows, and the ends of the legend
    "classification": (
        "Probability of the true class for each image of one fixed batch",
        "True class",
        (f"0{GAP}%", f"100{GAP}%"),
    ),
    "multi-label": (
        "Mean probability of its labels for each image of one fixed batch",
        "Labels",
        (f"0{GAP}%", f"100{GAP}%"),
    ),
    "regression": (
        "How near the value said of each image of one fixed batch is to the true one",
        "True value",
        ("far off", "exact"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One image of the batch: its truth, its heat row, and how it ended."""

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
    about: str
    head: str
    legend: tuple[str, str]
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
        number(event.get("epoch")) or 0.0: [
            numbers(each) for each in items(event.get("probabilities")) or items(event.get("values"))
        ]
        for event in rewound(record.select("dynamics"), key="epoch")
    }
    epochs = [at for at, rows in by_epoch.items() if rows]
    task = Metric.of(record).task
    answers = _answers(record, task=task)
    samples = min(len(answers), max((len(each) for each in by_epoch.values()), default=0))
    if not epochs or not samples:
        return None
    shown = _spread(epochs)
    sheets, _ = sheets_of(record.pictures("dynamics"), anchor="dynamics")
    sheet = sheets[0] if sheets and sheets[0].cell_width and len(sheets[0].cells) >= samples else None
    histories = [
        [(at, by_epoch[at][index] if index < len(by_epoch[at]) else []) for at in shown] for index in range(samples)
    ]
    rows = tuple(
        _row(history, answer=answers[index], cell=sheet.cells[index] if sheet else None)
        for index, history in enumerate(histories[:_MOST_ROWS])
    )
    drawn, head, legend = _WORDS.get(task, _WORDS["classification"])
    right = "" if task == "regression" else f"{sum(row.right for row in rows)} of {len(rows)} are right in the end."
    return DynamicsView(
        lead=right,
        about=f"{drawn}, epoch by epoch. {_HEALTHY}",
        head=head,
        legend=legend,
        first=wording.epoch(epochs[0]),
        last=wording.epoch(epochs[-1]),
        rows=rows,
        sheet=sheet,
        left_out=max(0, samples - _MOST_ROWS),
    )


def _answers(record: Record, *, task: str) -> Sequence[Answer]:
    """The truth about each image of the batch, as its task has it."""
    labels, targets = items(record.measured("dynamics.labels")), items(record.measured("dynamics.targets"))
    names = texts(record.measured("dynamics.classes")) or record.classes
    if task == "regression":
        return _measured(record, targets, labels=texts(labels))
    if task == "multi-label":
        return [
            ManyLabels(present=[value == 1 for value in numbers(row)], names=names, label=text(label) or "none")
            for label, row in zip(labels, targets, strict=False)
        ]
    places = {name: index for index, name in enumerate(record.classes)}
    known = [places.get(text(value), -1) if (at := whole(value)) is None else at for value in labels]
    return [OneClass(index=at, names=names, label=names[at] if 0 <= at < len(names) else f"class {at}") for at in known]


def _measured(record: Record, targets: list[object], *, labels: list[str]) -> Sequence[Answer]:
    """True values; far off is the spread of the values in this batch, on a circle a quarter of it."""
    told = [mapping(record.measured("task")).get("period"), record.result.get("period")]
    told.append(record.decisions().get("data.period", {}).get("value"))
    period = next((found for each in told if (found := number(each)) is not None and found > 0), None)
    values = [[each or 0.0 for each in numbers(row) or [number(row)]] for row in targets]
    columns = list(zip(*values, strict=False))
    scales = [period / 4 if period else (max(each) - min(each)) / 2 or 1.0 for each in columns]
    return [
        Measured(values=row, scales=scales, label=label or ", ".join(map(wording.figure, row)), period=period)
        for row, label in zip(values, labels or [""] * len(values), strict=False)
    ]


def _spread(epochs: list[float]) -> list[float]:
    """At most so many epochs as can be told apart, first and last among them."""
    if len(epochs) <= _MOST_CELLS:
        return epochs
    last = len(epochs) - 1
    return [epochs[round(index * last / (_MOST_CELLS - 1))] for index in range(_MOST_CELLS)]


def _row(history: list[tuple[float, list[float | None]]], *, answer: Answer, cell: Cell | None) -> Row:
    final = history[-1][1]
    tips = [f"epoch {wording.epoch(at)}: {answer.told(row)}" for at, row in history]
    guess = answer.guess(final)
    return Row(
        label=answer.label,
        heat=heat_row([answer.share(row) for _, row in history], tips=tips),
        final=answer.final(final),
        guess=guess,
        right=not guess and answer.share(final) is not None,
        cell=cell,
    )
