"""Optimizers by name, with weight decay only where it belongs."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, NAdam, Optimizer, RMSprop

from epochal.errors import SettingError
from epochal.optim.groups import split
from epochal.optim.muon import muon
from epochal.optim.schedule_free import schedule_free

# torch types the constructors differently, hence Any: each is called with its own known keywords below.
_TORCH: Mapping[str, tuple[Callable[..., Optimizer], dict[str, Any]]] = {
    "sgd": (SGD, {"momentum": 0.9, "nesterov": True}),
    "adam": (Adam, {}),
    "adamw": (AdamW, {}),
    "nadam": (NAdam, {"decoupled_weight_decay": True}),
    "rmsprop": (RMSprop, {}),
    "adagrad": (Adagrad, {}),
    "adadelta": (Adadelta, {}),
}
_OURS: Mapping[str, Callable[..., Optimizer]] = {"muon": muon, "schedule-free": schedule_free}
_FUSED = frozenset({"sgd", "adam", "adamw", "adagrad"})  # those for which torch has a fused kernel, CPU included

NAMES: tuple[str, ...] = (*_TORCH, *_OURS)


def build(
    model: nn.Module,
    *,
    lr: float,
    name: str = "sgd",
    weight_decay: float = 0.0,
    norm_bias_lr: float = 1.0,
    fused: bool = True,
    **options: Any,
) -> Optimizer:
    """Make the optimizer `name` over two groups: weights, which decay, and norms and biases, which do not.

    One of `NAMES`; the rates that suit them are in `epochal.optim.usual`. `options` go to torch's class, to `muon` or
    to `schedule_free`; sgd has Nesterov momentum 0.9 unless they say otherwise. `norm_bias_lr` multiplies the rate of
    norms and biases. Each group remembers its own `initial_lr`, on which a schedule's factor acts. `fused` takes
    torch's fused kernel wherever there is one: on CPU it is 1.8 to 3 times the speed of the plain loop.

    Raises: SettingError for an unknown name or a rate that is not positive.  Source: tips L4, S11, W6.1.

    >>> optimizer = build(nn.Linear(3, 2), lr=0.1, weight_decay=5e-4)
    >>> [(group["weight_decay"], len(group["params"])) for group in optimizer.param_groups]
    [(0.0005, 1), (0.0, 1)]
    """
    if name not in NAMES:
        raise SettingError.unknown("optimizer", name, known=NAMES)
    if not lr > 0:
        raise SettingError(f"The learning rate is {lr}.", expected="more than 0.", remedy="0.1 for sgd, 3e-4 for adam.")
    if name in _OURS:
        return _OURS[name](model, lr=lr, weight_decay=weight_decay, norm_bias_lr=norm_bias_lr, **options)
    kind, defaults = _TORCH[name]
    decaying, sparing = split(model)
    groups = [
        {"params": decaying, "weight_decay": weight_decay, "lr": lr, "initial_lr": lr},
        {"params": sparing, "weight_decay": 0.0, "lr": lr * norm_bias_lr, "initial_lr": lr * norm_bias_lr},
    ]
    wanted = defaults | options
    if fused and name in _FUSED:
        wanted = wanted | {"fused": True}
    return kind([group for group in groups if group["params"]], lr=lr, **wanted)


def set_lr(optimizer: Optimizer, factor: float) -> float:
    """Set every group's rate to `factor` times its own base rate; gives the rate of the first group.

    >>> set_lr(build(nn.Linear(3, 2), lr=0.1), 0.5)
    0.05
    """
    for group in optimizer.param_groups:
        base = group.setdefault("initial_lr", group["lr"])
        group["lr"] = base * factor
    first: float = optimizer.param_groups[0]["lr"]
    return first


def grad_norm(model: nn.Module) -> torch.Tensor:
    """Length of the gradient over all parameters, left on the device.

    >>> layer = nn.Linear(1, 1); layer(torch.ones(1, 1)).sum().backward()
    >>> round(grad_norm(layer).item(), 4)
    1.4142
    """
    return nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
