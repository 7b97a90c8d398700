"""Losses for numbers, one value per output, and what each should be before anything is learnt."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from epochal.errors import SettingError

RegressionLoss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def squared_error(
    predicted: Float[Tensor, "*n"], targets: Float[Tensor, "*m"] | Int[Tensor, "*m"]
) -> Float[Tensor, "*n"]:
    """Square of what is missing: `(predicted - target)^2`, whose best constant answer is the mean.

    Half precision is widened first: a difference of 256 squared is already too large for float16.

    Shapes: any, the same for both.  Units: the targets' squared, not averaged.
    Raises: SettingError where the shapes differ: (n, 1) minus (n) would be every pair.  Source: tip K2.4.

    >>> squared_error(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 2.0]))
    tensor([4., 0.])
    """
    wide, wanted = _paired(predicted, targets)
    return F.mse_loss(wide, wanted, reduction="none")


def smooth_l1(
    predicted: Float[Tensor, "*n"], targets: Float[Tensor, "*m"] | Int[Tensor, "*m"], *, beta: float = 1.0
) -> Float[Tensor, "*n"]:
    """Square near 0, distance beyond: `0.5 x^2 / beta` where `|x| < beta`, else `|x| - beta / 2`.

    The slope never exceeds 1, so one wrong target cannot throw the network far. At `beta` 0 it is the distance itself.
    Fast R-CNN has beta 1, its region proposals 1/9.

    Shapes: any, the same for both.  Units: the targets', not averaged.
    Raises: SettingError if `beta` < 0, or where the shapes differ.  Source: Girshick 2015, eq. 3; tip S8.

    >>> smooth_l1(torch.tensor([0.5, -3.0]), torch.zeros(2))
    tensor([0.1250, 2.5000])
    """
    if not beta >= 0 or not math.isfinite(beta):
        raise SettingError(f"beta is {beta}.", expected="0 or more, finite.", remedy="1.0, or a usual error's size.")
    wide, wanted = _paired(predicted, targets)
    return F.smooth_l1_loss(wide, wanted, reduction="none", beta=beta)


def huber(
    predicted: Float[Tensor, "*n"], targets: Float[Tensor, "*m"] | Int[Tensor, "*m"], *, delta: float = 1.0
) -> Float[Tensor, "*n"]:
    """Half the square near 0, a line beyond: `0.5 x^2` where `|x| <= delta`, else `delta (|x| - delta / 2)`.

    It is `delta` times `smooth_l1` with that beta: its curvature is 1 whatever delta is, its slope is not.

    Shapes: any, the same for both.  Units: the targets' squared, not averaged.
    Raises: SettingError if `delta` is not above 0, or where the shapes differ.  Source: Huber 1964; tip S8.

    >>> huber(torch.tensor([0.5, -3.0]), torch.zeros(2), delta=2.0)
    tensor([0.1250, 4.0000])
    """
    if not delta > 0 or not math.isfinite(delta):
        raise SettingError(
            f"delta is {delta}.", expected="more than 0, finite.", remedy="1.0, or a usual error's size."
        )
    wide, wanted = _paired(predicted, targets)
    return F.huber_loss(wide, wanted, reduction="none", delta=delta)


def expected_at_init(
    targets: Float[Tensor, "n *outputs"] | Int[Tensor, "n *outputs"],
    *,
    loss: RegressionLoss = squared_error,
    predicted: Sequence[float] | None = None,
) -> float:
    """Mean loss of a network that gives one constant per output, whatever it sees.

    `predicted` holds that constant for each output and defaults to the mean (the last layer's bias set to it, tip
    K2.5); the squared error is then the variance of the targets. For a network that begins near 0, pass zeros. Other
    settings of a loss go in with it: `loss=partial(huber, delta=2.0)`.

    Shapes: n samples, the outputs of each.  Units: the loss's own.
    Raises: SettingError for no target, one that is not finite, or another number of constants than outputs.
    Source: tips K2.4, K2.5.

    >>> expected_at_init(torch.tensor([49.0, 51.0])), expected_at_init(torch.tensor([49.0, 51.0]), predicted=[0.0])
    (1.0, 2501.0)
    """
    wanted = targets.detach().double()
    if not wanted.numel() or not bool(wanted.isfinite().all()):
        raise SettingError(
            f"{int((~wanted.isfinite()).sum())} of {wanted.numel()} targets are not finite.",
            expected="one or more targets, all finite.",
            remedy="drop the rows without a target before training.",
        )
    flat = wanted.reshape(len(wanted), -1)
    constant = flat.mean(0) if predicted is None else torch.tensor(predicted, dtype=torch.float64, device=flat.device)
    if constant.shape != flat.shape[1:]:
        raise SettingError(
            f"{len(constant)} constants are predicted for {flat.shape[1]} outputs.",
            expected="one constant per output.",
            remedy="leave `predicted` out for their means.",
        )
    return float(loss(constant.expand_as(flat), flat).mean())


def _paired(predicted: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Both in the wider of float32 and the prediction's own precision."""
    if predicted.shape != targets.shape:
        raise SettingError(
            f"The prediction has shape {tuple(predicted.shape)}, the targets {tuple(targets.shape)}.",
            expected="the same shape: broadcasting would compare every sample with every other.",
            remedy="predicted.squeeze(1), or targets[:, None].",
        )
    wide = predicted if predicted.dtype == torch.float64 else predicted.float()
    return wide, targets.to(wide.dtype)
