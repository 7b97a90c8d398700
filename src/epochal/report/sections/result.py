"""The score in full: beside the baselines, by class, by confusion, by confidence, and the worst errors."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from epochal.report import wording
from epochal.report.comparisons import bar, reliability
from epochal.report.fields import Event, items, mapping, number, numbers, rows, text, texts
from epochal.report.pictures import Sheet, Unshown, sheets_of
from epochal.report.record import Record

_MATRIX_CLASSES = 20  # a larger matrix cannot be read; its most confused pairs can
_MOST_PAIRS = 20
_FAINTEST = 0.12  # opacity of the weakest error that is not zero


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRow:
    """One class: numbers to sort by, and how they are written."""

    label: str
    keys: tuple[float, ...]
    cells: tuple[str, ...]
    interval: str
    bar: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """One count of the confusion matrix: how strong it is drawn, and its tooltip."""

    count: str
    strength: str
    kind: str
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """The matrix where it can be read, and the pairs most often confused."""

    labels: tuple[str, ...]
    matrix: tuple[tuple[str, tuple[MatrixCell, ...]], ...]
    pairs: tuple[tuple[str, str, str, str], ...]

    @property
    def short(self) -> bool:
        """Whether all names are so short that they need not be turned to stand above their columns."""
        return max(map(len, self.labels), default=0) <= 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """What the result section shows."""

    lead: str
    facts: tuple[tuple[str, str], ...]
    reliability: Markup
    classes: tuple[ClassRow, ...]
    confusion: Confusion | None
    errors: tuple[Sheet, ...]
    unshown: tuple[Unshown, ...]


def build(record: Record) -> ResultView | None:
    """The result section, or None before there is a result.

    >>> build(Record.of([{"kind": "result", "value": 0.9, "nll": 0.3}])).facts[0]
    ('Negative log likelihood', '0.3 nats')
    """
    result = record.result
    if not result:
        return None
    sheets, unshown = sheets_of(record.pictures("errors"), anchor="errors")
    classes = tuple(_class_row(each) for each in rows(result.get("per_class")))
    return ResultView(
        lead=_lead(classes),
        facts=_facts(result),
        reliability=_reliability(result),
        classes=classes,
        confusion=_confusion(mapping(result.get("confusion")), known=record.classes),
        errors=tuple(sheets),
        unshown=tuple(unshown),
    )


def _lead(classes: tuple[ClassRow, ...]) -> str:
    if len(classes) < 3:
        return ""
    ranked = sorted(classes, key=lambda row: row.keys[1])
    hardest, easiest = ranked[0], ranked[-1]
    return f"Easiest class: {easiest.label} ({easiest.cells[1]} found). Hardest: {hardest.label} ({hardest.cells[1]})."


def _facts(result: Event) -> tuple[tuple[str, str], ...]:
    nll, calibration = number(result.get("nll")), mapping(result.get("calibration"))
    ece = number(calibration.get("ece"))
    for key in ("calibration_error", "ece"):
        ece = number(result.get(key)) if ece is None else ece
    temperature, gain = number(result.get("temperature")), mapping(result.get("gain_over_linear"))
    facts = [
        ("Negative log likelihood", f"{wording.figure(nll)} nats" if nll is not None else ""),
        ("Calibration error", wording.percent(ece) if ece is not None else ""),
        ("Gain over a linear model, same images", _gain(gain)),
        ("Temperature", wording.figure(temperature) if temperature is not None else ""),
    ]
    return tuple((name, value) for name, value in facts if value)


def _gain(told: Event) -> str:
    """A difference of shares in points, with its interval."""
    value, low, high = (number(told.get(key)) for key in ("value", "low", "high"))
    if value is None:
        return ""
    interval = "" if low is None or high is None else f" ({low * 100:.1f} to {high * 100:.1f})"
    return f"{value * 100:+.1f}{wording.GAP}points{interval}"


def _reliability(result: Event) -> Markup:
    told = rows(mapping(result.get("calibration")).get("bins"))
    bins = [
        (confidence, right, amount)
        for each in told
        if (confidence := number(each.get("confidence"))) is not None
        and (right := number(each.get("accuracy"))) is not None
        and (amount := number(each.get("count")))
    ]
    total = sum(amount for _, _, amount in bins)
    return (
        reliability([(confidence, right, amount / total) for confidence, right, amount in bins])
        if total > 0
        else Markup()
    )


def _class_row(event: Event) -> ClassRow:
    support, recall = number(event.get("support")), number(event.get("recall"))
    precision, f1 = number(event.get("precision")), number(event.get("f1"))
    low, high = number(event.get("low")), number(event.get("high"))
    return ClassRow(
        label=text(event.get("label")),
        keys=tuple(-1.0 if each is None else each for each in (support, recall, precision, f1)),
        cells=(wording.count(support), wording.percent(recall), wording.percent(precision), wording.percent(f1)),
        interval=wording.between(low, high),
        bar=bar(recall, low=low, high=high) if recall is not None else Markup(),
    )


def _confusion(told: Event, *, known: list[str]) -> Confusion | None:
    counts = [[each or 0.0 for each in numbers(row)] for row in items(told.get("counts"))]
    size = min([len(counts), *map(len, counts)]) if counts else 0
    if size < 2:
        return None
    names = texts(told.get("labels")) or known
    labels = [names[index] if index < len(names) else f"class {index}" for index in range(size)]
    wrong = [
        (counts[given][said], given, said)
        for given in range(size)
        for said in range(size)
        if given != said and counts[given][said] > 0
    ]
    wrong.sort(key=lambda each: (-each[0], each[1], each[2]))
    pairs = tuple(
        (labels[given], labels[said], wording.count(amount), wording.percent(amount / (sum(counts[given]) or 1.0)))
        for amount, given, said in wrong[:_MOST_PAIRS]
    )
    worst = max((amount / (sum(counts[given]) or 1.0) for amount, given, _ in wrong), default=1.0)
    small = size <= _MATRIX_CLASSES
    matrix = (
        tuple(
            (labels[given], _matrix_row(counts[given], given=given, labels=labels, worst=worst))
            for given in range(size)
        )
        if small
        else ()
    )
    return Confusion(labels=tuple(labels) if small else (), matrix=matrix, pairs=pairs)


def _matrix_row(counts: list[float], *, given: int, labels: list[str], worst: float) -> tuple[MatrixCell, ...]:
    """One row: right answers by their share, errors against the worst error, so that neither hides the other."""
    total = sum(counts) or 1.0
    cells = []
    for said, label in enumerate(labels):
        share = counts[said] / total
        right = said == given
        strength = share if right else (_FAINTEST + (0.8 - _FAINTEST) * share / worst if share else 0.0)
        weight = " strong" if strength > 0.85 else " middle" if strength > 0.62 else ""  # where black and white swap
        kind = ("right" if right else "wrong") + weight
        tip = f"{labels[given]}, taken for {label}: {wording.count(counts[said])} ({wording.percent(share)})"
        if right:
            tip = f"{label}, recognised: {wording.count(counts[said])} ({wording.percent(share)})"
        cells.append(
            MatrixCell(
                count=wording.count(counts[said]),
                strength=f"{strength:.3f}",
                kind=kind if counts[said] else "none",
                tip=tip,
            )
        )
    return tuple(cells)
