"""Regression: each image has one or more numbers.

target      float32 (n, k), k value columns in the user's own units; some may lie on a circle, where 9.9 is near 0.0
loss        smooth L1 of standardised values; on a circle of the straight way between two places on it
metric      mean absolute error with its interval; of several columns the mean, each in its own standard deviations
head        one output per value, cosine and sine on a circle, begun at the mean
chance      always the median, the best constant by absolute error; always the mean
prediction  the values per file
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float64, Int, Num
from torch import Tensor, nn

from epochal.errors import DataError
from epochal.stats.circular import Circle
from epochal.stats.intervals import Interval, mean_interval
from epochal.stats.regression import mean_size
from epochal.tasks import value_rows as rows
from epochal.tasks.encoding import BETA, Decoder, begin_, constant_loss, value_loss
from epochal.tasks.task import Metric, figures
from epochal.tasks.value import Value

Outputs: TypeAlias = Num[np.ndarray, "n o"]
Labels: TypeAlias = Num[np.ndarray, "n k"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """The task on one data set: its value columns, as the training labels show them.

    >>> task = Regression.of(["age"], np.array([[10.0], [20.0], [60.0]], np.float32))
    >>> task.outputs, task.metric.show(task.trivial(np.array([[30.0]], np.float32))["median"].value)
    (1, '10')
    """

    values: tuple[Value, ...]

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        labels: Labels,
        *,
        periods: Sequence[Circle | float | None] | None = None,
    ) -> "Regression":
        """Learn from the training labels; `periods` says which columns lie on a circle, and how long it is.

        Raises: DataError for no label, one that is not finite, or a column that never changes.

        >>> Regression.of(["dial"], np.array([[0.0], [9.9]], np.float32), periods=[10.0]).outputs
        2
        """
        given = [None] * len(names) if periods is None else list(periods)
        _check(names, labels, periods=len(given))
        return cls(
            values=tuple(
                Value.of(name, column, circle=_circle(period, column))
                for name, column, period in zip(names, labels.T, given, strict=True)
            )
        )

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Regression":
        """Read back what `describe` wrote.

        >>> task = Regression.of(["age", "dial"], np.array([[1.0, 0.0], [2.0, 9.9]]), periods=[None, 10.0])
        >>> Regression.from_description(task.describe()) == task
        True
        """
        return cls(values=tuple(Value.from_description(each) for each in description["values"]))

    @property
    def name(self) -> str:
        """How the recipe calls this task."""
        return "regression"

    @property
    def metric(self) -> Metric:
        """How far off on average: in the column's own units, or in standard deviations where there are several."""
        unit = "" if len(self.values) == 1 else "deviations"
        return Metric(name="mean absolute error", higher_is_better=False, unit=unit)

    @property
    def outputs(self) -> int:
        """One number per value, two where it lies on a circle."""
        return sum(value.outputs for value in self.values)

    @property
    def dense(self) -> bool:
        """One answer per image."""
        return False

    @property
    def names(self) -> tuple[str, ...]:
        """The value columns."""
        return tuple(value.name for value in self.values)

    def describe(self) -> dict[str, Any]:
        """Plain values that say everything."""
        return {"name": self.name, "values": [value.describe() for value in self.values]}

    def prepare_(self, model: nn.Module) -> None:
        """Begin the head of `model` at the constant answer, whatever the image, in place (tip K2.5).

        Raises: SettingError where the last layer does not have one bias per output.
        """
        begin_(model, self.constant())

    def encode(self, labels: Labels) -> Float64[np.ndarray, "n outputs"]:
        """The outputs of a network that says exactly these values: what a linear map is fitted to."""
        return rows.encoded(self.values, labels)

    def decode(self, outputs: Outputs) -> Float64[np.ndarray, "n k"]:
        """The values that these outputs say, in float64; `decoder` does the same in torch.

        >>> task = Regression.of(["age", "dial"], np.array([[1.0, 0.0], [3.0, 9.9]]), periods=[None, 10.0])
        >>> task.decode(task.encode(np.array([[5.0, 7.0]]))).round(6).tolist()
        [[5.0, 7.0]]
        """
        return rows.decoded(self.values, outputs)

    def loss(
        self, *, smoothing: float = 0.0, name: str = "smooth-l1", beta: float = BETA
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """The loss of a batch: outputs and labels in their own units in, one value per sample out.

        `smoothing` changes nothing: it takes belief from the given class and spreads it over the others, and a number
        has no others. Against labels that are off, smooth L1 does what smoothing does for classes.

        Raises: SettingError for another name than smooth-l1, huber, squared or absolute.
        """
        del smoothing
        return value_loss(self.values, name=name, beta=beta)

    def initial_loss(self, *, smoothing: float = 0.0, name: str = "smooth-l1", beta: float = BETA) -> float:
        """The mean loss of the constant answer on the training labels (tip K2.4).

        Exact for columns of up to 256 distinct values, which are kept with their counts; of finer ones as many means
        of stretches are kept, and the figure is right to about a thousandth.

        >>> task = Regression.of(["age"], np.array([[10.0], [30.0]]))
        >>> task.initial_loss(), task.initial_loss(name="squared")
        (0.95, 1.0)
        """
        del smoothing
        return constant_loss(self.values, name=name, beta=beta)

    def constant(self) -> Float[Tensor, " o"]:
        """Outputs of the mean; on a circle of the mean vector, which is short where values lie all around."""
        return torch.from_numpy(np.concatenate([value.constant for value in self.values])).float()

    def decoder(self) -> nn.Module:
        """From outputs to values in the units of the labels."""
        return Decoder(self.values)

    def evidence(self, outputs: Float[Tensor, "n o"], labels: Tensor) -> Float[Tensor, "n o"]:  # noqa: ARG002  other tasks ask
        """The outputs themselves."""
        return outputs

    def score(self, evidence: Outputs, labels: Labels) -> Interval:
        """Mean absolute error."""
        return mean_size(self.distances(evidence, labels))

    def distances(self, evidence: Outputs, labels: Labels) -> Float64[np.ndarray, " n"]:
        """How far off each sample is, in the units of the metric."""
        return self._sizes(self.decode(evidence), labels)

    def losses(self, evidence: Outputs, labels: Labels) -> Float64[np.ndarray, " n"]:
        """The loss of each sample, in float64."""
        outputs, given = (torch.from_numpy(each.astype(np.float64)) for each in (evidence, labels))
        return np.asarray(self.loss()(outputs, given).numpy())

    def gain(self, candidate: Outputs, present: Outputs, *, labels: Labels) -> Interval:
        """By how much the candidate is less far off on the same samples.

        >>> task = Regression.of(["age"], np.array([[10.0], [30.0]]))
        >>> task.gain(np.array([[0.0], [0.1]]), np.array([[1.0], [1.0]]), labels=np.array([[20.0], [20.0]])).value
        9.5
        """
        return mean_interval(self.distances(present, labels) - self.distances(candidate, labels))

    def trivial(self, labels: Labels) -> dict[str, Interval]:
        """Mean absolute error on `labels` of what needs no image: always the median, always the mean."""
        answers = {"median": [value.median for value in self.values], "mean": [value.mean for value in self.values]}
        return {
            name: mean_size(self._sizes(np.broadcast_to(np.array(said), labels.shape), labels))
            for name, said in answers.items()
        }

    def temperature(self, evidence: Outputs, labels: Labels) -> float:  # noqa: ARG002
        """There are no probabilities."""
        return 1.0

    def summary(self, evidence: Outputs, labels: Labels) -> dict[str, Any]:
        """The figures of a split for `summary.json`, over all samples, each counted once (tip K2.3).

        `rmse` and `median_absolute_error` are in the units of the metric, `r2` is the mean over the columns. `values`
        has the figures of each column in its own units, its mean signed error `bias` among them.

        >>> task = Regression.of(["age"], np.array([[10.0], [30.0]]))
        >>> round(task.summary(np.array([[0.0], [0.5]]), np.array([[20.0], [30.0]]))["rmse"], 3)
        3.536
        """
        away = self.distances(evidence, labels)
        columns = rows.judged_columns(self.values, self.decode(evidence), given=labels)
        return {
            **figures(self, mean_size(away), samples=len(labels)),
            "rmse": rows.known(float(np.sqrt(np.square(away).mean()))),
            "median_absolute_error": rows.known(float(np.median(away))),
            "r2": rows.known(float(np.mean([found.r2 for found in columns]))),
            "values": {name: rows.plain(found) for name, found in zip(self.names, columns, strict=True)},
        }

    def details(self, evidence: Outputs, labels: Labels) -> dict[str, Any]:
        """What a report draws beside the score: each column alone, given against predicted, and the errors.

        `period` is that of a single column; each of several has its own in `per_value`.
        """
        said = self.decode(evidence)
        columns = rows.judged_columns(self.values, said, given=labels)
        periods = [None if value.circle is None else value.circle.period for value in self.values]
        return {
            "period": periods[0] if len(periods) == 1 else None,
            "per_value": [
                {"name": name, "period": period, **rows.plain(found)}
                for name, period, found in zip(self.names, periods, columns, strict=True)
            ],
            **rows.drawn(self.values, said, given=labels),
        }

    def predicted(self, outputs: Outputs) -> list[dict[str, Any]]:
        """The values of each sample, in seven digits.

        >>> Regression.of(["age"], np.array([[10.0], [30.0]])).predicted(np.array([[0.25]]))
        [{'age': 22.5}]
        """
        return [dict(zip(self.names, map(rows.short, row), strict=True)) for row in self.decode(outputs).tolist()]

    def judged(self, evidence: Outputs, labels: Labels) -> list[dict[str, Any]]:
        """What was given, what was said, and the difference; of several columns each under its own name.

        >>> Regression.of(["age"], np.array([[10.0], [30.0]])).judged(np.array([[0.25]]), np.array([[20.0]]))
        [{'label': 20.0, 'predicted': 22.5, 'error': 2.5}]
        """
        return rows.told(self.values, self.decode(evidence), given=labels)

    def hardest(self, evidence: Outputs, labels: Labels, *, count: int) -> Int[np.ndarray, " m"]:
        """The samples that are furthest off; those left out that are closer than a millionth of the usual spread."""
        away = self.distances(evidence, labels)
        spread = self.values[0].deviation if len(self.values) == 1 else 1.0
        worst = np.argsort(-np.where(np.isnan(away), np.inf, away), kind="stable")[:count]
        return np.asarray(worst[~(away[worst] <= 1e-6 * spread)])

    def caption(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """What was given, what was said.

        >>> task = Regression.of(["age"], np.array([[10.0], [30.0]]))
        >>> task.caption(task.judged(np.array([[0.25]]), np.array([[20.0]]))[0])
        ('20 → 22.5', 'age: given 20, predicted 22.5, off by +2.5')
        """
        return rows.caption(self.values, row)

    def spoken(self, labels: Labels) -> list[str]:
        """The values in four digits."""
        return [", ".join(f"{value:.4g}" for value in row) for row in labels.tolist()]

    def _sizes(self, said: Labels, labels: Labels) -> Float64[np.ndarray, " n"]:
        return rows.sizes(self.values, rows.errors(self.values, said, given=labels))


def _circle(period: Circle | float | None, labels: Num[np.ndarray, " n"]) -> Circle | None:
    if period is None or isinstance(period, Circle):
        return period
    return Circle.holding(period, low=float(labels.min()), high=float(labels.max()))


def _check(names: Sequence[str], labels: Labels, *, periods: int) -> None:
    if labels.ndim != 2 or not len(names) == labels.shape[1] == periods or not labels.size:
        raise DataError(
            f"Labels of shape {labels.shape} came for {len(names)} value columns, with {periods} periods.",
            expected="one row per image, one column and one period (or none) per value, and at least one of each.",
            remedy="name the columns that hold the values to predict.",
        )
    broken = np.argwhere(~np.isfinite(labels))
    if len(broken):
        row, column = broken[0]
        raise DataError(
            f"{names[column]} is {labels[row, column]} in row {row} ({len(broken)} such values).",
            expected="a finite number for each image of the training split.",
            remedy="leave these rows out, or fill them in.",
        )
