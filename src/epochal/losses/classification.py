"""Losses for classes, one value per sample, and what each should be before anything is learnt."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from epochal.errors import SettingError


def cross_entropy(
    logits: Float[Tensor, "n c"],
    labels: Int[Tensor, " n"] | Float[Tensor, "n c"],
    *,
    smoothing: float = 0.0,
) -> Float[Tensor, " n"]:
    """Surprise at the true class, softened by `smoothing`: `-sum_k t_k log p_k`, `t = (1 - s) onehot + s / C`.

    Labels may be class numbers, or a distribution over classes per sample (as mixing transforms make them).
    Half-precision logits are widened first.

    Shapes: n samples, c classes.  Units: nats per sample, not averaged.
    Raises: SettingError if `smoothing` is outside [0, 1).  Source: Szegedy et al. 2016, section 7.

    >>> cross_entropy(torch.zeros(1, 4), torch.tensor([2]), smoothing=0.1)
    tensor([1.3863])
    """
    _check_smoothing(smoothing)
    return F.cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)


def smoothed(labels: Int[Tensor, " n"] | Float[Tensor, "n c"], *, classes: int, amount: float) -> Float[Tensor, "n c"]:
    """Labels as distributions, a share of each spread evenly over all classes: `(1 - s) t + s / C`.

    Shapes: n samples, c classes.  Raises: SettingError if `amount` is outside [0, 1).
    Source: Szegedy et al. 2016, section 7.

    >>> smoothed(torch.tensor([1]), classes=2, amount=0.2)
    tensor([[0.1000, 0.9000]])
    """
    _check_smoothing(amount)
    certain = labels if labels.is_floating_point() else F.one_hot(labels.long(), classes).float()
    return certain * (1 - amount) + amount / classes


def expected_at_init(
    prior: Sequence[float], *, smoothing: float = 0.0, predicted: Sequence[float] | None = None
) -> float:
    """Mean loss of a network that knows only the class shares: `-sum_k t_k log q_k`, `t = (1 - s) prior + s / C`.

    `predicted` is what the network says for every sample, and defaults to the prior itself (the last layer's bias set
    to its logarithm); then the value without smoothing is the entropy of the prior. With even predictions it is log C,
    smoothed or not.

    Units: nats per sample.
    Raises: SettingError where a share is not positive or the shares do not sum to 1.  Source: tips K2.4, K2.5.

    >>> round(expected_at_init([0.1] * 10), 4)
    2.3026
    >>> round(expected_at_init([0.9, 0.1]), 4), round(expected_at_init([0.9, 0.1], predicted=[0.5, 0.5]), 4)
    (0.3251, 0.6931)
    """
    _check_smoothing(smoothing)
    shares = _shares(prior)
    said = shares if predicted is None else _shares(predicted)
    if len(said) != len(shares):
        raise SettingError(
            f"The prior has {len(shares)} classes and the prediction {len(said)}.",
            expected="one share per class in both.",
            remedy="pass both over the same classes.",
        )
    target = (1 - smoothing) * shares + smoothing / len(shares)
    return float(-(target * said.log()).sum())


def _check_smoothing(smoothing: float) -> None:
    if not 0 <= smoothing < 1:
        raise SettingError(
            f"Label smoothing is {smoothing}.", expected="0 or more, below 1.", remedy="0.1 suits most networks."
        )


def _shares(values: Sequence[float]) -> Float[Tensor, " c"]:
    shares = torch.tensor(values, dtype=torch.float64)
    if not len(shares) or not bool((shares > 0).all()) or abs(float(shares.sum()) - 1) > 1e-6:
        raise SettingError(
            f"Class shares are {list(values)[:8]}.",
            expected="positive numbers that sum to 1.",
            remedy="count the training samples of each class and divide by their sum; leave empty classes out.",
        )
    return shares
