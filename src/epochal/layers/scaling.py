"""Weights to begin with, of a strength that neither drowns the signal nor lets it explode (tip S12).

torch counts a layer's fans from the shape of its weight, which is wrong for transposed convolutions (it takes the
inputs for the outputs) and for grouped ones (a depthwise layer's outputs are counted once per channel). Here they are
counted from the layer.
"""

import math
import warnings
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.activation import gain

Weighted: TypeAlias = (
    nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fans:
    """How many inputs each output of a layer adds up, and to how many outputs each input goes.

    >>> Fans(fan_in=9, fan_out=18).fan_out
    18
    """

    fan_in: float
    fan_out: float


def fans(layer: Weighted, *, strided: bool = False) -> Fans:
    """Count the fans of a layer: channels of one group, times the places of the kernel.

    With `strided`, the stride divides what is spread out: an output of a transposed convolution of stride s adds up
    only every s-th place of the kernel along each axis, and so does the gradient of a strided convolution's input.
    Without, they are counted as papers and torch do. Borders are not thought of.

    Source: He et al. 2015, section 2.2; torch's miscounts: pytorch issues 23854 and 30079; tip W3.4.

    >>> fans(nn.ConvTranspose2d(64, 8, 3))
    Fans(fan_in=576.0, fan_out=72.0)
    >>> fans(nn.Conv2d(32, 32, 3, groups=32))
    Fans(fan_in=9.0, fan_out=9.0)
    """
    if isinstance(layer, nn.Linear):
        return Fans(fan_in=float(layer.in_features), fan_out=float(layer.out_features))
    places = math.prod(layer.kernel_size)
    sparsity = math.prod(layer.stride) if strided else 1
    fan_in, fan_out = (places * n / layer.groups for n in (layer.in_channels, layer.out_channels))
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        return Fans(fan_in=fan_in / sparsity, fan_out=fan_out)
    return Fans(fan_in=fan_in, fan_out=fan_out / sparsity)


def strength(
    name: str,
    counted: Fans,
    *,
    activation: str = "relu",
    std: float = 0.01,
    mode: str = "fan_in",
) -> float:
    """Say the standard deviation that weights begin with, by the name of the rule.

        zeros       0
        gaussian    std, by default 0.01: variance 1e-4
        calibrated  1 / sqrt(fan_in)                      keeps the strength through linear layers
        xavier      sqrt(2 / (fan_in + fan_out))          a compromise between signal and gradient, before tanh, sigmoid
        he          gain(activation) / sqrt(fan of mode)  keeps it through layers with rectifiers

    Raises: SettingError for an unknown name, or a `std` that is not above 0.
    Source: Glorot and Bengio 2010; He et al. 2015; tips W3.1, W3.2, W3.3, W3.4, S15.

    >>> strength("he", Fans(fan_in=8, fan_out=2)), strength("xavier", Fans(fan_in=6, fan_out=2))
    (0.5, 0.5)
    """
    if not std > 0 or not math.isfinite(std) or mode not in {"fan_in", "fan_out"}:
        raise SettingError(
            f"Weights shall begin with a spread of {std}, or by {mode}.",
            expected="a spread above 0, finite; fan_in or fan_out.",
            remedy="0.01 and fan_in.",
        )
    if name == "zeros":
        return 0.0
    if name == "gaussian":
        return std
    if name == "calibrated":
        return 1 / math.sqrt(counted.fan_in)
    if name == "xavier":
        return math.sqrt(2 / (counted.fan_in + counted.fan_out))
    if name == "he":
        return gain(activation) / math.sqrt(counted.fan_in if mode == "fan_in" else counted.fan_out)
    raise SettingError(
        f"The initialisation is {name!r}.", expected="zeros, gaussian, calibrated, xavier or he.", remedy="he."
    )


@torch.no_grad()
def initialize_(  # the sixth is torch's usual one
    model: nn.Module,
    name: str,
    *,
    activation: str = "relu",
    std: float = 0.01,
    mode: str = "fan_in",
    generator: torch.Generator | None = None,
) -> tuple[str, ...]:
    """Fill the weights of all linear layers and convolutions by a rule, their biases with zero; name those filled.

    Normally distributed with `strength`'s standard deviation. Normalisation layers keep what they have, and layers that
    share one weight are filled once. "zeros" warns: units that begin alike stay alike, and the network never becomes
    larger than one unit a layer. In place.

    Raises: SettingError for an unknown name, or a weight that is computed from others (parametrised) or not made yet.
    Source: tips W3.1, W3.2, W3.3, W3.4, S15.

    >>> initialize_(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 2, 1)), "he")
    ('0', '2')
    """
    filled, seen = [], set()
    for place, layer in _weighted(model):
        deviation = strength(name, fans(layer), activation=activation, std=std, mode=mode)
        if id(layer.weight) in seen:
            continue
        seen.add(id(layer.weight))
        layer.weight.normal_(0.0, deviation, generator=generator) if deviation else layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
        filled.append(place)
    if name == "zeros":
        warnings.warn(
            f"All {len(filled)} layers begin at zero: their units receive the same gradients and stay alike for ever. "
            "Take 'he' before rectifiers, 'xavier' before tanh or sigmoid.",
            stacklevel=2,
        )
    return tuple(filled)


def symmetric_units(model: nn.Module) -> dict[str, int]:
    """Count in each layer the units that are copies of another: same incoming weights, same bias.

    Copies receive the same gradients as long as what follows treats them alike, and so stay copies. A last layer may
    well begin at zero: labels tell its units apart. Layers without copies are left out.

    Source: tip W3.1.

    >>> layer = nn.Linear(3, 4)
    >>> with torch.no_grad(): _ = layer.weight.zero_(), layer.bias.zero_()
    >>> symmetric_units(nn.Sequential(layer, nn.Linear(4, 2)))
    {'0': 3}
    """
    copies = {}
    for place, layer in _weighted(model):
        units = _units(layer)
        alike = len(units) - len(torch.unique(units, dim=0))
        if alike:
            copies[place] = alike
    return copies


def _units(layer: Weighted) -> Float[Tensor, "out rest"]:
    """One row for each output: its group, its incoming weights, its bias."""
    weight = layer.weight.detach().float()
    groups = 1 if isinstance(layer, nn.Linear) else layer.groups
    if isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d):
        weight = weight.reshape(groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)
    rows = weight.flatten(1)
    group = torch.arange(groups, device=rows.device).repeat_interleave(len(rows) // groups)
    bias = torch.zeros(len(rows), device=rows.device) if layer.bias is None else layer.bias.detach().float()
    return torch.cat([group[:, None].float(), rows, bias[:, None]], 1)


@torch.no_grad()
def scale_to_data_(
    model: nn.Module,
    images: Float[Tensor, "n ..."],
    *,
    orthogonal: bool = True,
    generator: torch.Generator | None = None,
) -> dict[str, float]:
    """Scale each layer so that what it gives on these images has variance 1; say the deviation it had before.

    Weights begin as random orthogonal rows (with `orthogonal`), then each is divided by the deviation of its layer's
    output while the images pass, so that the next layer already sees the scaled signal. A layer is linear in its weight
    and bias, so one division is exact and one pass does for the whole model, where the paper measures again and again.
    A layer used twice, or sharing its weight, is scaled where it comes first; a constant output (deviation 0) is left
    as it is. The model runs in evaluation mode and is left in its own. In place.

    Shapes: the images as the model takes them, some dozens suffice.
    Raises: SettingError as `initialize_`, or where an output is not finite.
    Source: Mishkin and Matas 2016, "All you need is a good init"; tip S12.

    >>> model = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))
    >>> found = scale_to_data_(model, 100 * torch.randn(500, 8))
    >>> list(found), round(model(100 * torch.randn(500, 8)).std().item(), 1)
    (['0', '2'], 1.0)
    """
    found: dict[str, float] = {}
    seen: set[int] = set()
    places: dict[nn.Module, str] = {layer: place for place, layer in _weighted(model)}

    def scale(layer: nn.Module, _inputs: tuple[object, ...], output: Tensor) -> Tensor:
        weight, bias = layer.weight, layer.bias
        assert isinstance(weight, Tensor)
        if id(weight) in seen:
            return output
        seen.add(id(weight))
        deviation = float(output.double().std(correction=0))
        _check_finite(deviation, place=places[layer])
        found[places[layer]] = deviation
        if deviation == 0:
            return output
        for each in (weight, bias):
            if isinstance(each, Tensor):
                each.div_(deviation)
        return output / deviation

    if orthogonal:
        for _, layer in _weighted(model):
            layer.weight.copy_(nn.init.orthogonal_(layer.weight.float(), generator=generator))
    hooks = [layer.register_forward_hook(scale) for layer in places]
    modes = {each: each.training for each in model.modules()}
    try:
        model.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
        for each, mode in modes.items():
            each.training = mode
    return found


def _check_finite(deviation: float, *, place: str) -> None:
    if not math.isfinite(deviation):
        raise SettingError(
            f"The output of {place or 'the model'} deviates by {deviation}.",
            expected="finite numbers from finite images.",
            remedy="look for NaN in the images, or begin with orthogonal=True.",
        )


def _weighted(model: nn.Module) -> list[tuple[str, Weighted]]:
    """Name all layers that have weights to fill; refuse weights that cannot be filled in place."""
    found = [(place, layer) for place, layer in model.named_modules() if isinstance(layer, Weighted)]
    for place, layer in found:
        if isinstance(layer.weight, nn.UninitializedParameter) or not isinstance(layer.weight, nn.Parameter):
            raise SettingError(
                f"The weight of {place or 'the model'} is {type(layer.weight).__name__}, not a plain parameter.",
                expected="weights that can be filled.",
                remedy="run lazy layers once, and initialise before adding parametrisations.",
            )
    return found
