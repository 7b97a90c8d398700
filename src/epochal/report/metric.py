"""What a run is judged by: the name of the metric, which way is up, and how its values are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from epochal.report import wording
from epochal.report.fields import Event, mapping, text
from epochal.report.record import Record

# How a headline goes on after "the model"; any other metric is reached.
_HEADLINES = {
    "accuracy": "is right for",
    "mean absolute error": "is on average off by",
    "mean IoU": "reaches a mean IoU of",
    "mean average precision": "reaches a mean average precision of",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The metric of a task. `higher_is_better` is None where a journal does not say: then nothing is compared.

    >>> error = Metric(task="regression", name="mean absolute error", higher_is_better=False, unit="degrees")
    >>> error.worded(3.25, low=3.0, high=3.5).replace(wording.GAP, " "), error.better(3.0, than=3.25)
    ('3.25 degrees (3 to 3.5)', True)
    """

    task: str = "classification"
    name: str = "accuracy"
    higher_is_better: bool | None = True
    unit: str = "share"

    @classmethod
    def of(cls, record: Record) -> Metric:
        """The metric that the journal names at its start, else the one of its result, else accuracy.

        >>> told = {"name": "regression", "metric": "mean absolute error", "higher_is_better": False, "unit": ""}
        >>> Metric.of(Record.of([{"kind": "measurement", "name": "task", "value": told}])).title
        'Mean absolute error'
        """
        told = mapping(record.measured("task"))
        return cls._read(told, task=text(told.get("name"))) if told else cls._read(record.result)

    @classmethod
    def _read(cls, told: Event, *, task: str = "") -> Metric:
        name = text(told.get("metric")) or "accuracy"
        up, unit = told.get("higher_is_better"), told.get("unit")
        known = isinstance(up, bool)
        share = unit == "share" if isinstance(unit, str) else "accuracy" in name  # older journals tell no unit
        return cls(
            task=task or text(told.get("task")) or "classification",
            name=name,
            higher_is_better=bool(up) if known else (True if share else None),
            unit="share" if share else text(unit),
        )

    def told_by(self, model: Event) -> Metric:
        """The metric of a `model` event, which names it with its split before it; this one where it names none.

        >>> Metric().told_by({"metric": "validation accuracy"}) == Metric(), Metric().told_by({"metric": "rmse"}).unit
        (True, '')
        """
        name = text(model.get("metric"))
        return self if not name or self.name in name else self._read({**model, "task": self.task})

    @property
    def is_share(self) -> bool:
        """Whether values are fractions of one, read as per cent."""
        return self.unit == "share"

    @property
    def title(self) -> str:
        """The name as a heading, with its unit where it is not per cent."""
        head = f"{self.name[:1].upper()}{self.name[1:]}"
        return head if self.is_share or not self.unit else f"{head} ({self.unit})"

    @property
    def headline(self) -> str:
        """What the model does, up to the figure."""
        return _HEADLINES.get(self.name, f"reaches {self.name}")

    def show(self, value: float | None) -> str:
        """A value with its unit.

        >>> Metric().show(0.912).replace(wording.GAP, " "), Metric(unit="").show(0.21)
        ('91.2 %', '0.21')
        """
        if self.is_share:
            return wording.percent(value)
        shown = wording.figure(value)
        return f"{shown}{wording.GAP}{self.unit}" if self.unit and value is not None else shown

    def between(self, low: float | None, high: float | None) -> str:
        """An interval without its unit; empty where there is none.

        >>> Metric().between(0.904, 0.92), Metric(unit="px").between(3.0, 3.5)
        ('90.4 to 92.0', '3 to 3.5')
        """
        if self.is_share or low is None or high is None:
            return wording.between(low, high)
        return f"{wording.figure(low)} to {wording.figure(high)}"

    def worded(self, value: float, *, low: float | None = None, high: float | None = None) -> str:
        """A value with its interval."""
        interval = self.between(low, high)
        return self.show(value) + (f" ({interval})" if interval else "")

    def better(self, value: float, *, than: float) -> bool:
        """Whether `value` is the better of the two; never where nobody knows which way is up.

        >>> Metric().better(0.9, than=0.8), Metric(higher_is_better=None).better(0.9, than=0.8)
        (True, False)
        """
        if self.higher_is_better is None:
            return False
        return value > than if self.higher_is_better else value < than

    def best(self, values: Iterable[float]) -> float | None:
        """The best of some values; of a metric with no known direction, and of none, None.

        >>> Metric().best([0.1, 0.3]), Metric(higher_is_better=False).best([0.1, 0.3]), Metric().best([])
        (0.3, 0.1, None)
        """
        if self.higher_is_better is None:
            return None
        return (max if self.higher_is_better else min)(values, default=None)
