"""Losses for places on a circle, given as a vector of two numbers: none of them knows where the scale begins.

Turning prediction and target together changes nothing, so an error across the seam costs what it costs elsewhere.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from epochal.losses.regression import smooth_l1

# Below this the root's slope, 1 / (2 chord), is no longer worth having in float32.
_TINY = 1e-6


def chord(vectors: Float[Tensor, "*n 2"], targets: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n"]:
    """Length of the straight way from a prediction to its place on the unit circle: `|u - t|`.

    Where both agree the slope is 0, and not the quotient of nothing by nothing.

    Shapes: vectors of any length, targets of length 1.  Units: radii.

    >>> chord(torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]]))
    tensor([2.])
    """
    squared = (vectors - targets).square().sum(-1)
    apart = squared > _TINY**2
    return torch.where(apart, torch.where(apart, squared, 1.0).sqrt(), 0.0)


def on_chord(
    vectors: Float[Tensor, "*n 2"],
    targets: Float[Tensor, "*n 2"],
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = smooth_l1,
) -> Float[Tensor, "*n"]:
    """Any loss of two numbers, applied to the straight way between two places.

    With the squared error its best constant answer is the mean vector, of length R, at a loss of `1 - R²`. Losses of
    the angle alone, and the likelihood of a von Mises distribution, learnt no better:
    `benchmarks/regression/needle.md`.

    Shapes: vectors of any length, targets of length 1.  Units: the loss's own, in radii; not averaged.

    >>> from epochal.losses.regression import squared_error
    >>> on_chord(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), loss=squared_error).round(decimals=4)
    tensor([2.])
    """
    apart = chord(vectors, targets)
    return loss(apart, torch.zeros_like(apart))
