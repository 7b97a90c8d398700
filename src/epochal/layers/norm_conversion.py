"""Turning every normalisation of a model into another, keeping the scales and biases that were learnt."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from epochal.errors import SettingError
from epochal.layers.normalization import NORMS, BatchNorm2d, GroupNorm, LayerNormPerPixel, groups_for

_CHANNELWISE = (
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.GroupNorm, nn.InstanceNorm1d,
    nn.InstanceNorm2d, nn.InstanceNorm3d, BatchNorm2d, GroupNorm, LayerNormPerPixel,
)  # fmt: skip
_AXES = {nn.InstanceNorm1d: 3, nn.InstanceNorm2d: 4, nn.InstanceNorm3d: 5}  # torch takes one fewer as a single sample


@dataclass(frozen=True, slots=True, kw_only=True)
class NormConversion:
    """What a conversion did: names of layers converted, of those whose running statistics went, and refusals.

    `model` is the model that was given, changed in place, or the new layer where the model itself was one.

    >>> NormConversion(model=nn.Identity(), converted=("bn1",), dropped=(), refused={}).exact
    False
    """

    model: nn.Module
    converted: tuple[str, ...]
    dropped: tuple[str, ...]  # running statistics that nothing of the new kind can hold
    refused: dict[str, str]  # name -> reason
    unchanged: tuple[str, ...] = field(default=())  # they were of the kind asked for
    exact: bool = field(default=False)  # every layer computes what it did


def convert_normalization(
    model: nn.Module, name: str, *, groups: int | None = None, example: Float[Tensor, "n ..."] | None = None
) -> NormConversion:
    """Replace each normalisation of `model` by the one called `name`, in place, and tell what became of each.

    Kept: scale and bias as the very same parameters (an optimizer that holds them goes on working), eps, mode, device,
    dtype, and one new layer for a shared old one. Not kept: running statistics, for which the new kinds have no place,
    so outputs change and the network wants tuning. Refused, with a reason and left as it is: scales for each element,
    layers over the last axis, subclasses that do more than normalise, layers with hooks or parametrisations, lazy
    ones, groups that do not divide the channels, and groups of one value where an `example` shows the sizes.

    `example` is a batch of inputs; with it the shapes of maps are measured, without it vectors are suspected behind
    BatchNorm1d.

    Raises: SettingError for an unknown name, or groups without "group".  Source: tips L1, S14.

    >>> model = nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64))
    >>> done = convert_normalization(model, "group")
    >>> model[1], done.converted, done.dropped
    (GroupNorm(32, 64, eps=1e-05, affine=True...), ('1',), ('1',))
    """
    if name not in NORMS or (groups is not None and name != "group"):
        raise SettingError(
            f"Normalisations shall become {name!r} with {groups or 'no given number of'} groups.",
            expected=f"one of {', '.join(NORMS)}; groups only for 'group'.",
            remedy="group.",
        )
    shapes = {} if example is None else _shapes(model, example)
    places: dict[nn.Module, list[str]] = {}
    for place, layer in model.named_modules(remove_duplicate=False):
        if _is_norm(layer):
            places.setdefault(layer, []).append(place)
    made: dict[nn.Module, nn.Module] = {}
    refused: dict[str, str] = {}
    for layer, names in places.items():
        new = _converted(layer, name, groups=groups, shape=shapes.get(layer))
        if isinstance(new, str):
            refused[names[0]] = new
        else:
            made[layer] = new
            model = _put(model, new, names=names)
    changed = {old: new for old, new in made.items() if old is not new}
    return NormConversion(
        model=model,
        converted=tuple(places[old][0] for old in changed),
        dropped=tuple(places[old][0] for old, new in changed.items() if _tracks(old) and not _tracks(new)),
        refused=refused,
        unchanged=tuple(places[old][0] for old, new in made.items() if old is new),
        exact=not refused and all(_same(old, new) for old, new in changed.items()),
    )


def _put(model: nn.Module, new: nn.Module, *, names: list[str]) -> nn.Module:
    """Set the new layer wherever the old one stood; a model that is nothing but the layer becomes the new one."""
    for place in names:
        if not place:
            return new
        parent, _, attribute = place.rpartition(".")
        setattr(model.get_submodule(parent), attribute, new)
    return model


def _is_norm(layer: nn.Module) -> bool:
    """Tell normalisations by their class, and those of other libraries by their name."""
    foreign = "Norm" in type(layer).__name__ and hasattr(layer, "eps") and not list(layer.children())
    return foreign or isinstance(layer, (*_CHANNELWISE, nn.LayerNorm))


def _converted(layer: nn.Module, name: str, *, groups: int | None, shape: torch.Size | None) -> nn.Module | str:
    """The new layer, the old one where nothing is to be done, or why it cannot be."""
    unfit = next(_unfit(layer, shape), None)
    if unfit is not None:
        return unfit
    channels = _channels(layer)
    count = {"instance": channels, "layer": 1, "group": groups or groups_for(channels)}.get(name)
    if _kind(layer) == (name if count is None else count):
        return layer
    objection = next(_objections(layer, name, channels=channels, count=count, shape=shape), None)
    return objection or _filled(layer, name, channels=channels, count=count)


def _unfit(layer: nn.Module, shape: torch.Size | None) -> Iterator[str]:
    """Say why a layer's learnt numbers cannot be carried over, whatever the new kind."""
    if isinstance(layer, nn.LayerNorm) and not isinstance(layer, LayerNormPerPixel):
        if len(layer.normalized_shape) == 1:
            yield "it normalises the last axis, which holds no channels in maps (n, c, h, w)"
        yield "it has a scale for each element, the new one has one for each channel"
    if isinstance(layer, nn.modules.lazy.LazyModuleMixin) and layer.has_uninitialized_params():
        yield "it is lazy and does not know its channels; run the model once"
    if type(layer).forward not in {kind.forward for kind in _CHANNELWISE} and not is_parametrized(layer):
        yield f"{type(layer).__name__} may do more than normalise"
    if is_parametrized(layer):
        yield "its parameters are computed from others"
    if _hooks(layer):
        yield "hooks hang on it, which a new layer would lose"
    axes = next((n for kind, n in _AXES.items() if isinstance(layer, kind)), None)
    if axes is not None and shape is not None and len(shape) != axes:
        yield f"its input has no batch axis: {tuple(shape)}"


def _objections(
    layer: nn.Module, name: str, *, channels: int, count: int | None, shape: torch.Size | None
) -> Iterator[str]:
    """Say why this new kind cannot stand where the layer stands."""
    if count is not None and channels % count:
        yield f"{count} groups do not divide {channels} channels"
    if name == "instance" and shape is None and isinstance(layer, nn.BatchNorm1d):
        yield "it may see vectors, whose channels have one value each; an example input would tell"
    if count is not None and shape is not None and shape[1:].numel() == count:
        yield f"a group would hold one value: {count} groups, and each sample is {tuple(shape[1:])}"
    if name == "batch" and shape is not None and len(shape) != 4:
        yield "batch normalisation here is of maps (n, c, h, w)"


def _hooks(layer: nn.Module) -> bool:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(len(getattr(layer, kind)) for kind in kinds)


def _filled(layer: nn.Module, name: str, *, channels: int, count: int | None) -> nn.Module:
    """The new layer with the old one's parameters."""
    eps = float(layer.eps)  # type: ignore[arg-type]  # every normalisation has one
    affine = getattr(layer, "weight", None) is not None
    new: nn.Module
    if count is not None:
        new = GroupNorm(count, channels, eps=eps, affine=affine)
    elif name == "batch":
        momentum = layer.momentum if isinstance(layer, nn.SyncBatchNorm) else 0.1
        new = BatchNorm2d(channels, eps=eps, momentum=momentum, affine=affine)
    else:
        new = LayerNormPerPixel(channels, eps=eps, elementwise_affine=affine)
    like = next((each for each in (*layer.parameters(), *layer.buffers()) if each.is_floating_point()), torch.empty(0))
    new = new.to(device=like.device, dtype=like.dtype)
    for attribute in ("weight", "bias"):
        if isinstance(kept := getattr(layer, attribute, None), nn.Parameter):
            setattr(new, attribute, kept)
    if isinstance(layer, nn.SyncBatchNorm) and isinstance(new, BatchNorm2d) and _tracks(layer):
        new.load_state_dict(layer.state_dict())
    return new.train(layer.training)


def _kind(layer: nn.Module) -> str | int | None:
    """What a layer computes already: a name, or its number of groups."""
    if isinstance(layer, nn.GroupNorm):
        return layer.num_groups
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        return "batch"
    return "layer_per_pixel" if isinstance(layer, LayerNormPerPixel) else None


def _same(old: nn.Module, new: nn.Module) -> bool:
    """InstanceNorm without running statistics is GroupNorm with a group for each channel, and nothing else is equal."""
    instance = isinstance(old, nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d) and not _tracks(old)
    return instance and isinstance(new, nn.GroupNorm) and new.num_groups == new.num_channels


def _tracks(layer: nn.Module) -> bool:
    return getattr(layer, "running_mean", None) is not None


def _channels(layer: nn.Module) -> int:
    if isinstance(layer, nn.GroupNorm):
        return layer.num_channels
    if isinstance(layer, nn.LayerNorm):
        return layer.normalized_shape[0]
    channels = layer.num_features
    assert isinstance(channels, int)
    return channels


def _shapes(model: nn.Module, example: Tensor) -> dict[nn.Module, torch.Size]:
    """Measure the shape that each normalisation sees, by letting the model see the example in evaluation mode."""
    shapes: dict[nn.Module, torch.Size] = {}

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        shapes.setdefault(layer, inputs[0].shape)

    hooks = [layer.register_forward_pre_hook(note) for layer in model.modules() if _is_norm(layer)]
    modes = {layer: layer.training for layer in model.modules()}
    try:
        with torch.no_grad():
            model.eval()(example)
    finally:
        for hook in hooks:
            hook.remove()
        for layer, mode in modes.items():
            layer.training = mode
    return shapes
