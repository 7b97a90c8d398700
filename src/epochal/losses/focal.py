"""Losses that look away from what is already right, so that a few hard samples are heard among many easy ones.

Both forms are computed from the cross-entropy `-log p` and what is missing to 1, never from p itself: nothing is lost
where p is near 1, and no gradient is NaN there, whatever gamma is.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor
from torch.autograd import Function

from epochal.errors import SettingError

# Numbers worked on at once on a CPU: 128 KB each in float32, so that the dozen steps of the formula stay in its cache.
# 1.6 times the speed of whole tensors, see benchmarks/results/blocks-training.md.
BLOCK = 1 << 15


def focal(
    logits: Float[Tensor, "n c *places"],
    labels: Integer[Tensor, "n *places"] | Float[Tensor, "n c *places"],
    *,
    gamma: float = 2.0,
    alpha: Sequence[float] | None = None,
    ignore_index: int = -100,
) -> Float[Tensor, "n *places"]:
    """Cross-entropy that looks away from what is already right: `-alpha_t (1 - p_t)^gamma log p_t`, by softmax.

    At gamma 0 it is cross-entropy to the last bit. `alpha` holds one weight per class. Where the label is
    `ignore_index` the loss and its gradient are 0. Labels in floating point are distributions over the classes, whose
    loss is the mean over their parts: `sum_k t_k FL_k`. Half-precision logits are widened first. Easy samples cost next
    to nothing, so the mean is smaller than that of cross-entropy: expect to need a higher learning rate.

    Shapes: n samples, c classes, any number of places (pixels) in each.  Units: nats per place, not averaged.
    Raises: SettingError if `gamma` < 0, or `alpha` has not one finite weight of 0 or more per class.
    Source: Lin et al. 2017, eq. 4 and 5; tip S7.

    >>> focal(torch.zeros(1, 2), torch.tensor([0]), gamma=1.0)
    tensor([0.3466])
    """
    _check_gamma(gamma)
    if labels.is_floating_point():
        parts = _focused(-_widened(logits).log_softmax(1), gamma) * labels
        if alpha is not None:
            parts = parts * _class_weights(alpha, classes=parts.shape[1]).to(parts).view(-1, *[1] * (parts.ndim - 2))
        return parts.sum(1)
    surprise = F.cross_entropy(_widened(logits), labels.long(), reduction="none", ignore_index=ignore_index)
    loss = _focused(surprise, gamma)
    if alpha is None:
        return loss
    weights = _class_weights(alpha, classes=logits.shape[1]).to(loss)
    return loss * weights[labels.long().where(labels != ignore_index, 0)]


def sigmoid_focal(
    logits: Float[Tensor, "*any"],
    targets: Bool[Tensor, "*any"] | Integer[Tensor, "*any"] | Float[Tensor, "*any"],
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
) -> Float[Tensor, "*any"]:
    """Focal loss of yes-or-no questions: `-alpha_t (1 - p_t)^gamma log p_t`, p by sigmoid, one value per question.

    `alpha` weighs the yes, `1 - alpha` the no. Targets are labels (bool or 0 and 1), or in floating point the
    probability y of a yes, whose loss is the mean over both answers: `y FL(yes) + (1 - y) FL(no)`. At gamma 0 it is
    binary cross-entropy. The paper's detector adds all values up and divides by the number of matched anchors, not of
    all; and it begins at a bias of `-log((1 - 0.01) / 0.01)`, without which the many no's swamp the first steps.

    Shapes: any, the same for both.  Units: nats per question, not averaged.
    Raises: SettingError if `gamma` < 0 or `alpha` is outside [0, 1].  Source: Lin et al. 2017, eq. 5; tip S7.

    >>> sigmoid_focal(torch.zeros(2), torch.tensor([1, 0]), gamma=2.0, alpha=0.25)
    tensor([0.0433, 0.1300])
    """
    _check_gamma(gamma)
    if alpha is not None and not 0 <= alpha <= 1:
        raise SettingError(f"alpha is {alpha}.", expected="0 to 1, the weight of a yes.", remedy="0.25 at gamma 2.")
    wide, yes = _widened(logits), 1.0 if alpha is None else alpha
    no = 1.0 if alpha is None else 1 - alpha
    if torch.compiler.is_compiling():  # the compiler fuses the plain formula by itself
        return _sigmoid_focused(wide, targets.to(wide.dtype), gamma, (yes, no))
    loss: Tensor = _SigmoidFocal.apply(wide, targets.to(wide.dtype), gamma, (yes, no))  # type: ignore[no-untyped-call]
    return loss


def expected_at_init(
    prior: Sequence[float],
    *,
    gamma: float = 2.0,
    alpha: Sequence[float] | None = None,
    predicted: Sequence[float] | None = None,
) -> float:
    """Mean focal loss of a network that knows only the class shares: `-sum_k r_k alpha_k (1 - q_k)^gamma log q_k`.

    `predicted` (q) is what the network says for every sample, and defaults to the prior (r) itself.

    Units: nats per sample.
    Raises: SettingError where shares are not positive, do not sum to 1, or are of different length.
    Source: tips K2.4, S7.

    >>> round(expected_at_init([0.5, 0.5], gamma=1.0), 4), round(expected_at_init([0.1] * 10, gamma=0.0), 4)
    (0.3466, 2.3026)
    """
    _check_gamma(gamma)
    said = list(prior if predicted is None else predicted)
    weights = _class_weights(alpha, classes=len(prior)).tolist() if alpha is not None else [1.0] * len(prior)
    if len(said) != len(prior) or any(not _are_shares(shares) for shares in (prior, said)):
        raise SettingError(
            f"Class shares are {list(prior)[:8]}, predicted {said[:8]}.",
            expected="as many of each, positive, summing to 1.",
            remedy="divide the class counts by their sum; leave empty classes out.",
        )
    return -math.fsum(
        share * weight * (1 - q) ** gamma * math.log(q) for share, weight, q in zip(prior, weights, said, strict=True)
    )


def expected_sigmoid_at_init(
    share: float, *, gamma: float = 2.0, alpha: float | None = None, predicted: float | None = None
) -> float:
    """Mean sigmoid focal loss where a `share` of the answers is yes and the network says `predicted` to all.

    `predicted` defaults to the share itself (the bias set to its log odds).

    Units: nats per question.
    Raises: SettingError where a probability is not strictly between 0 and 1.  Source: tips K2.4, K2.5, S7.

    >>> round(expected_sigmoid_at_init(0.5, gamma=0.0), 4), round(expected_sigmoid_at_init(0.01, predicted=0.5), 4)
    (0.6931, 0.1733)
    """
    said = share if predicted is None else predicted
    if not 0 < share < 1 or not 0 < said < 1:
        raise SettingError(
            f"The share of yes is {share}, predicted {said}.", expected="between 0 and 1.", remedy="count the labels."
        )
    pairs = torch.tensor([[share, said]], dtype=torch.float64)
    return float(sigmoid_focal(pairs[:, 1].logit(), pairs[:, 0], gamma=gamma, alpha=alpha))


def _focused(surprise: Tensor, gamma: float) -> Tensor:
    """`(1 - p)^gamma` times the surprise `-log p`.

    The power's slope is infinite at 0 for gamma below 1, although that of the product is 0: kept finite by the smallest
    normal number, which a surprise of 0 then multiplies away.
    """
    if gamma == 0:
        return surprise
    return (-torch.expm1(-surprise.clamp(min=torch.finfo(surprise.dtype).tiny))) ** gamma * surprise


def _sigmoid_focused(logits: Tensor, targets: Tensor, gamma: float, weights: tuple[float, float]) -> Tensor:  # noqa: PLR0917
    """The formula in plain torch, twice differentiable, half a dozen passes over memory for each answer."""
    yes, no = _focused(-F.logsigmoid(logits), gamma), _focused(-F.logsigmoid(-logits), gamma)
    return weights[0] * targets * yes + weights[1] * (1 - targets) * no


class _SigmoidFocal(Function):
    """Value and slope of the sigmoid focal loss together, block by block."""

    @staticmethod
    def forward(*arguments: Any) -> Any:
        ctx, logits, targets, gamma, weights = arguments
        value, slope = _blockwise(logits, targets, gamma=gamma, weights=weights)
        ctx.save_for_backward(logits, targets, slope)
        ctx.gamma, ctx.weights = gamma, weights
        return value

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        logits, targets, slope = ctx.saved_tensors
        if not torch.is_grad_enabled() and not ctx.needs_input_grad[1]:
            return grads[0] * slope, None, None, None
        with torch.enable_grad():  # for a second derivative, or one by the targets
            wanted = [each for each, need in zip((logits, targets), ctx.needs_input_grad, strict=False) if need]
            loss = _sigmoid_focused(logits, targets, ctx.gamma, ctx.weights)
            found = iter(torch.autograd.grad(loss, wanted, grads[0], create_graph=True))
        return *(next(found) if need else None for need in ctx.needs_input_grad[:2]), None, None


def _blockwise(logits: Tensor, targets: Tensor, *, gamma: float, weights: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Value and slope by the logits, written block by block in the order of memory."""
    alike = torch.empty_like(logits).stride() == logits.stride() == targets.stride()  # without gaps, in the same order
    x, y = (logits, targets) if alike else (logits.contiguous(), targets.contiguous())
    value, slope = torch.empty_like(x), torch.empty_like(x)
    flat = [each.as_strided((x.numel(),), (1,)) for each in (x, y, value, slope)]
    step = BLOCK if x.device.type == "cpu" else max(x.numel(), 1)
    for start in range(0, x.numel(), step):
        _one_block(*(each[start : start + step] for each in flat), gamma=gamma, weights=weights)
    return value, slope


def _one_block(*tensors: Tensor, gamma: float, weights: tuple[float, float]) -> None:
    """Write value and slope of one block, in few cheap steps.

    With p the probability of yes, q = 1 - p, s = -log p, t = -log q, Y = a y q^g and N = b (1 - y) p^g, the value is
    `Y s + N t` and its slope `N (p + g q t) - Y (q + g p s)`: nothing is divided, so nothing is NaN.
    """
    x, y, value, slope = tensors
    rest = x.abs().neg_().exp_().log1p_()
    above = x.clamp(min=0)
    s, t = (above - x).add_(rest), above.add_(rest)
    p, q = torch.sigmoid(x), torch.sigmoid(-x)  # where() costs ten times as much: it is not vectorised on CPUs
    no = p**gamma
    yes = (q**gamma).mul_(y)
    no.addcmul_(no, y, value=-1)
    if weights != (1.0, 1.0):
        yes.mul_(weights[0])
        no.mul_(weights[1])
    torch.mul(yes, s, out=value).addcmul_(no, t)
    torch.mul(no, torch.addcmul(p, q, t, value=gamma), out=slope)
    slope.addcmul_(yes, torch.addcmul(q, p, s, value=gamma), value=-1)


def _widened(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


def _check_gamma(gamma: float) -> None:
    if not gamma >= 0 or not math.isfinite(gamma):
        raise SettingError(f"gamma is {gamma}.", expected="0 or more, finite.", remedy="2.0, the paper's choice.")


def _class_weights(alpha: Sequence[float], *, classes: int) -> Tensor:
    weights = torch.as_tensor(alpha, dtype=torch.float64)
    if weights.shape != (classes,) or not bool((weights >= 0).all() and weights.isfinite().all()):
        raise SettingError(
            f"alpha is {alpha} for {classes} classes.",
            expected="one finite weight of 0 or more per class.",
            remedy="weights of epochal.losses.balancing, or None.",
        )
    return weights


def _are_shares(shares: Sequence[float]) -> bool:
    return len(shares) > 0 and all(share > 0 for share in shares) and abs(sum(shares) - 1) < 1e-6
