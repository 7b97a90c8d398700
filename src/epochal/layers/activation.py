"""Activations by name, and how much each shrinks a signal, so that weights can begin with what makes up for it."""

import math
from collections.abc import Callable

from torch import nn

from epochal.errors import SettingError

ACTIVATIONS = ("relu", "leaky_relu", "prelu", "rrelu", "sigmoid", "tanh")

_SLOPES = {"relu": 0.0, "leaky_relu": 0.01, "prelu": 0.25}  # torch's own beginnings
_RRELU = (1 / 8, 1 / 3)  # Xu et al. 2015 divide by U(3, 8); torch multiplies by U(1/8, 1/3), which is not the same law


def activation(name: str, *, slope: float | None = None, channels: int = 1) -> nn.Module:
    """Make the activation called `name`, new each time: what learns (PReLU) must not be shared by accident.

    `slope` is what negative values are multiplied by, 0.01 for "leaky_relu" and at first 0.25 for "prelu", which
    learns one for each of `channels` (1: one for the layer; keep it out of weight decay). "rrelu" draws slopes from
    U(1/8, 1/3) in training and takes their mean, 0.229, in evaluation; the paper's rule would give 1/5.5 = 0.182.

    Shapes: any; with `channels` above 1 these stand in the second dimension.
    Raises: SettingError for an unknown name, or a slope where there is none to set.
    Source: Xu et al. 2015, "Empirical evaluation of rectified activations"; tips W5.1, W5.2, W5.3.

    >>> activation("leaky_relu", slope=0.1)
    LeakyReLU(negative_slope=0.1)
    >>> [type(activation(name)).__name__ for name in ACTIVATIONS]
    ['ReLU', 'LeakyReLU', 'PReLU', 'RReLU', 'Sigmoid', 'Tanh']
    """
    steepness = _slope(name, slope)
    makers: dict[str, Callable[[], nn.Module]] = {
        "relu": nn.ReLU,
        "leaky_relu": lambda: nn.LeakyReLU(steepness),
        "prelu": lambda: nn.PReLU(channels, init=steepness),
        "rrelu": lambda: nn.RReLU(*_RRELU),
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
    }
    return makers[name]()


def gain(name: str, *, slope: float | None = None) -> float:
    """Say what weights are multiplied by to keep the signal's strength through an activation.

    For rectifiers exact, where inputs are symmetric about zero: `sqrt(2 / (1 + E[a^2]))` with slope a, of which
    "rrelu" has a range. For "tanh" the customary 5/3, for "sigmoid" 1.

    Raises: SettingError as `activation`.  Source: He et al. 2015, eq. 15; tips W3.4, S15.

    >>> gain("relu") ** 2, gain("tanh")
    (2.0, 1.6667)
    """
    steepness = _slope(name, slope)
    if name == "tanh":
        return 5 / 3
    if name == "sigmoid":
        return 1.0
    low, high = _RRELU if name == "rrelu" else (steepness, steepness)
    return math.sqrt(2 / (1 + (low * low + low * high + high * high) / 3))


def _slope(name: str, slope: float | None) -> float:
    if name not in ACTIVATIONS:
        raise SettingError(f"The activation is {name!r}.", expected=f"one of {', '.join(ACTIVATIONS)}.", remedy="relu.")
    if slope is None:
        return _SLOPES.get(name, 0.0)
    if name not in {"leaky_relu", "prelu"} or not math.isfinite(slope):
        raise SettingError(
            f"A slope of {slope} was asked of {name!r}.",
            expected="a finite slope, for leaky_relu or prelu.",
            remedy="leave the slope out, or take leaky_relu.",
        )
    return slope
