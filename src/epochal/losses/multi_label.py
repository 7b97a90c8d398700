"""Losses of samples that may have several labels at once: one yes or no per class."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from epochal.errors import SettingError
from epochal.losses.focal import sigmoid_focal

MULTI_LABEL_LOSSES = ("cross-entropy", "focal")

Labels: TypeAlias = Bool[Tensor, "n k"] | Integer[Tensor, "n k"] | Float[Tensor, "n k"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerWeights:
    """What a yes and a no of each class weigh."""

    yes: tuple[float, ...]
    no: tuple[float, ...]


def balanced_answers(positives: Sequence[int], *, samples: int) -> AnswerWeights:
    """Give the yes and the no of each class the same say: `n / (2 n_yes)` and `n / (2 n_no)`.

    That is torch's `pos_weight` of `n_no / n_yes`, scaled so that the mean weight of each class is 1 and the loss keeps
    its size. A class that always or never occurs is left as it is.

    Raises: SettingError where a class has fewer than 0 or more than `samples` positives.
    Source: King and Zeng 2001; tip W9.

    >>> balanced_answers([1, 0], samples=4)
    AnswerWeights(yes=(2.0, 1.0), no=(0.6666666666666666, 1.0))
    """
    if not all(0 <= count <= samples for count in positives):
        raise SettingError(
            f"The classes have {list(positives)[:8]} positives in {samples} samples.",
            expected="0 to the number of samples.",
            remedy="add up the labels of the training split.",
        )
    mixed = [0 < count < samples for count in positives]
    return AnswerWeights(
        yes=tuple(samples / (2 * n) if both else 1.0 for n, both in zip(positives, mixed, strict=True)),
        no=tuple(samples / (2 * (samples - n)) if both else 1.0 for n, both in zip(positives, mixed, strict=True)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabelLoss:
    """The loss of several yes-or-no questions by name: logits and labels in, the mean over the classes out.

    "cross-entropy" asks each class on its own, `-y log p - (1 - y) log (1 - p)`; "focal" looks away from what is
    already right. Smoothing moves labels towards doubt: `y (1 - s) + s / 2`.

    Shapes: (n, k) and (n, k) to (n,).  Units: nats per class.
    Raises: SettingError for another name, or `smoothing` outside [0, 1).

    >>> MultiLabelLoss()(torch.zeros(1, 3), torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([0.6931])
    """

    name: str = "cross-entropy"
    weights: AnswerWeights | None = None
    smoothing: float = 0.0
    gamma: float = 2.0  # Lin et al. 2017, section 5.1: best of those tried

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is trained with it."""
        if self.name not in MULTI_LABEL_LOSSES:
            raise SettingError.unknown("loss of the multi-label task", self.name, known=MULTI_LABEL_LOSSES)
        if not 0 <= self.smoothing < 1:
            raise SettingError(
                f"Label smoothing is {self.smoothing}.", expected="0 or more, below 1.", remedy="0.1 or 0."
            )

    def __call__(self, logits: Float[Tensor, "n k"], labels: Labels) -> Float[Tensor, " n"]:
        """The loss of each sample."""
        return self.each(logits, labels).mean(1)

    def each(self, logits: Float[Tensor, "n k"], labels: Labels) -> Float[Tensor, "n k"]:
        """The loss of each answer."""
        wide = logits if logits.dtype == torch.float64 else logits.float()
        answers = labels.to(wide.dtype)
        targets = answers * (1 - self.smoothing) + self.smoothing / 2 if self.smoothing else answers
        if self.name == "focal":
            values = sigmoid_focal(wide, targets, gamma=self.gamma)
        else:
            values = F.binary_cross_entropy_with_logits(wide, targets, reduction="none")
        if self.weights is None:
            return values
        yes, no = wide.new_tensor(self.weights.yes), wide.new_tensor(self.weights.no)
        return values * (no + answers * (yes - no))

    def expected_at_init(self, shares: Sequence[float], *, predicted: Sequence[float]) -> float:
        """The mean loss of a network that says the same of every sample: exact for labels of these shares.

        Both answers of each class are priced, and weighed by how often they occur.

        Units: nats per class.  Raises: SettingError where a prediction is not between 0 and 1.  Source: tip K2.4.

        >>> round(MultiLabelLoss().expected_at_init([0.5, 0.5], predicted=[0.5, 0.5]), 4)
        0.6931
        """
        if len(shares) != len(predicted) or not all(0 < said < 1 for said in predicted):
            raise SettingError(
                f"The shares are {list(shares)[:8]}, predicted {list(predicted)[:8]}.",
                expected="as many of each, predictions between 0 and 1.",
                remedy="count the labels, and add one yes and one no to each class.",
            )
        r, q = (torch.tensor(each, dtype=torch.float64) for each in (shares, predicted))
        yes, no = self.each(q.logit().expand(2, -1), torch.stack([torch.ones_like(r), torch.zeros_like(r)]))
        return float((r * yes + (1 - r) * no).mean())
