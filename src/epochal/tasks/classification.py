"""Classification: each image is one of a fixed set of classes.

target      one class number per image, 0 to c - 1, in the order of the sorted class names
loss        cross-entropy, which knows its value before anything is learnt
metric      accuracy with Wilson's interval; the likelihood and calibration stand beside it
head        one logit per class, its bias begun at the logarithm of the class shares
chance      always naming the most common class; the class shares as constant probabilities
prediction  class and probability per file
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int, Num
from torch import Tensor, nn

from epochal.errors import DataError
from epochal.losses.by_name import ClassLoss
from epochal.models.head import log_prior, set_prior_bias_
from epochal.stats.calibration import calibration_error, reliability, temperature
from epochal.stats.classification import accuracy, brier, most_disputed, nll, right, sample_nll, softmax
from epochal.stats.confusion import balanced_accuracy, confusion_matrix, per_class
from epochal.stats.intervals import Interval, paired_difference, wilson
from epochal.tasks.task import Metric, figures

METRIC = Metric(name="accuracy", higher_is_better=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """The task on one data set: its classes and how many training samples each has.

    >>> task = Classification(classes=("cat", "dog"), counts=(7, 1))
    >>> task.majority, round(task.initial_loss(), 4)
    ('cat', 0.3964)
    """

    classes: tuple[str, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, classes: Sequence[str], labels: Int[np.ndarray, " n"]) -> "Classification":
        """Count the training labels.

        Raises: DataError for fewer than two classes, or a label that is none of them.

        >>> Classification.of(["cat", "dog"], np.array([0, 0, 1])).counts
        (2, 1)
        """
        if len(classes) < 2:
            raise DataError(
                f"There is {len(classes)} class: {', '.join(classes)}.",
                expected="two or more, for there is nothing to tell apart otherwise.",
                remedy="one folder for each class, with its images in it.",
            )
        if len(labels) and not 0 <= labels.min() <= labels.max() < len(classes):
            raise DataError(
                f"Labels run from {labels.min()} to {labels.max()}.",
                expected=f"0 to {len(classes) - 1}, one number for each class.",
                remedy="number the classes in the order of their names.",
            )
        return cls(classes=tuple(classes), counts=tuple(np.bincount(labels, minlength=len(classes)).tolist()))

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Classification":
        """Read back what `describe` wrote.

        >>> task = Classification(classes=("cat", "dog"), counts=(7, 1))
        >>> Classification.from_description(task.describe()) == task
        True
        """
        return cls(classes=tuple(description["classes"]), counts=tuple(description["counts"]))

    @property
    def name(self) -> str:
        """How the recipe calls this task."""
        return "classification"

    @property
    def metric(self) -> Metric:
        """The share of samples whose likeliest class is the right one."""
        return METRIC

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

    def describe(self) -> dict[str, Any]:
        """Plain values that say everything."""
        return {"name": self.name, "classes": list(self.classes), "counts": list(self.counts)}

    @property
    def majority(self) -> str:
        """The most common class of the training split: the best answer that needs no image."""
        return self.classes[int(np.argmax(self.counts))]

    @property
    def prior(self) -> Float64[np.ndarray, " c"]:
        """The class shares as the head's first bias gives them: one sample is added to each class.

        >>> Classification(classes=("cat", "dog"), counts=(7, 1)).prior.round(3).tolist()
        [0.8, 0.2]
        """
        return np.asarray(np.exp(log_prior(self.counts).double().numpy()))

    def prepare_(self, model: nn.Module) -> None:
        """Begin the head of `model` at the class shares, in place (tip K2.5).

        Raises: SettingError where the last layer does not have one bias per class.
        """
        set_prior_bias_(model, self.counts)

    def loss(self, *, smoothing: float = 0.0, **options: Any) -> ClassLoss:
        """The loss of a batch, in nats; `options` and errors are those of `epochal.losses.by_name.ClassLoss`."""
        return ClassLoss(counts=self.counts, smoothing=smoothing, **options)

    def initial_loss(self, *, smoothing: float = 0.0, prior_bias: bool = True, **options: Any) -> float:
        """The loss to expect before the first step, on samples distributed as the training split (tip K2.4).

        With the bias at the class shares it is their entropy; without, `log c`.  `options` as in `loss`.  Units: nats.

        >>> even = Classification(classes=tuple("abcdefghij"), counts=(5,) * 10)
        >>> round(even.initial_loss(prior_bias=False), 4)
        2.3026
        """
        said = None if prior_bias else [1 / len(self.classes)] * len(self.classes)
        return self.loss(smoothing=smoothing, **options).expected_at_init(predicted=said)

    def constant(self) -> Float[Tensor, " c"]:
        """The logits of the class shares.

        >>> Classification(classes=("cat", "dog"), counts=(7, 1)).constant().softmax(0)
        tensor([0.8000, 0.2000])
        """
        return log_prior(self.counts)

    def decoder(self) -> nn.Module:
        """Logits are handed on as they are."""
        return nn.Identity()

    def evidence(self, outputs: Float[Tensor, "n c"], labels: Tensor) -> Float[Tensor, "n c"]:  # noqa: ARG002  other tasks ask
        """The logits themselves."""
        return outputs

    def score(self, evidence: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> Interval:
        """Accuracy with Wilson's interval."""
        return accuracy(evidence, labels)

    def losses(self, evidence: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Negative log likelihood of each sample."""
        return sample_nll(evidence, labels)

    def gain(
        self, candidate: Num[np.ndarray, "n c"], present: Num[np.ndarray, "n c"], *, labels: Int[np.ndarray, " n"]
    ) -> Interval:
        """Difference of the accuracies on the same samples.

        >>> task = Classification(classes=("cat", "dog"), counts=(1, 1))
        >>> task.gain(np.eye(2), np.eye(2)[::-1], labels=np.array([0, 1])).value
        1.0
        """
        return paired_difference(right(candidate, labels), right(present, labels))

    def temperature(self, evidence: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> float:
        """The temperature that makes the likelihood of these samples largest (Guo et al. 2017, section 4.2)."""
        return temperature(evidence, labels)

    def trivial(self, labels: Int[np.ndarray, " n"]) -> dict[str, Interval]:
        """Accuracy on `labels` of what needs no image: always the majority, and a fair guess.

        >>> task = Classification(classes=("cat", "dog"), counts=(7, 1))
        >>> task.trivial(np.array([0, 0, 0, 1]))["majority"].value
        0.75
        """
        n, named = len(labels), int(np.argmax(self.counts))
        return {
            "majority": wilson(int((labels == named).sum()), n),
            "guess": Interval(value=1 / len(self.classes), low=0.0, high=1.0, confidence=0.95, method="exact"),
        }

    def summary(self, logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> dict[str, Any]:
        """The figures of a split for `summary.json`, over all samples, each counted once (tip K2.3).

        Raises: DataError if a label is not one of the classes.

        >>> task = Classification(classes=("cat", "dog"), counts=(1, 1))
        >>> task.summary(np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([0, 1]))["value"]
        1.0
        """
        matrix = self._matrix(logits, labels)
        return {
            **figures(self, accuracy(logits, labels), samples=len(labels)),
            "balanced_accuracy": balanced_accuracy(matrix),
            "nll": nll(logits, labels),
            "brier": brier(logits, labels),
            "calibration_error": calibration_error(logits, labels),
            "calibration_error_width": calibration_error(logits, labels, spacing="width"),
        }

    def details(self, logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> dict[str, Any]:
        """What a report draws beside the score: each class alone, the confusions, the reliability.

        Raises: DataError if a label is not one of the classes.
        """
        matrix, bins = self._matrix(logits, labels), reliability(logits, labels)
        scores = per_class(matrix)
        return {
            "per_class": [
                {
                    "label": self.classes[each.label],
                    "support": each.support,
                    "recall": _known(each.recall.value),
                    "low": each.recall.low,
                    "high": each.recall.high,
                    "precision": _known(each.precision.value),
                    "f1": each.f1,
                }
                for each in scores
            ],
            "confusion": {"labels": list(self.classes), "counts": matrix.tolist()},
            "calibration": [
                {"confidence": sure, "accuracy": held, "count": count}
                for sure, held, count in zip(
                    bins.confidence.tolist(), bins.accuracy.tolist(), bins.count.tolist(), strict=True
                )
            ],
        }

    def predicted(self, outputs: Num[np.ndarray, "n c"]) -> list[dict[str, Any]]:
        """The likeliest class of each sample, and how likely it is.

        >>> task = Classification(classes=("cat", "dog"), counts=(1, 1))
        >>> task.predicted(np.array([[0.0, np.log(3.0)]]))
        [{'predicted': 'dog', 'probability': 0.75}]
        """
        best = outputs.argmax(axis=1)
        sure = softmax(outputs)[np.arange(len(best)), best]
        return [
            {"predicted": self.classes[said], "probability": round(float(p), 6)}
            for said, p in zip(best.tolist(), sure, strict=True)
        ]

    def judged(self, evidence: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> list[dict[str, Any]]:
        """Label and prediction side by side, and how likely each was thought to be."""
        own = np.exp(-sample_nll(evidence, labels))
        return [
            {
                "label": self.classes[label],
                **said,
                "right": int(self.classes[label] == said["predicted"]),
                "label_probability": round(float(p), 6),
            }
            for label, said, p in zip(labels.tolist(), self.predicted(evidence), own, strict=True)
        ]

    def hardest(
        self, evidence: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], *, count: int
    ) -> Int[np.ndarray, " k"]:
        """The samples that are answered wrongly with the most conviction."""
        worst = most_disputed(evidence, labels, count=count)
        wrong: Int[np.ndarray, " k"] = worst[~right(evidence[worst], labels[worst])]
        return wrong

    def caption(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """What was given, what was said.

        >>> task = Classification(classes=("cat", "dog"), counts=(1, 1))
        >>> task.caption(task.judged(np.array([[0.0, np.log(3.0)]]), np.array([0]))[0])
        ('cat → dog', 'labelled cat (25.0%), predicted dog (75.0%)')
        """
        given, said = row["label"], row["predicted"]
        likely = f"labelled {given} ({row['label_probability']:.1%}), predicted {said} ({row['probability']:.1%})"
        return f"{given} → {said}", likely

    def spoken(self, labels: Int[np.ndarray, " n"]) -> list[str]:
        """The class names."""
        return [self.classes[label] for label in labels.tolist()]

    def _matrix(self, logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> np.ndarray:
        return confusion_matrix(logits.argmax(axis=1), labels, classes=len(self.classes))


def _known(value: float) -> float | None:
    """JSON has no NaN: what cannot be told is null."""
    return None if np.isnan(value) else value
