"""Which class is taken for which: the matrix where it can be read, and the pairs most often confused."""

from __future__ import annotations

from dataclasses import dataclass, replace

from epochal.report import wording
from epochal.report.fields import Event, items, numbers, texts

_MATRIX_CLASSES = 20  # a larger matrix cannot be read; its most confused pairs can
_MOST_PAIRS = 20
_FAINTEST = 0.12  # opacity of the weakest error that is not zero
_LARGEST_COUNT = 9999  # that fits into a cell; from there on cells show shares of their row


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixCell:
    """One count of the confusion matrix: how strong it is drawn, and its tooltip."""

    count: str
    strength: str
    kind: str
    tip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """The matrix where it can be read, and the pairs most often confused; of images, or of pixels."""

    labels: tuple[str, ...]
    matrix: tuple[tuple[str, tuple[MatrixCell, ...]], ...]
    pairs: tuple[tuple[str, str, str, str], ...]
    noun: str = "image"
    shares: bool = False

    @property
    def short(self) -> bool:
        """Whether all names are so short that they need not be turned to stand above their columns."""
        return max(map(len, self.labels), default=0) <= 3

    @property
    def lead(self) -> str:
        """How the matrix is read."""
        unit = f" Numbers are per cent of the {self.noun}s of their row." if self.shares else ""
        colours = "Blue is right; orange is wrong, the stronger the more often."
        return f"Rows are the labels given, columns what the model says. {colours}{unit}"


def build(told: Event, *, known: list[str], noun: str = "image") -> Confusion | None:
    r"""The confusion that a result tells as labels and counts, or None where they make no square of two or more.

    >>> build({"labels": ["a", "b"], "counts": [[9, 1], [0, 10]]}, known=[]).pairs
    (('a', 'b', '1', '10.0\xa0%'),)
    """
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
    small = size <= _MATRIX_CLASSES
    shares = max(max(row) for row in counts) > _LARGEST_COUNT
    worst = max((amount / (sum(counts[given]) or 1.0) for amount, given, _ in wrong), default=1.0)
    rows = (_row(counts[given], given=given, labels=labels, worst=worst, noun=noun) for given in range(size))
    return Confusion(
        labels=tuple(labels) if small else (),
        matrix=tuple(
            (label, _as_shares(row, counts[given]) if shares else row)
            for given, (label, row) in enumerate(zip(labels, rows, strict=True))
        )
        if small
        else (),
        pairs=tuple(
            (labels[given], labels[said], wording.count(amount), wording.percent(amount / (sum(counts[given]) or 1.0)))
            for amount, given, said in wrong[:_MOST_PAIRS]
        ),
        noun=noun,
        shares=shares,
    )


def _row(counts: list[float], *, given: int, labels: list[str], worst: float, noun: str) -> tuple[MatrixCell, ...]:
    """One row: right answers by their share, errors against the worst error, so that neither hides the other."""
    total = sum(counts) or 1.0
    cells = []
    for said, label in enumerate(labels):
        share = counts[said] / total
        right = said == given
        strength = share if right else (_FAINTEST + (0.8 - _FAINTEST) * share / worst if share else 0.0)
        weight = " strong" if strength > 0.85 else " middle" if strength > 0.62 else ""  # where black and white swap
        kind = ("right" if right else "wrong") + weight
        told = wording.count(counts[said]) if noun == "image" else wording.counted(counts[said], noun)
        tip = f"{labels[given]}, taken for {label}: {told} ({wording.percent(share)})"
        if right:
            tip = f"{label}, recognised: {told} ({wording.percent(share)})"
        cells.append(
            MatrixCell(
                count=wording.count(counts[said]),
                strength=f"{strength:.3f}",
                kind=kind if counts[said] else "none",
                tip=tip,
            )
        )
    return tuple(cells)


def _as_shares(row: tuple[MatrixCell, ...], counts: list[float]) -> tuple[MatrixCell, ...]:
    """The same cells with whole per cent of their row in place of counts that are too long."""
    total = sum(counts) or 1.0
    return tuple(
        replace(cell, count=f"{100 * count / total:.0f}", kind=cell.kind if count >= total / 200 else "none")
        for cell, count in zip(row, counts, strict=False)
    )
