"""Making a learnt network smaller by approximation: separable convolutions, pooled heads, other normalisations.

Each function works on a copy and leaves the given network as it was; the copy wants tuning, since its outputs are near
the old ones but not equal. What it saves and how far it is off says `epochal.models.rewrite.compare`.
"""

import copy
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.layers.convolution import separated, why_not_separable
from epochal.layers.norm_conversion import convert_normalization
from epochal.layers.pooling import pooled_linear
from epochal.models.rewrite import Rewrite

_LEAST_CHANNELS = 16  # a stem sees 1 to 4 channels, each with its own filters: little work, and much to lose


def separate_convolutions(
    model: nn.Module, *, depth_multiplier: int = 1, least_channels: int = _LEAST_CHANNELS
) -> Rewrite:
    """Split each k x k convolution of a copy into depthwise and pointwise, as near the learnt one as its rank allows.

    Of the work, a share of `depth_multiplier (1/o + 1/k^2)` is left. The copy's maps are made channels_last, where
    depthwise convolutions are fastest (5 to 6 times the speed of 3x3 ones, `benchmarks/results/blocks-layers.md`).
    Left as they are, with a reason: 1x1 and grouped convolutions, those of fewer than `least_channels` channels in (the
    stem), subclasses, shared layers, layers with hooks, and those that would not become smaller. `lost` tells the share
    of each weight that could not be kept.

    Raises: SettingError for a `depth_multiplier` above k^2 or below 1.  Source: Guo et al. 2018; tips L9, S6.

    >>> done = separate_convolutions(nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3)))
    >>> done.changed, done.refused, done.exact
    (('2',), {'0': 'it has 3 channels in, fewer than 16'}, False)
    """
    model = copy.deepcopy(model)
    places: dict[nn.Module, list[str]] = {}
    for name, layer in model.named_modules(remove_duplicate=False):
        if isinstance(layer, nn.Conv2d):
            places.setdefault(layer, []).append(name)
    refused: dict[str, str] = {}
    lost: dict[str, float] = {}
    for layer, names in places.items():
        assert isinstance(layer, nn.Conv2d)
        reason = _why_not(layer, names, depth_multiplier=depth_multiplier, least_channels=least_channels)
        if reason is not None:
            refused[names[0]] = reason
            continue
        new, lost[names[0]] = separated(layer, depth_multiplier=depth_multiplier)
        model = _put(model, new, place=names[0])
    if lost:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub forgets it
    return Rewrite(model=model, changed=tuple(lost), refused=refused, exact=not lost, lost=lost)


def _why_not(layer: nn.Conv2d, names: list[str], *, depth_multiplier: int, least_channels: int) -> str | None:
    reason = why_not_separable(layer)
    if reason is not None:
        return reason
    places = layer.kernel_size[0] * layer.kernel_size[1]
    after = depth_multiplier * layer.in_channels * (places + layer.out_channels)
    if len(names) > 1:
        return f"it is used in {len(names)} places"
    if layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks:  # noqa: SLF001  nothing else tells
        return "hooks hang on it, which a new layer would lose"
    if layer.in_channels < least_channels:
        return f"it has {layer.in_channels} channels in, fewer than {least_channels}"
    if after >= layer.weight.numel():
        return f"it would not become smaller: {layer.weight.numel()} weights now, {after} then"
    return None


def pool_head(model: nn.Module, images: Float[Tensor, "n c h w"]) -> Rewrite:
    """Let the first linear layer of a copy's head see the mean of each channel in place of the whole flattened map.

    A map of h x w places leaves 1 / (h w) of that layer's weights, each the sum of the old ones over space: exact for
    maps that are constant over space, an approximation for others. The network then takes images of other sizes, where
    nothing else fixes them. `images` show which layer receives a flattened map, and how large that is.

    Refused, with a reason: linear layers that receive something else, or maps of one place; there is nothing to save.

    Source: Lin et al. 2014, "Network in network"; tip K4.5.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10))
    >>> done = pool_head(model, torch.zeros(1, 3, 8, 8))
    >>> done.changed, done.model[3].weight.shape
    (('3',), torch.Size([10, 8]))
    """
    model = copy.deepcopy(model)
    changed, refused = [], {}
    for place, (layer, channels, reason) in _flattened(model, images).items():
        if reason is not None:
            refused[place] = reason
            continue
        model = _put(model, pooled_linear(layer, channels), place=place)
        changed.append(place)
    return Rewrite(model=model, changed=tuple(changed), refused=refused, exact=not changed)


def _flattened(model: nn.Module, images: Tensor) -> dict[str, tuple[nn.Linear, int, str | None]]:
    """Name each linear layer, with the channels of the map it receives flattened, or why it receives none."""
    found: dict[str, tuple[nn.Linear, int, str | None]] = {}
    places = {layer: name for name, layer in model.named_modules()}
    last: list[torch.Size] = []

    def note(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: PLR0917  torch's hook
        if isinstance(layer, nn.Linear):
            found[places[layer]] = (
                layer,
                *_judged(layer, entered=inputs[0].shape, last=last, seen=places[layer] in found),
            )
        if getattr(output, "ndim", 0) == 4 or isinstance(layer, nn.Linear):
            last[:] = [output.shape]

    leaves = [layer for layer in places if not list(layer.children())]
    hooks = [layer.register_forward_hook(note) for layer in leaves]
    modes = {layer: layer.training for layer in places}
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            model.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
        for layer, mode in modes.items():
            layer.training = mode
    return found


def _judged(layer: nn.Linear, *, entered: torch.Size, last: list[torch.Size], seen: bool) -> tuple[int, str | None]:
    """The channels of the map that a linear layer received flattened, or a reason."""
    shape = last[0] if last else torch.Size()
    if seen:
        return 0, "it is used in several places"
    if type(layer) is not nn.Linear or len(entered) != 2 or len(shape) != 4 or math.prod(shape[1:]) != entered[1]:
        return 0, "it does not receive a flattened map"
    if shape[2] * shape[3] == 1:
        return 0, "its map has one place already"
    return shape[1], None


def change_norms(
    model: nn.Module, name: str, *, groups: int | None = None, images: Float[Tensor, "n c h w"] | None = None
) -> Rewrite:
    """Convert all normalisations of a copy; `epochal.layers.norm_conversion` does the work and knows the details.

    Raises: SettingError for an unknown name, or groups without "group".  Source: tips L1, S14.

    >>> change_norms(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)), "group").changed
    ('1',)
    """
    done = convert_normalization(copy.deepcopy(model), name, groups=groups, example=images)
    return Rewrite(
        model=done.model, changed=done.converted, refused=done.refused, exact=done.exact or not done.converted
    )


def _put(model: nn.Module, new: nn.Module, *, place: str) -> nn.Module:
    """Set a layer at its place; a model that is nothing but the layer becomes the new one."""
    if not place:
        return new
    parent, _, attribute = place.rpartition(".")
    setattr(model.get_submodule(parent), attribute, new)
    return model
