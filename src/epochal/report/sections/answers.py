"""What an answer to one image of the fixed batch is worth: as a share to draw, in words, and whether it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from epochal.report import wording

Row = Sequence[float | None]


class Answer(Protocol):
    """The truth about one image, against which its answers are read."""

    @property
    def label(self) -> str:
        """The truth in a few characters."""

    def share(self, row: Row) -> float | None:
        """How good the answer is: 1 is perfect."""

    def told(self, row: Row) -> str:
        """The answer in words, for the tooltip."""

    def final(self, row: Row) -> str:
        """The last answer in a few characters."""

    def guess(self, row: Row) -> str:
        """What the model says instead; empty where it is right."""


def _name(names: Sequence[str], index: int) -> str:
    return names[index] if 0 <= index < len(names) else f"class {index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneClass:
    """An image of one class; answers are a probability for each class.

    >>> truth = OneClass(index=1, names=("cat", "dog"), label="dog")
    >>> truth.share([0.7, 0.3]), truth.guess([0.7, 0.3])
    (0.3, 'cat')
    """

    index: int
    names: Sequence[str]
    label: str

    def share(self, row: Row) -> float | None:
        """The probability of the true class."""
        return row[self.index] if 0 <= self.index < len(row) else None

    def told(self, row: Row) -> str:
        """Its probability, and the class that the model prefers."""
        other = self.guess(row)
        return f"{wording.percent(self.share(row))} {self.label}" + (f", says {other}" if other else "")

    def final(self, row: Row) -> str:
        """The probability of the true class."""
        return wording.percent(self.share(row))

    def guess(self, row: Row) -> str:
        """The class with the highest probability, where it is another one."""
        known = [(value, -index) for index, value in enumerate(row) if value is not None]
        best = -max(known)[1] if known else self.index
        return "" if best == self.index else _name(self.names, best)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManyLabels:
    """An image with any number of labels; answers are a probability for each.

    >>> truth = ManyLabels(present=(True, False, True), names=("sea", "sky", "sun"), label="sea; sun")
    >>> truth.share([0.9, 0.2, 0.5]), truth.guess([0.9, 0.8, 0.6])
    (0.7, 'sea; sky; sun')
    """

    present: Sequence[bool]
    names: Sequence[str]
    label: str

    def share(self, row: Row) -> float | None:
        """The mean probability of its labels, or that it has none."""
        told = [value for value, there in zip(row, self.present, strict=False) if there and value is not None]
        if any(self.present):
            return round(sum(told) / len(told), 6) if told else None
        known = [value for value in row if value is not None]
        return 1 - max(known) if known else None

    def told(self, row: Row) -> str:
        """The mean probability, and all that the model says."""
        return f"{wording.percent(self.share(row))}, says {self._said(row) or 'nothing'}"

    def final(self, row: Row) -> str:
        """The mean probability."""
        return wording.percent(self.share(row))

    def guess(self, row: Row) -> str:
        """The labels above one half, where they are not exactly those of the image."""
        said = [value is not None and value > 0.5 for value in row]
        return "" if said == list(self.present) else self._said(row) or "nothing"

    def _said(self, row: Row) -> str:
        return "; ".join(_name(self.names, at) for at, value in enumerate(row) if value is not None and value > 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An image with measured values; answers are such values. `scales` are the distances that count as far off.

    >>> truth = Measured(values=(9.9,), scales=(5.0,), label="9.9", period=10.0)
    >>> round(truth.share([0.4]), 3), truth.final([0.4])
    (0.9, '0.4')
    """

    values: Sequence[float]
    scales: Sequence[float]
    label: str
    period: float | None = None

    def share(self, row: Row) -> float | None:
        """1 for the true values, 0 for values that are far off."""
        off = [
            self._distance(said, true) / scale
            for said, true, scale in zip(row, self.values, self.scales, strict=False)
            if said is not None
        ]
        return max(0.0, 1 - sum(off) / len(off)) if off else None

    def told(self, row: Row) -> str:
        """The values and the true ones."""
        return f"{self.final(row)}, true {self.label}"

    def final(self, row: Row) -> str:
        """The values."""
        return ", ".join(wording.figure(value) for value in row[: len(self.values)])

    def guess(self, row: Row) -> str:  # noqa: ARG002  a measured value is never simply wrong
        """Nothing: the values are told already."""
        return ""

    def _distance(self, said: float, true: float) -> float:
        if not self.period:
            return abs(said - true)
        half = self.period / 2
        return abs((said - true + half) % self.period - half)
