"""Cross-entropy of whole masks on a CPU, in the memory of its log probabilities.

torch makes a batch of log probabilities, a batch of mostly zeros for their slope, and a batch for that of the logits.
Here the first is made into the last where it lies, image by image, and weights and smoothing cost next to nothing.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd import Function


def is_fast(logits: Tensor) -> bool:
    """Whether `image_surprise` is worth it: plain numbers of a CPU, each class's pixels side by side.

    >>> is_fast(torch.zeros(1, 2, 4, 4)), is_fast(torch.zeros(1, 2, 4, 4, dtype=torch.float64))
    (True, False)
    """
    plain = logits.device.type == "cpu" and logits.dtype == torch.float32 and logits.is_contiguous()
    return plain and not torch.compiler.is_compiling()


def image_surprise(
    logits: Float[Tensor, "n c h w"],
    labels: Int[Tensor, "n h w"],
    *,
    prices: Float[Tensor, "n h w"],
    smoothing: float = 0.0,
) -> Float[Tensor, " n"]:
    """Sum over each image's pixels of `price * ((1 - s) (-log p_y) + s mean_k (-log p_k))`.

    A price is the pixel's weight over the number of pixels to average over, 0 for those to leave out, whose label may
    then be any class.

    Shapes: n images of h by w pixels, c classes.  Units: nats times the prices.

    >>> image_surprise(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 1]]]), prices=torch.full((1, 1, 2), 0.5))
    tensor([0.6931])
    """
    value: Tensor = _ImageSurprise.apply(logits, labels, prices, smoothing)  # type: ignore[no-untyped-call]
    return value


class _ImageSurprise(Function):
    @staticmethod
    def forward(*arguments: Any) -> Any:
        ctx, logits, labels, prices, smoothing = arguments
        log_p = logits.log_softmax(1)
        ctx.save_for_backward(logits, labels, prices)
        ctx.log_p, ctx.smoothing = log_p, smoothing
        return _priced(log_p, labels=labels, prices=prices, smoothing=smoothing)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        logits, labels, prices = ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative
            value = _priced(logits.log_softmax(1), labels=labels, prices=prices, smoothing=ctx.smoothing)
            return *torch.autograd.grad(value, logits, grads[0], create_graph=True), None, None, None
        slope, ctx.log_p = ctx.log_p, None
        if slope is None:  # the graph was kept, and this is its second use
            slope = logits.log_softmax(1)
        costs = (prices * grads[0][:, None, None])[:, None]
        rest = costs * (ctx.smoothing - 1)
        # One thread works image by image, in its cache; several meet after each step, and so take few large ones
        at_once = 1 if torch.get_num_threads() == 1 else max(1, len(slope))
        for each, cost, less, label in zip(
            *(whole.split(at_once) for whole in (slope, costs, rest, labels[:, None])), strict=True
        ):
            each.exp_().mul_(cost).scatter_add_(1, label, less)
            if ctx.smoothing:
                each.sub_(cost, alpha=ctx.smoothing / each.shape[1])
        return slope, None, None, None


def _priced(log_p: Tensor, *, labels: Tensor, prices: Tensor, smoothing: float) -> Tensor:
    own = log_p.gather(1, labels[:, None])[:, 0]
    if smoothing:
        own = (1 - smoothing) * own + smoothing * log_p.mean(1)
    return -(own * prices).flatten(1).sum(1)
