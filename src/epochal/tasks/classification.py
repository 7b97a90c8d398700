"""Classification: each image is one of a fixed set of classes.

target      one class number per image, 0 to c - 1, in the order of the sorted class names
loss        cross-entropy, which knows its value before anything is learnt
metric      accuracy with Wilson's interval; the likelihood and calibration stand beside it
head        one logit per class, its bias begun at the logarithm of the class shares
chance      always naming the most common class; the class shares as constant probabilities
prediction  class and probability per file
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64, Int, Num
from torch import Tensor, nn

from epochal.errors import DataError
from epochal.losses.classification import cross_entropy, expected_at_init
from epochal.models.head import log_prior, set_prior_bias_
from epochal.stats.calibration import calibration_error, reliability
from epochal.stats.classification import accuracy, brier, nll, softmax
from epochal.stats.confusion import balanced_accuracy, confusion_matrix, per_class
from epochal.stats.intervals import Interval, wilson

METRIC = "accuracy"
HIGHER_IS_BETTER = True


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

    def loss(self, *, smoothing: float = 0.0) -> Callable[[Tensor, Tensor], Tensor]:
        """The loss of a batch: logits and labels in, one value per sample out, in nats."""
        return partial(cross_entropy, smoothing=smoothing)

    def initial_loss(self, *, smoothing: float = 0.0, prior_bias: bool = True) -> float:
        """The loss to expect before the first step, on samples distributed as the training split (tip K2.4).

        With the bias at the class shares it is their entropy; without, `log c`.  Units: nats.

        >>> even = Classification(classes=tuple("abcdefghij"), counts=(5,) * 10)
        >>> round(even.initial_loss(prior_bias=False), 4)
        2.3026
        """
        shares = np.asarray(self.counts, dtype=np.float64) + 1e-9
        shares /= shares.sum()
        even = np.full(len(shares), 1 / len(shares))
        said = self.prior / self.prior.sum() if prior_bias else even
        return expected_at_init(shares.tolist(), smoothing=smoothing, predicted=said.tolist())

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
        share = accuracy(logits, labels)
        matrix = self._matrix(logits, labels)
        return {
            "task": "classification",
            "metric": METRIC,
            "value": share.value,
            "low": share.low,
            "high": share.high,
            "confidence": share.confidence,
            "samples": len(labels),
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

    def rows(
        self, keys: Sequence[str], logits: Num[np.ndarray, "n c"], *, all_classes: bool = False
    ) -> Iterator[dict[str, Any]]:
        """One row per file for `predict`: file, class, probability, and on request that of every class.

        >>> task = Classification(classes=("cat", "dog"), counts=(1, 1))
        >>> list(task.rows(["a.jpg"], np.array([[0.0, np.log(3.0)]])))
        [{'file': 'a.jpg', 'class': 'dog', 'probability': 0.75}]
        """
        for key, row in zip(keys, softmax(logits), strict=True):
            best = int(row.argmax())
            said: dict[str, Any] = {"file": key, "class": self.classes[best], "probability": float(row[best])}
            if all_classes:
                said |= {f"probability.{name}": float(p) for name, p in zip(self.classes, row, strict=True)}
            yield said

    def _matrix(self, logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> np.ndarray:
        return confusion_matrix(logits.argmax(axis=1), labels, classes=len(self.classes))


def _known(value: float) -> float | None:
    """JSON has no NaN: what cannot be told is null."""
    return None if np.isnan(value) else value
