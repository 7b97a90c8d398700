"""Multi-label classification: each image shows any number of a fixed set of classes, or none.

target      a row of 0 and 1 per image, one column for each class
loss        cross-entropy of each yes or no, the mean over the classes
metric      mean average precision over the classes that have positives; its interval draws samples again
head        one logit per class, its bias begun at the log odds of the class's share of images
chance      the shares themselves: average precision is then the share of positives
prediction  the classes named, and the probability of each, per file
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64, Num
from torch import Tensor, nn

from epochal.errors import DataError, SettingError
from epochal.losses.multi_label import AnswerWeights, MultiLabelLoss, balanced_answers
from epochal.models.head import set_bias_
from epochal.stats import answers, multi_label
from epochal.stats.answer_rows import caption_of_sample, joined, rows_of_classes, rows_of_samples
from epochal.stats.intervals import Interval
from epochal.tasks.task import Metric, figures

CLASS_WEIGHTS = ("none", "balanced")


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabel:
    """The task on one data set: its classes, how many of the training samples show each, and from when on to name it.

    >>> task = MultiLabel(classes=("cat", "dog"), counts=(7, 1), samples=8)
    >>> task.majority, round(task.initial_loss(), 4)
    ('cat', 0.3964)
    """

    classes: tuple[str, ...]
    counts: tuple[int, ...]
    samples: int
    thresholds: tuple[float, ...] = ()  # probabilities; 0.5 for all where there are none

    @classmethod
    def of(cls, classes: Sequence[str], labels: Num[np.ndarray, "n k"]) -> "MultiLabel":
        """Count the training labels.

        Raises: DataError for no class, a number of columns that is not that of classes, or a label besides 0 and 1.

        >>> MultiLabel.of(["cat", "dog"], np.array([[1, 0], [1, 1]], np.float32)).counts
        (2, 1)
        """
        if not classes or labels.shape[1] != len(classes):
            raise DataError(
                f"There are {len(classes)} classes and {labels.shape[1]} columns of labels.",
                expected="one column for each class, and at least one.",
                remedy="name each class once.",
            )
        foreign = labels[(labels != 0) & (labels != 1)]
        if len(foreign):
            raise DataError(
                f"A label is {foreign[0]} ({len(foreign)} such labels).",
                expected="1 where an image shows the class, 0 where it does not.",
                remedy="decide for each image and class, or leave the image out.",
            )
        counts = tuple(int(count) for count in labels.sum(axis=0, dtype=np.float64))
        return cls(classes=tuple(classes), counts=counts, samples=len(labels))

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "MultiLabel":
        """Make the task again from what `describe` gave."""
        lists = {name: tuple(description[name]) for name in ("classes", "counts", "thresholds")}
        return cls(**lists, samples=description["samples"])

    @property
    def name(self) -> str:
        """`multi-label`."""
        return "multi-label"

    @property
    def metric(self) -> Metric:
        """Mean average precision over the classes that have positives."""
        return Metric(name="mean average precision", higher_is_better=True)

    @property
    def outputs(self) -> int:
        """One logit per class."""
        return len(self.classes)

    @property
    def dense(self) -> bool:
        """One answer per image."""
        return False

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return self.classes

    @property
    def majority(self) -> str:
        """The class that most training samples show."""
        return self.classes[int(np.argmax(self.counts))]

    @property
    def prior(self) -> Float64[np.ndarray, " k"]:
        """The share of samples that show each class; one sample with all classes and one with none are added.

        >>> MultiLabel(classes=("cat", "dog"), counts=(7, 1), samples=8).prior.tolist()
        [0.8, 0.2]
        """
        return (np.asarray(self.counts, dtype=np.float64) + 1) / (self.samples + 2)

    def describe(self) -> dict[str, Any]:
        """Plain values that say everything."""
        lists = {name: list(getattr(self, name)) for name in ("classes", "counts", "thresholds")}
        return {"name": self.name, **lists, "samples": self.samples}

    def with_thresholds(self, evidence: Num[np.ndarray, "n k"], labels: Num[np.ndarray, "n k"]) -> "MultiLabel":
        """The same task, each class named from the probability on that has the best F1 on these (validation) samples.

        After the temperature is folded into the network, not before: it moves the probabilities.

        >>> task = MultiLabel(classes=("cat",), counts=(2,), samples=3)
        >>> task.with_thresholds(np.array([[-3.0], [-1.0], [1.0]]), np.array([[0], [1], [1]])).thresholds
        (0.158184,)
        """
        found = answers.best_thresholds(evidence, labels)
        return dataclasses.replace(self, thresholds=tuple(round(float(each), 6) for each in found))

    def prepare_(self, model: nn.Module) -> None:
        """Begin the head of `model` at the log odds of each class, in place (tip K2.5).

        Raises: SettingError where the last layer does not have one bias per class.
        """
        set_bias_(model, self.constant())

    def loss(
        self, *, smoothing: float = 0.0, name: str = "cross-entropy", class_weights: str = "none", gamma: float = 2.0
    ) -> MultiLabelLoss:
        """The loss of a batch: logits and labels in, the mean over classes of each sample out, in nats.

        `name` is cross-entropy or focal; `class_weights` is none, or balanced: yes and no of a class weigh alike.

        Raises: SettingError for other names.

        >>> task = MultiLabel(classes=("cat", "dog"), counts=(7, 1), samples=8)
        >>> task.loss()(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]))
        tensor([0.6931])
        """
        weights = self._weights(class_weights)
        return MultiLabelLoss(name=name, weights=weights, smoothing=smoothing, gamma=gamma)

    def initial_loss(
        self, *, smoothing: float = 0.0, name: str = "cross-entropy", class_weights: str = "none", gamma: float = 2.0
    ) -> float:
        """The loss to expect before the first step, on samples distributed as the training split (tip K2.4).

        >>> even = MultiLabel(classes=("cat", "dog"), counts=(4, 4), samples=8)
        >>> round(even.initial_loss(), 4)
        0.6931
        """
        loss = self.loss(smoothing=smoothing, name=name, class_weights=class_weights, gamma=gamma)
        shares = [count / max(1, self.samples) for count in self.counts]
        return loss.expected_at_init(shares, predicted=self.prior.tolist())

    def constant(self) -> Float[Tensor, " k"]:
        """The log odds of each class.

        >>> MultiLabel(classes=("cat", "dog"), counts=(7, 1), samples=8).constant().sigmoid()
        tensor([0.8000, 0.2000])
        """
        return torch.from_numpy(self.prior).logit().float()

    def decoder(self) -> nn.Module:
        """Logits are handed on as they are."""
        return nn.Identity()

    def evidence(self, outputs: Float[Tensor, "n k"], labels: Tensor) -> Float[Tensor, "n k"]:  # noqa: ARG002  other tasks ask
        """The logits themselves."""
        return outputs

    def score(self, evidence: Num[np.ndarray, "n k"], labels: Num[np.ndarray, "n k"]) -> Interval:
        """Mean average precision with its interval."""
        return multi_label.mean_average_precision_interval(evidence, labels)

    def losses(self, evidence: Num[np.ndarray, "n k"], labels: Num[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
        """Negative log likelihood of each sample's answers, the mean over the classes."""
        return answers.answer_nll(evidence, labels)

    def gain(
        self, candidate: Num[np.ndarray, "n k"], present: Num[np.ndarray, "n k"], *, labels: Num[np.ndarray, "n k"]
    ) -> Interval:
        """Difference of the mean average precisions, the same samples drawn again for both."""
        return multi_label.mean_average_precision_gain(candidate, present, labels=labels)

    def temperature(self, evidence: Num[np.ndarray, "n k"], labels: Num[np.ndarray, "n k"]) -> float:
        """The temperature, one for all classes, that makes the likelihood of these answers largest."""
        return answers.answer_temperature(evidence, labels)

    def trivial(self, labels: Num[np.ndarray, "n k"]) -> dict[str, Interval]:
        """Mean average precision on `labels` of saying the same of every image: the mean share of positives.

        >>> task = MultiLabel(classes=("cat", "dog"), counts=(7, 1), samples=8)
        >>> task.trivial(np.array([[1, 0], [1, 0], [0, 1], [1, 0]]))["prior"].value
        0.5
        """
        return {"prior": multi_label.mean_average_precision_interval(np.zeros(labels.shape), labels)}

    def summary(self, evidence: Num[np.ndarray, "n k"], labels: Num[np.ndarray, "n k"]) -> dict[str, Any]:
        """The figures of a split for `summary.json`.

        `macro_f1` is at the thresholds chosen on validation where there are any, all else at a probability of 0.5.
        """
        half, named = evidence > 0, self._named(evidence)
        right = half == (labels > 0)
        return {
            **figures(self, self.score(evidence, labels), samples=len(labels)),
            "macro_f1": _known(answers.macro_f1(answers.answer_counts(named, labels))),
            "thresholds": "validation" if self.thresholds else "0.5",
            "micro_f1": answers.micro_f1(answers.answer_counts(half, labels)),
            "hamming_loss": float(1 - right.mean()),
            "exact_match": float(right.all(axis=1).mean()),
            "nll": float(self.losses(evidence, labels).mean()),
        }

    def details(self, evidence: Num[np.ndarray, "n k"], labels: Num[np.ndarray, "n k"]) -> dict[str, Any]:
        """What a report draws beside the score: each class alone, named from its threshold on."""
        return {
            "per_class": rows_of_classes(
                answers.answer_counts(self._named(evidence), labels),
                multi_label.average_precision_intervals(evidence, labels),
                classes=self.classes,
                thresholds=self._threshold.tolist(),
            )
        }

    def predicted(self, outputs: Num[np.ndarray, "n k"]) -> list[dict[str, Any]]:
        """The classes named for each sample, joined by semicolons, and the probability of each class.

        >>> task = MultiLabel(classes=("cat", "dog"), counts=(7, 1), samples=8)
        >>> task.predicted(np.array([[0.0, np.log(3.0)]]))
        [{'labels': 'dog', 'probability.cat': 0.5, 'probability.dog': 0.75}]
        """
        return [
            {"labels": joined(named, classes=self.classes)}
            | {f"probability.{name}": round(float(p), 6) for name, p in zip(self.classes, row, strict=True)}
            for named, row in zip(self._named(outputs), answers.sigmoid(outputs), strict=True)
        ]

    def judged(self, evidence: Num[np.ndarray, "n k"], labels: Num[np.ndarray, "n k"]) -> list[dict[str, Any]]:
        """Labels given and named side by side, what was missed, what was named for nothing, and the loss."""
        losses = self.losses(evidence, labels)
        return rows_of_samples(self._named(evidence), labels > 0, losses=losses, classes=self.classes)

    def hardest(
        self, evidence: Num[np.ndarray, "n k"], labels: Num[np.ndarray, "n k"], *, count: int
    ) -> Int64[np.ndarray, " k"]:
        """The samples with the largest loss among those with a wrong answer."""
        order = np.argsort(-self.losses(evidence, labels), kind="stable")
        wrong = (self._named(evidence) != (labels > 0)).any(axis=1)
        return np.asarray(order[wrong[order]][:count], dtype=np.int64)

    def caption(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """What was missed and what was named for nothing.

        >>> task = MultiLabel(classes=("cat", "dog"), counts=(7, 1), samples=8)
        >>> task.caption(task.judged(np.array([[-1.0, 2.0]]), np.array([[1.0, 0.0]]))[0])
        ('− cat + dog', 'labelled cat, predicted dog')
        """
        return caption_of_sample(row)

    def spoken(self, labels: Num[np.ndarray, "n k"]) -> list[str]:
        """The class names, or a dash."""
        return [joined(row > 0, classes=self.classes, by=", ") or "–" for row in labels]

    @property
    def _threshold(self) -> Float64[np.ndarray, " k"]:
        return np.asarray(self.thresholds or (0.5,) * len(self.classes), dtype=np.float64)

    def _named(self, logits: Num[np.ndarray, "n k"]) -> Bool[np.ndarray, "n k"]:
        """Which classes are named: half is exactly where a logit of 0 is, whatever is rounded."""
        at = self._threshold
        return np.asarray(logits.astype(np.float64) > np.log(at) - np.log1p(-at))

    def _weights(self, name: str) -> AnswerWeights | None:
        if name not in CLASS_WEIGHTS:
            raise SettingError.unknown("class weighting", name, known=CLASS_WEIGHTS)
        return balanced_answers(self.counts, samples=self.samples) if name == "balanced" else None


def _known(value: float) -> float | None:
    """JSON has no NaN: what cannot be told is null."""
    return None if np.isnan(value) else value
