"""Losses by name, each a callable that also knows what to expect of it before the first step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from epochal.errors import SettingError
from epochal.losses.balancing import effective_number, inverse_frequency, logit_adjustment
from epochal.losses.classification import cross_entropy, smoothed
from epochal.losses.focal import focal
from epochal.losses.regression import RegressionLoss, expected_at_init, huber, smooth_l1, squared_error

# What each kind of task can be trained with; the first is its own choice.
FITTING: Mapping[str, tuple[str, ...]] = {
    "classification": ("cross-entropy", "focal"),
    "multi-label": ("cross-entropy", "focal"),
    "segmentation": ("cross-entropy", "dice", "cross-entropy+dice", "focal"),
    "regression": ("smooth-l1", "huber", "squared", "absolute"),
}
WEIGHTINGS: tuple[str, ...] = ("none", "balanced", "effective-number")


def fitting(task: str, name: str) -> str:
    """Settle the name of a loss for a kind of task: its own where `name` is "auto".

    Raises: SettingError where tasks of this kind cannot be trained with it.

    >>> fitting("regression", "auto"), fitting("classification", "focal")
    ('smooth-l1', 'focal')
    """
    known = FITTING.get(task)
    if known is None:
        raise SettingError.unknown("task", task, known=FITTING)
    if name == "auto":
        return known[0]
    if name in known:
        return name
    others = [kind for kind, names in FITTING.items() if name in names]
    if not others:
        raise SettingError.unknown(f"loss of the {task} task", name, known=known)
    raise SettingError(
        f"The loss {name!r} is for {' and '.join(others)}, and the task is {task}.",
        expected=f"one of {', '.join(known)}.",
        remedy=f"loss.name={known[0]}, or leave it out.",
    )


def weights_of(counts: Sequence[float], *, weighting: str, beta: float = 0.999) -> tuple[float, ...] | None:
    """Weights of the classes by the name of their rule, None where all weigh alike.

    Raises: SettingError for an unknown name, or counts or `beta` that cannot work.  Source: tip W9.

    >>> weights_of([9, 3], weighting="balanced"), weights_of([9, 3], weighting="none")
    ((0.6666666666666666, 2.0), None)
    """
    if weighting not in WEIGHTINGS:
        raise SettingError.unknown("class weighting", weighting, known=WEIGHTINGS)
    if weighting == "none":
        return None
    return inverse_frequency(counts) if weighting == "balanced" else effective_number(counts, beta=beta)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassLoss:
    """The loss of telling classes apart: logits and labels in, one value per sample out.

        l = w_y L(z + tau log prior, t),   t = (1 - s) onehot(y) + s / C,   L cross-entropy or focal

    `counts` are those of the training split. `class_weights` w weigh a sample by its class, a mixed label by the mean
    of its classes; their mean over the samples is 1. `prior_correction` tau adds the class shares to the logits in
    training alone, so that the network answers as if all classes were equally common; it mends the same fault as
    weights and as balanced sampling, so choose one of them. Focal loss of a mixed or smoothed label is the mean over
    its parts.

    Shapes: n samples, c classes.  Units: nats per sample, not averaged.
    Raises: SettingError for an unknown name, figures that cannot work, or weights and prior correction together.
    Source: tips S7, W9, K2.4; Menon et al. 2021 for the correction.

    >>> loss = ClassLoss(counts=(7, 1), name="focal", gamma=1.0)
    >>> loss(torch.zeros(1, 2), torch.tensor([0])), round(loss.expected_at_init(predicted=[0.5, 0.5]), 4)
    (tensor([0.3466]), 0.3466)
    """

    counts: tuple[int, ...]
    name: str = "cross-entropy"
    smoothing: float = 0.0
    class_weights: str = "none"
    effective_beta: float = 0.999
    prior_correction: float = 0.0
    gamma: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is trained with it."""
        fitting("classification", self.name)
        weighted = _weights(self.counts, weighting=self.class_weights, beta=self.effective_beta) is not None
        if weighted and self.prior_correction:
            raise SettingError(
                f"Classes are weighted ({self.class_weights}) and their shares corrected ({self.prior_correction:g}).",
                expected="one of both: together they make rare classes too likely.",
                remedy="loss.prior_correction=0, or loss.class_weights=none.",
            )
        if self.prior_correction:
            _offsets(self.counts, self.prior_correction)

    def __call__(
        self, logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"] | Float[Tensor, "n c"]
    ) -> Float[Tensor, " n"]:
        """The loss of each sample."""
        if self.prior_correction:
            logits = logits.float() + _offsets(self.counts, self.prior_correction).to(logits.device)
        losses = self._unweighted(logits, labels)
        weights = _weights(self.counts, weighting=self.class_weights, beta=self.effective_beta)
        if weights is None:
            return losses
        weights = weights.to(losses)
        return losses * (labels.to(losses.dtype) @ weights if labels.is_floating_point() else weights[labels.long()])

    def _unweighted(self, logits: Tensor, labels: Tensor) -> Tensor:
        if fitting("classification", self.name) == "cross-entropy":
            return cross_entropy(logits, labels, smoothing=self.smoothing)
        if self.smoothing or labels.is_floating_point():
            labels = smoothed(labels, classes=logits.shape[1], amount=self.smoothing)
        return focal(logits, labels, gamma=self.gamma)

    def expected_at_init(self, *, predicted: Sequence[float] | None = None) -> float:
        """The mean loss of a network that says the same of every sample, on the training split (tip K2.4).

        `predicted` is the softmax of what it says, and defaults to the class shares with one sample added to each, at
        which a head with the bias of tip K2.5 begins.

        Units: nats per sample.  Raises: SettingError where there is not one positive share per class.

        >>> round(ClassLoss(counts=(5,) * 10, smoothing=0.1).expected_at_init(), 4)
        2.3026
        """
        classes, total = len(self.counts), sum(self.counts)
        said = [(n + 1) / (total + classes) for n in self.counts] if predicted is None else list(predicted)
        if len(said) != classes or not all(share > 0 for share in said):
            raise SettingError(
                f"A network says {said[:8]} of {classes} classes.",
                expected="one positive share for each.",
                remedy="leave `predicted` out for the shares of the training split.",
            )
        logits = torch.tensor(said, dtype=torch.float64).log().expand(classes, -1)
        shares = torch.tensor(self.counts, dtype=torch.float64) / max(total, 1)
        return float(self(logits, torch.arange(classes)).double() @ shares)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLoss:
    """The loss of measuring: predictions and targets in, the mean over a sample's values out, one for each sample.

    Names are "smooth-l1", "huber", "squared" and "absolute"; "auto" is smooth-l1. `beta` is where the first two become
    lines, in the unit of the targets: 1 for targets that are standardised.

    Shapes: n samples, each with any number of values.
    Raises: SettingError for an unknown name or a `beta` that cannot work.  Source: tips S8, K2.4.

    >>> loss = ValueLoss(name="absolute")
    >>> loss(torch.zeros(2, 2), torch.tensor([[1.0, 3.0], [0.0, -1.0]]))
    tensor([2.0000, 0.5000])
    """

    name: str = "auto"
    beta: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is trained with it."""
        self.each(torch.zeros(1), torch.zeros(1))

    @property
    def each(self) -> RegressionLoss:
        """The loss of each value by itself, not averaged over a sample's values."""
        known: Mapping[str, Callable[..., Tensor]] = {
            "smooth-l1": partial(smooth_l1, beta=self.beta),
            "huber": partial(huber, delta=self.beta),
            "squared": squared_error,
            "absolute": partial(smooth_l1, beta=0.0),
        }
        return known[fitting("regression", self.name)]

    def __call__(
        self, predicted: Float[Tensor, "n *values"], targets: Float[Tensor, "n *values"]
    ) -> Float[Tensor, " n"]:
        """The loss of each sample."""
        losses = self.each(predicted, targets)
        return losses if losses.ndim == 1 else losses.flatten(1).mean(1)

    def expected_at_init(
        self, targets: Float[Tensor, "n *values"], *, predicted: Sequence[float] | None = None
    ) -> float:
        """The mean loss of a network that gives one constant for each value, by default their means (tip K2.4).

        >>> ValueLoss(name="squared").expected_at_init(torch.tensor([49.0, 51.0]))
        1.0
        """
        return expected_at_init(targets, loss=self.each, predicted=predicted)


@lru_cache(maxsize=64)
def _weights(counts: tuple[int, ...], *, weighting: str, beta: float) -> Tensor | None:
    found = weights_of(counts, weighting=weighting, beta=beta)
    return None if found is None else torch.tensor(found, dtype=torch.float64)


@lru_cache(maxsize=64)
def _offsets(counts: tuple[int, ...], tau: float) -> Tensor:
    return logit_adjustment(counts, tau=tau)
