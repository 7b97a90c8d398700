"""A network in plain facts: which layers follow which, where its weights lie, what its optimizer decays.

Measured by letting the network see one image, with an ear at each layer; `epochal.checks.construction` judges it. What
a network computes between its layers, by functions, is not heard: such a part goes unjudged, never wrongly judged.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.utils.parametrize import is_parametrized

from epochal.checks.isolation import untouched
from epochal.layers.dropout import SpatialDropout, norms_behind_dropout
from epochal.layers.scaling import Weighted, symmetric_units
from epochal.optim.groups import split

_Conv: TypeAlias = nn.Conv1d | nn.Conv2d | nn.Conv3d
_SATURATING = (nn.Sigmoid, nn.Tanh)
_NORMS = (_BatchNorm, _InstanceNorm, nn.LayerNorm, nn.GroupNorm)
_CENTRING = (_BatchNorm, _InstanceNorm)  # each channel by its own mean, so that a constant of the channel goes
_POOLS = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, SpatialDropout)
_PASSING = (nn.Identity, nn.Flatten, nn.Upsample, *_POOLS, *_DROPOUTS)  # what a hidden activation may go through
_SHIFTING = (nn.Identity, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)  # a constant added before is one added behind
_STEPS = 3  # a layer of zeros behind another begins to move with the second


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A convolution: its window, its stride, its weights; `first` where no convolution ran before it.

    `covering` windows see the whole map, as a fully connected layer does; `grouped` ones few channels each.

    >>> Kernel(name="conv2", window=(5, 5), stride=1, weights=102_400).first
    False
    """

    name: str
    window: tuple[int, ...]
    stride: int
    weights: int
    first: bool = False
    covering: bool = False
    grouped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatHead:
    """The first linear layer behind a flattened map that still has places."""

    name: str
    weights: int
    channels: int
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What the rules know of a network: names and numbers, no tensor.

    >>> Architecture(batch_size=64, parameters=10).kernels
    ()
    """

    batch_size: int
    parameters: int
    norms_over_batch: tuple[str, ...] = ()  # normalise by the statistics of each batch while training
    dropout_first: tuple[tuple[str, str], ...] = ()  # normalisation, and the dropout that runs before it
    channel_dropouts: tuple[str, ...] = ()  # those that drop whole channels
    sigmoids: tuple[str, ...] = ()  # between layers with weights, with no normalisation in front, in order of running
    tanhs: tuple[str, ...] = ()  # the same
    kernels: tuple[Kernel, ...] = ()
    head: FlatHead | None = None
    alike: tuple[tuple[str, int], ...] = ()  # layers, and their units that began as copies and stay so
    wasted_biases: tuple[tuple[str, str], ...] = ()  # layer with a bias, and the normalisation that takes it away
    decayed: tuple[str, ...] = ()  # norms, biases and slopes that the optimizer pulls to zero


@dataclass(frozen=True, slots=True, eq=False)
class _Call:
    """One layer as it ran, what went in and came out, and the layer that had written what went in."""

    name: str
    layer: nn.Module
    given: Tensor
    made: Tensor
    before: "_Call | None"


def describe_architecture(
    model: nn.Module, images: Tensor, *, batch_size: int, optimizer: torch.optim.Optimizer | None = None
) -> Architecture:
    """Say how a network is built, as far as its layers tell; it is left as it was, down to the random generators.

    Layers are those that run on the first of `images`, in evaluation mode. `batch_size` is that of the training; with
    an `optimizer` it is seen what decays.

    Shapes: images (n, ...) as the network gets them; one is enough.
    Source: tips L1, L2, S14, S16, K4.5, K4.7, K4.8, W3.1, W4.2, W5.1, W6.1.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(72, 2))
    >>> seen = describe_architecture(model, torch.randn(1, 3, 5, 5), batch_size=4)
    >>> seen.wasted_biases, seen.norms_over_batch, seen.head.places
    ((('0', '1'),), ('1',), (3, 3))
    """
    example = next(chain(model.parameters(), model.buffers()), images)
    images = images[:4].detach().to(example.device)
    with untouched(model):
        behind = norms_behind_dropout(model, images[:1])
        calls = _run(model, images[:1])
        alike = tuple(_staying_alike(model, images).items())
    dropouts = {call.name: call.layer for call in calls if isinstance(call.layer, _DROPOUTS)}
    hidden = list(_hidden(calls))
    return Architecture(
        batch_size=batch_size,
        parameters=sum(each.numel() for each in model.parameters()),
        norms_over_batch=tuple(call.name for call in calls if _judges_batch(call.layer, model)),
        dropout_first=behind,
        channel_dropouts=tuple(
            name for name, each in dropouts.items() if not isinstance(each, nn.Dropout | nn.AlphaDropout)
        ),
        sigmoids=tuple(call.name for call in hidden if isinstance(call.layer, nn.Sigmoid)),
        tanhs=tuple(call.name for call in hidden if isinstance(call.layer, nn.Tanh)),
        kernels=tuple(_kernels(calls)),
        head=_head(calls),
        alike=alike,
        wasted_biases=tuple(_wasted(calls)),
        decayed=() if optimizer is None else tuple(_decayed(model, optimizer)),
    )


def _run(model: nn.Module, images: Tensor) -> list[_Call]:
    """Let the model see the images; each storage remembers the layer that wrote it last, in-place ones included."""
    calls: list[_Call] = []  # keeps every tensor alive, so that no storage is used twice
    writers: dict[int, _Call] = {}
    names = {layer: name for name, layer in model.named_modules() if not any(layer.children())}

    def note(layer: nn.Module, inputs: tuple[object, ...], output: object) -> None:  # noqa: PLR0917  torch's hook
        if not inputs or not isinstance(inputs[0], Tensor) or not isinstance(output, Tensor):
            return
        given = inputs[0]
        call = _Call(names[layer], layer, given, output, writers.get(_storage(given)))
        calls.append(call)
        writers[_storage(output)] = call

    hooks = [layer.register_forward_hook(note) for layer in names]
    try:
        with torch.no_grad():
            model.eval()(images)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _past(call: _Call | None, kinds: tuple[type[nn.Module], ...]) -> _Call | None:
    """The first call at or before this one whose layer is of none of these kinds."""
    while call is not None and isinstance(call.layer, kinds):
        call = call.before
    return call


def _judges_batch(layer: nn.Module, model: nn.Module) -> bool:
    frozen = model.training and not layer.training  # set to evaluation by hand, as in fine-tuning
    return isinstance(layer, _BatchNorm) and not frozen


def _hidden(calls: list[_Call]) -> Iterator[_Call]:
    """Saturating activations that take what no normalisation made, and hand it on to a layer with weights.

    Gates multiply and last ones answer: they hand nothing on.
    """
    sources = [_past(call.before, (*_PASSING, *_NORMS)) for call in calls if isinstance(call.layer, Weighted)]
    for call in calls:
        if call in sources and isinstance(call.layer, _SATURATING):
            before = _past(call.before, _PASSING)
            if before is None or not isinstance(before.layer, _NORMS):
                yield call


def _kernels(calls: list[_Call]) -> Iterator[Kernel]:
    seen: set[nn.Module] = set()
    for call in calls:
        layer = call.layer
        if not isinstance(layer, _Conv) or layer in seen:
            continue
        sides = call.given.shape[2:]
        yield Kernel(
            name=call.name,
            window=tuple(layer.kernel_size),
            stride=max(layer.stride),
            weights=layer.weight.numel(),
            first=not seen,
            covering=all(window >= side for window, side in zip(layer.kernel_size, sides, strict=True)),
            grouped=layer.groups > 1,
        )
        seen.add(layer)


def _head(calls: list[_Call]) -> FlatHead | None:
    """The first linear layer, if it takes all values of the last map before it, and that was made by convolutions."""
    made: Tensor | None = None
    convolved = False
    for call in calls:
        if isinstance(call.layer, nn.Linear):
            if made is None or not convolved:
                return None
            fits = call.given.shape[1:].numel() == made.shape[1:].numel() and prod(made.shape[2:]) > 1
            places = tuple(made.shape[2:])
            return FlatHead(
                name=call.name, weights=call.layer.weight.numel(), channels=made.shape[1], places=places
            ) if fits else None  # fmt: skip
        convolved = convolved or isinstance(call.layer, _Conv)
        if call.made.ndim > 2:
            made = call.made
    return None


def _wasted(calls: list[_Call]) -> Iterator[tuple[str, str]]:
    for call in calls:
        source = _past(call.before, _SHIFTING) if isinstance(call.layer, _CENTRING) else None
        if source is not None and isinstance(source.layer, Weighted):
            bias = source.layer.bias
            if bias is not None and bias.requires_grad:
                yield source.name, call.name


def _staying_alike(model: nn.Module, images: Tensor) -> dict[str, int]:
    """Units that are copies of another after a few steps: what tells copies apart lies before or behind them.

    Towards a target that differs in each output. In place: the caller puts everything back.
    """
    layers = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, Weighted)]
    plain = [(name, layer) for name, layer in layers if layer.weight.requires_grad and not is_parametrized(layer)]
    copies = _copies(plain)
    for _ in range(_STEPS if copies else 0):
        with torch.enable_grad():
            out = model.eval()(images).float()
            if not out.requires_grad:  # cut off from all weights: nothing will ever move
                break
            target = torch.cos(torch.arange(out.numel(), device=out.device) + 1.0).view_as(out)
            weights = [each for each in model.parameters() if each.requires_grad]
            loss = (out - target).square().mean()
            gradients = torch.autograd.grad(loss, weights, materialize_grads=True)
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                if gradient.any():
                    weight.sub_(0.01 * gradient / gradient.abs().amax())
    return _copies(plain) if copies else {}


def _copies(layers: Iterable[tuple[str, nn.Module]]) -> dict[str, int]:
    found = ((name, symmetric_units(layer).get("", 0)) for name, layer in layers)
    return {name: count for name, count in found if count}


def _decayed(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[str]:
    spared = {id(each) for each in split(model)[1]}
    pulled = {id(each) for group in optimizer.param_groups if group.get("weight_decay") for each in group["params"]}
    return (name for name, each in model.named_parameters() if id(each) in spared & pulled)
