"""Classes of unequal size: weights for their samples, and corrections for what the network takes for granted."""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Int
from torch import Tensor

from epochal.errors import SettingError
from epochal.losses.classification import cross_entropy

Mean: TypeAlias = Literal["samples", "classes"]


def inverse_frequency(counts: Sequence[float], *, mean: Mean = "samples") -> tuple[float, ...]:
    """Weigh classes so that each has the same say: `w_k = n / (K n_k)`.

    The mean weight is 1 over the samples, so that the loss keeps its size and the learning rate its meaning; or over
    the classes, as some papers have it. A class without samples has weight 0 and is not counted in K.

    Raises: SettingError where a count is negative or not finite, or all are 0.
    Source: King and Zeng 2001; scikit-learn's "balanced"; tip W9.

    >>> inverse_frequency([9, 3])
    (0.6666666666666666, 2.0)
    """
    _check_counts(counts)
    return _scaled([1 / count if count else 0.0 for count in counts], counts, mean=mean)


def effective_number(counts: Sequence[float], *, beta: float = 0.999, mean: Mean = "samples") -> tuple[float, ...]:
    """Weigh classes by how much their samples say that others did not: `w_k ~ (1 - beta) / (1 - beta^n_k)`.

    Samples of one class repeat each other: past about `1 / (1 - beta)` of them, more bring little. `beta` 0 weighs all
    classes alike, towards 1 it becomes `inverse_frequency`. The paper has `mean="classes"`.

    Raises: SettingError for `beta` outside [0, 1), or counts as `inverse_frequency`.
    Source: Cui et al. 2019, eq. 2 and section 4.1; tip W9.

    >>> [round(w, 3) for w in effective_number([1000, 10], beta=0.9, mean="classes")]
    [0.789, 1.211]
    """
    if not 0 <= beta < 1:
        raise SettingError(f"beta is {beta}.", expected="0 or more, below 1.", remedy="0.9 to 0.9999.")
    _check_counts(counts)
    # -expm1(n log beta) is 1 - beta^n with all its digits; n below 1 never happens but for 0
    numbers = [-math.expm1(count * math.log(beta)) if beta else float(count > 0) for count in counts]
    return _scaled([1 / number if number else 0.0 for number in numbers], counts, mean=mean)


def weighted_cross_entropy(
    logits: Float[Tensor, "n c"],
    labels: Int[Tensor, " n"] | Float[Tensor, "n c"],
    *,
    weights: Sequence[float],
    smoothing: float = 0.0,
) -> Float[Tensor, " n"]:
    """Cross-entropy of each sample times the weight of its class; a mixed label has the mean weight of its parts.

    torch's own class weights also weigh the smoothing term, by classes that the sample does not have, and divide the
    mean by the sum of weights for hard labels but by the number of samples for mixed ones. Here the weight belongs to
    the sample: smoothing is left as it was, and a distribution with one certain class costs what the class costs.

    Shapes: n samples, c classes.  Units: nats per sample, not averaged; average over samples, not over weights.
    Raises: SettingError where there is not one finite weight of 0 or more per class, or for `smoothing` outside [0, 1).
    Source: the trap is pytorch issue 104776; tip W9.

    >>> weighted_cross_entropy(torch.zeros(2, 2), torch.tensor([0, 1]), weights=(0.5, 3.0))
    tensor([0.3466, 2.0794])
    """
    losses = cross_entropy(logits, labels, smoothing=smoothing)
    per_class = _weight_tensor(weights, classes=logits.shape[1]).to(losses)
    return losses * (labels.to(losses.dtype) @ per_class if labels.is_floating_point() else per_class[labels.long()])


def expected_at_init(
    prior: Sequence[float],
    *,
    weights: Sequence[float],
    smoothing: float = 0.0,
    predicted: Sequence[float] | None = None,
) -> float:
    """Mean weighted loss of a network that knows only the class shares: `-sum_k r_k w_k sum_j t_kj log q_j`.

    `predicted` (q) is what the network says for every sample, and defaults to the prior (r) itself; t is the smoothed
    label of class k. With weights of mean 1 over the samples and even predictions it is log C still.

    Units: nats per sample.
    Raises: SettingError where shares are not positive or do not sum to 1, or the numbers differ.
    Source: tips K2.4, W9.

    >>> round(expected_at_init([0.75, 0.25], weights=inverse_frequency([3, 1]), predicted=[0.5, 0.5]), 4)
    0.6931
    """
    shares, said = list(prior), list(prior if predicted is None else predicted)
    fine = len(shares) == len(said) == len(weights) and all(share > 0 for share in (*shares, *said))
    if not fine or abs(sum(shares) - 1) > 1e-6 or abs(sum(said) - 1) > 1e-6:
        raise SettingError(
            f"Class shares are {shares[:8]}, predicted {said[:8]}, with {len(weights)} weights.",
            expected="as many of each, shares positive and summing to 1.",
            remedy="divide the class counts by their sum; leave empty classes out.",
        )
    logits = torch.tensor(said, dtype=torch.float64).log().expand(len(shares), -1)
    losses = weighted_cross_entropy(logits, torch.arange(len(shares)), weights=weights, smoothing=smoothing)
    return float(losses.double() @ torch.tensor(shares, dtype=torch.float64))


def logit_adjustment(counts: Sequence[float], *, tau: float = 1.0) -> Float[Tensor, " c"]:
    """Offsets to add to the logits while training, so that rare classes are not simply guessed less: `tau log prior`.

    Train with `cross_entropy(logits + offsets, labels)` and predict with the logits alone: the network then learns how
    much likelier than usual a class is, and its answers suit balanced accuracy. One is added to each count.

    Shapes: c classes.  Units: nats.
    Raises: SettingError for counts as `inverse_frequency`, or `tau` < 0.  Source: Menon et al. 2021, eq. 10; tip W9.

    >>> logit_adjustment([7, 1]).exp()
    tensor([0.8000, 0.2000])
    """
    _check_counts(counts)
    if not tau >= 0 or not math.isfinite(tau):
        raise SettingError(f"tau is {tau}.", expected="0 or more, finite.", remedy="1.0, which is calibrated.")
    smoothed = torch.tensor(counts, dtype=torch.float64) + 1
    return (tau * (smoothed / smoothed.sum()).log()).float()


def corrected_prior(
    logits: Float[Tensor, "n c"], *, trained_on: Sequence[float], expected: Sequence[float]
) -> Float[Tensor, "n c"]:
    """Move predictions from the class shares of training to those expected in use: `z_k + log(r'_k / r_k)`.

    For a network trained on balanced batches and used where classes are not, or the other way round. Bayes' rule, exact
    where only the shares differ and the network is calibrated. Shares or counts, whatever their sum.

    Shapes: n samples, c classes.  Units: nats.
    Raises: SettingError where a share is not positive, or there is not one per class.
    Source: Saerens et al. 2002, eq. 2.4; tip W9.

    >>> corrected_prior(torch.zeros(1, 2), trained_on=[1, 1], expected=[0.9, 0.1]).softmax(1)
    tensor([[0.9000, 0.1000]])
    """
    classes = logits.shape[1]
    for shares in (trained_on, expected):
        if len(shares) != classes or not all(share > 0 and math.isfinite(share) for share in shares):
            raise SettingError(
                f"Class shares are {list(shares)[:8]} for {classes} classes.",
                expected="one positive share per class.",
                remedy="add 1 to each count before passing counts.",
            )
    shift = torch.tensor(expected, dtype=torch.float64).log() - torch.tensor(trained_on, dtype=torch.float64).log()
    offset = math.log(sum(trained_on)) - math.log(sum(expected))
    return logits + (shift + offset).to(logits)


def _scaled(raw: Sequence[float], counts: Sequence[float], *, mean: Mean) -> tuple[float, ...]:
    """Weights whose mean is 1, over the samples or over the classes that have any."""
    if mean == "samples":
        size = math.fsum(w * n for w, n in zip(raw, counts, strict=True)) / math.fsum(counts)
    else:
        size = math.fsum(raw) / sum(count > 0 for count in counts)
    return tuple(w / size for w in raw)


def _check_counts(counts: Sequence[float]) -> None:
    if not all(count >= 0 and math.isfinite(count) for count in counts) or not any(counts):
        raise SettingError(
            f"The class counts are {list(counts)[:8]}.",
            expected="finite numbers, none below 0, one above.",
            remedy="count the training samples of each class.",
        )


def _weight_tensor(weights: Sequence[float], *, classes: int) -> Tensor:
    tensor = torch.as_tensor(weights, dtype=torch.float64)
    if tensor.shape != (classes,) or not bool((tensor >= 0).all() and tensor.isfinite().all()):
        raise SettingError(
            f"The class weights are {list(weights)[:8]} for {classes} classes.",
            expected="one finite weight of 0 or more per class.",
            remedy="inverse_frequency of the counts.",
        )
    return tensor
