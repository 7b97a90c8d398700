"""A trained network in a new place: its inputs on the scale that it knows, its last layer new, its stages in sight.

images, normalised as here → as they were normalised there → the network → a new head → outputs
                                                 └ or its first stages → cells → a new head → outputs
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.models.anatomy import Anatomy, anatomy, grid_for, pooled
from epochal.models.early_exit import PassedBy, first_tensor, idle_behind, stopped
from epochal.models.head import find

FEATURES = "features"  # what enters the head
MOST_FEATURES = 1024  # numbers of a stage that is looked at: docs/decisions/fine-tuning.md
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow turns colour into grey


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How a network saw its pictures when it was trained: square, of `side` pixels.

    Units: `mean` and `std` per channel, of pixels in [0, 1].
    """

    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def channels(self) -> int:
        """1 or 3."""
        return len(self.mean)


class Adapted(nn.Module):
    """`network` with a new last layer of `outputs` numbers, zero at first, for pictures of `channels_in` channels.

    Pictures are brought to the side that the network knows; grey ones become colour, colour ones grey, where it needs
    that. Until `rescale_` says otherwise they are taken to be normalised as the network's own were.

    With `cut` only the part up to that stage is kept; its map is averaged over cells and a linear layer reads them.
    What does not learn stays in evaluation mode while the rest trains.

    Shapes: (n, channels_in, h, w) to (n, outputs).
    Raises: SettingError where the last layer is not linear, or for other numbers of channels than 1 and 3.

    >>> from epochal.models.resnet import resnet
    >>> sight = Sight(side=32, mean=(0.5,) * 3, std=(0.25,) * 3)
    >>> model = Adapted(resnet(3, 10, image_size=32, width=8), sight=sight, channels_in=1, outputs=4)
    >>> model(torch.randn(2, 1, 8, 8)).shape, model.head
    (torch.Size([2, 4]), Linear(in_features=32, out_features=4, bias=True))
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, *, sight: Sight, channels_in: int, outputs: int, cut: str = "") -> None:
        """Replace the last layer, and leave out what lies behind the cut."""
        super().__init__()
        if {channels_in, sight.channels} - {1, 3}:
            raise SettingError(
                f"Pictures of {channels_in} channels for a network of {sight.channels}.",
                expected="1 or 3 of each.", remedy="convert the pictures to grey or colour.",
            )  # fmt: skip
        self.sight, self.channels_in, self.cut = sight, channels_in, cut
        self.network = network
        self.register_buffer("scale", torch.ones(max(channels_in, sight.channels), 1, 1))
        self.register_buffer("shift", torch.zeros(sight.channels, 1, 1))
        self.rescale_(*_as_own(sight, channels_in))
        example = torch.zeros(1, sight.channels, sight.side, sight.side)
        self.anatomy: Anatomy = anatomy(network, example)
        self.head_name = "network." + _replaced_(network, outputs)
        if cut:
            stage = self.anatomy.stage(cut)
            self.grid = grid_for(stage, most=MOST_FEATURES)
            for name in idle_behind(network, example, at=cut):
                network.set_submodule(name, PassedBy())
            self.cut_head = _zeros(stage.channels * self.grid**2, outputs)
            self.head_name = "cut_head"

    @property
    def head(self) -> nn.Linear:
        """The new last layer."""
        head = self.get_submodule(self.head_name)
        assert isinstance(head, nn.Linear)
        return head

    def depth(self, parameter: str) -> int:
        """How many stages end before the parameter of this name is used; the head is the deepest."""
        if parameter.startswith("cut_head."):
            return len(self.anatomy.stages)
        return self.anatomy.depths.get(parameter.removeprefix("network."), len(self.anatomy.stages))

    @torch.no_grad()
    def rescale_(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Say how the pictures that come are normalised, so that the network sees them as it did its own.

        In place; exact up to rounding.

        >>> from epochal.models.simple import SmallConvNet
        >>> net = SmallConvNet(channels_in=1, classes=2, image_size=8, width=4)
        >>> model = Adapted(net, sight=Sight(side=8, mean=(0.5,), std=(0.25,)), channels_in=1, outputs=2)
        >>> model.rescale_([0.3], [0.5]); pixels = torch.tensor([[[[0.7]]]])
        >>> model.seen((pixels - 0.3) / 0.5).mean().item(), ((pixels - 0.5) / 0.25).item()
        (0.8, 0.8)
        """
        if len(mean) != self.channels_in or len(std) != self.channels_in:
            raise SettingError(
                f"{len(mean)} means and {len(std)} deviations for {self.channels_in} channels.",
                expected="one of each for a channel.", remedy="measure them on the pictures that come.",
            )  # fmt: skip
        here_mean, here_std = (torch.tensor(each, dtype=torch.float64).view(-1, 1, 1) for each in (mean, std))
        own_mean, own_std = (
            torch.tensor(each, dtype=torch.float64).view(-1, 1, 1) for each in (self.sight.mean, self.sight.std)
        )
        if self.channels_in > self.sight.channels:
            weights = torch.tensor(_LUMA, dtype=torch.float64).view(-1, 1, 1)
            here_std, here_mean = here_std * weights, (here_mean * weights).sum(0, keepdim=True)
        self.scale.copy_(here_std / own_std)
        self.shift.copy_((here_mean - own_mean) / own_std)

    def seen(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c s s"]:
        """The pictures as the network gets them."""
        values = images * self.scale
        if self.channels_in > self.sight.channels:
            values = values.sum(1, keepdim=True)
        values = values + self.shift
        side = self.sight.side
        if values.shape[-2:] == (side, side):
            return values
        shrinks = max(values.shape[-2:]) > side
        out: Tensor = nn.functional.interpolate(values, (side, side), mode="bilinear", antialias=shrinks)
        return out

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Give the outputs of the new head."""
        seen = self.seen(images)
        out: Tensor = self.head(self._cells(seen)) if self.cut else self.network(seen)
        return out

    def _cells(self, seen: Tensor) -> Float[Tensor, "n d"]:
        channels = self.anatomy.stage(self.cut).channels
        return pooled(stopped(self.network, seen, at=self.cut), channels=channels, grid=self.grid)

    def features(self, images: Float[Tensor, "n c h w"]) -> dict[str, Float[Tensor, "n d"]]:
        """What each stage makes of the pictures, on at most `MOST_FEATURES` numbers, and last what the head reads.

        One forward pass for all of them.
        """
        found: dict[str, Tensor] = {}

        def keep(name: str, output: object) -> None:
            stage = self.anatomy.stage(name)
            said = first_tensor(output)
            assert said is not None, name
            grid = grid_for(stage, most=MOST_FEATURES)
            found[name] = pooled(said.float(), channels=stage.channels, grid=grid)

        seen = self.seen(images)
        if self.cut:
            return {FEATURES: self._cells(seen).float()}
        hooks = [
            self.network.get_submodule(stage.name).register_forward_hook(
                lambda _module, _inputs, output, name=stage.name: keep(name, output)
            )
            for stage in self.anatomy.stages
        ]
        try:
            read = stopped(self.network, seen, at=self.head_name.removeprefix("network."), entering=True)
        finally:
            for hook in hooks:
                hook.remove()
        return found | {FEATURES: read.flatten(1).float()}

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002  torch's signature
        """Set the mode, but leave what does not learn in evaluation mode."""
        super().train(mode)
        if mode:
            hold_frozen_(self)
        return self


def hold_frozen_(model: nn.Module) -> None:
    """Put every part of which nothing learns into evaluation mode, so that its statistics and its dropout are still.

    A frozen normalisation in training mode would go on measuring, and change what the frozen weights behind it see.

    >>> model = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(2)).train()
    >>> _ = model[0].requires_grad_(False); hold_frozen_(model)
    >>> [layer.training for layer in model]
    [False, True]
    """
    for module in model.children():
        parameters = list(module.parameters())
        if parameters and not any(p.requires_grad for p in parameters):
            module.eval()
        else:
            hold_frozen_(module)


def _replaced_(network: nn.Module, outputs: int) -> str:
    """Put a new layer where the last one is; gives its name."""
    head = find(network)
    name: str = next(name for name, module in network.named_modules() if module is head)
    if not isinstance(head, nn.Linear) or not name:
        raise SettingError(
            f"The last layer of {type(network).__name__} is {head}.",
            expected="a linear layer behind the features.", remedy="begin from another network.",
        )  # fmt: skip
    network.set_submodule(name, _zeros(head.in_features, outputs))
    return name


def _zeros(features: int, outputs: int) -> nn.Linear:
    head = nn.Linear(features, outputs)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def _as_own(sight: Sight, channels_in: int) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation of pictures that are normalised as the network's own were."""
    if channels_in == sight.channels:
        return sight.mean, sight.std
    mean, std = sum(sight.mean) / sight.channels, sum(sight.std) / sight.channels
    return [mean] * channels_in, [std] * channels_in
