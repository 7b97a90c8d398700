"""What every optimizer of ours asks of its groups of parameters, and of the closure it is given."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from epochal.errors import SettingError


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
