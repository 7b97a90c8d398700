"""What every task says, so that the stages need not know which of them they train.

    pixels → network → outputs ─┬─ loss(outputs, labels) → one value per sample
                                └─ evidence(outputs, labels) → one row per sample → score, gain, summary, details

Labels are what a person gave: a class number, a row of values, a mask. Outputs are what the network gives. Evidence is
what is kept of both for judging a whole split: the outputs themselves where they are small, counts where they are not.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, Float64, Int, Num
from torch import Tensor, nn

from epochal.stats.intervals import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What a task is judged by: its name, which way is up, and its unit (`share` is shown in percent).

    >>> Metric(name="mean absolute error", higher_is_better=False, unit="degrees").better(1.0, than=2.0)
    True
    """

    name: str
    higher_is_better: bool
    unit: str = "share"

    def better(self, value: float, *, than: float) -> bool:
        """Whether `value` is the better one of the two; a value that is not a number never is."""
        return value > than if self.higher_is_better else value < than

    def show(self, value: float) -> str:
        """The value as a person reads it.

        >>> Metric(name="accuracy", higher_is_better=True).show(0.9012)
        '90.1%'
        """
        if self.unit == "share":
            return f"{value:.1%}"
        return f"{value:.3g} {self.unit}".rstrip()


def figures(task: "Task", score: Interval, *, samples: int) -> dict[str, Any]:
    """The part of `summary.json` that all tasks share.

    >>> from epochal.stats.intervals import wilson
    >>> from epochal.tasks.classification import Classification
    >>> figures(Classification(classes=("cat", "dog"), counts=(7, 1)), wilson(3, 4), samples=4)["metric"]
    'accuracy'
    """
    return {
        "task": task.name,
        "metric": task.metric.name,
        "higher_is_better": task.metric.higher_is_better,
        "unit": task.metric.unit,
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "confidence": score.confidence,
        "samples": samples,
    }


class Task(Protocol):
    """A kind of target on one data set. Frozen: everything is known from the training labels.

    Shapes: n samples; a network gives (n, outputs), or (n, outputs, h, w) where the task is `dense`.
    """

    @property
    def name(self) -> str:
        """`classification`, `multi-label`, `regression` or `segmentation`."""

    @property
    def metric(self) -> Metric:
        """What decides between models and what the summary reports."""

    @property
    def outputs(self) -> int:
        """Numbers that the network gives, for each sample or for each pixel."""

    @property
    def dense(self) -> bool:
        """Whether the network answers for each pixel: labels are masks then, and move with the image."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what is told apart or measured: classes, or value columns."""

    def describe(self) -> dict[str, Any]:
        """Plain JSON values, `name` among them, from which `epochal.tasks.kinds.task_from` makes the task again."""

    def prepare_(self, model: nn.Module) -> None:
        """Begin the last layer at what is known before looking, in place (tip K2.5)."""

    def loss(self, *, smoothing: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
        """The loss: outputs and labels of a batch in, one value per sample out."""

    def initial_loss(self, *, smoothing: float = 0.0) -> float:
        """The mean loss to expect of a prepared network before its first step, on the training labels (tip K2.4)."""

    def constant(self) -> Float[Tensor, " outputs"]:
        """Outputs of the best answer that does not look: the prior, the mean."""

    def decoder(self) -> nn.Module:
        """From outputs to what a user wants: logits as they are, or values in the units of the labels."""

    def evidence(self, outputs: Tensor, labels: Tensor) -> Num[Tensor, "n e"]:
        """One row per sample from which everything below is computed; the outputs themselves unless they are large."""

    def score(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> Interval:
        """The metric with its interval."""

    def losses(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> Float64[np.ndarray, " n"]:
        """The loss of each sample without smoothing, in float64: finer than the metric when two models are compared."""

    def gain(
        self, candidate: Num[np.ndarray, "n e"], present: Num[np.ndarray, "n e"], *, labels: np.ndarray
    ) -> Interval:
        """How much better the candidate is in the metric, on the same samples: above 0 whichever way it points."""

    def trivial(self, labels: np.ndarray) -> dict[str, Interval]:
        """The metric of answers that need no image, on `labels`; the first is the one to be beaten."""

    def temperature(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> float:
        """What the outputs are divided by to make probabilities honest; 1 where there are none."""

    def summary(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> dict[str, Any]:
        """The figures of a split for `summary.json`: those of `figures`, and the task's own."""

    def details(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> dict[str, Any]:
        """What the report draws beside the score."""

    def predicted(self, outputs: Num[np.ndarray, "n ..."]) -> list[dict[str, Any]]:
        """One flat row per sample for `predict`, from outputs as the network gives them."""

    def judged(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> list[dict[str, Any]]:
        """One flat row per sample for `predictions.csv`: what was given, what was said, how far off."""

    def hardest(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray, *, count: int) -> Int[np.ndarray, " k"]:
        """Places of the samples on which model and label disagree most, worst first; those in agreement left out."""

    def caption(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """A short and a long line for the picture of a sample, from its row of `judged`."""

    def spoken(self, labels: np.ndarray) -> Sequence[str]:
        """Each label in a few characters, to stand under its picture."""
