"""Which parameters decay, and what every optimizer of ours asks of its groups and of the closure it is given."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from epochal.errors import SettingError

# Layers whose factors, offsets and slopes no penalty is for, whatever their shape.
SPARED = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm, nn.PReLU)


def split(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Part the trained parameters into weights and the rest (norms, biases, scalars), which decay would only harm.

    A weight has two axes or more and is not of a normalisation layer: LayerNorm over whole feature maps has factors of
    three axes. Shared parameters are listed once, frozen ones not at all.

    Source: tip W6.1.

    >>> weights, rest = split(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.LayerNorm([2, 4, 4])))
    >>> len(weights), len(rest)
    (1, 5)
    """
    spared = {id(p) for layer in model.modules() if isinstance(layer, SPARED) for p in layer.parameters(recurse=False)}
    trained = [p for p in model.parameters() if p.requires_grad]
    decaying = [p for p in trained if p.ndim > 1 and id(p) not in spared]
    return decaying, [p for p in trained if p.ndim <= 1 or id(p) in spared]


def check_groups(groups: Iterable[Mapping[str, Any]]) -> None:
    """Refuse rates, decays and betas that cannot work.

    Raises: SettingError for the first group that has one.

    >>> check_groups([{"lr": 0.1, "weight_decay": 0.0, "betas": (0.9, 0.999)}])
    """
    for group in groups:
        lr, decay, (beta1, beta2) = float(group["lr"]), float(group["weight_decay"]), group["betas"]
        fine = lr >= 0 and math.isfinite(lr) and decay >= 0 and math.isfinite(decay)
        if not fine or not 0 < beta1 < 1 or not 0 <= beta2 < 1:
            raise SettingError(
                f"The optimizer has lr {lr}, weight decay {decay} and betas {beta1}, {beta2}.",
                expected="lr and decay of 0 or more, betas below 1, the first above 0.",
                remedy="leave them at their defaults.",
            )


def evaluated(closure: Callable[[], Any] | None) -> Any:
    """Ask a closure for the loss with gradients on, as `Optimizer.step` promises; None without one.

    >>> evaluated(lambda: 0.5)
    0.5
    """
    if closure is None:
        return None
    with torch.enable_grad():
        return closure()
