"""Where a network's stages are, found by letting it see one image: what transfer needs of networks it did not build.

    image → ┌ stage 0 ┐ → ┌ stage 1 ┐ → ... → features → head

A stage ends where the map is about to get smaller; a network of blocks that keep its size (a transformer) is parted
into four. Works on any module that is called with a batch of images: nothing is traced, compiled or renamed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.models.early_exit import first_tensor, still, watched

_PARTS = 4  # of a network whose blocks all keep the size of the map
_LEAST_LEVELS = 2  # sizes of map; with fewer it is a network of equal blocks
_NESTING = 2  # how much deeper than the outermost a module may lie: what lies deeper is the inside of a block
_EXTRA_TOKENS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A module whose output is worth looking at.

    `places` is the number of pixels or tokens of its map, for the image that was shown.
    """

    name: str
    channels: int
    places: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """The stages from the input to the head, and how deep each parameter lies.

    `depths` counts the stages that end before a parameter is used: 0 in the first stage, `len(stages)` behind the last.
    """

    stages: tuple[Stage, ...]
    depths: Mapping[str, int]

    def stage(self, name: str) -> Stage:
        """The stage called `name`.

        Raises: SettingError if there is none.
        """
        for each in self.stages:
            if each.name == name:
                return each
        raise SettingError(
            f"The network has no stage {name!r}.",
            expected=f"one of {', '.join(each.name for each in self.stages)}.",
            remedy="take one of these.",
        )


@torch.no_grad()
def anatomy(network: nn.Module, image: Float[Tensor, "1 c s s"]) -> Anatomy:
    """Find the stages of `network` from what its modules make of a square `image`.

    Modes and the random state are left as they were.

    Raises: SettingError where no module gives a map or a sequence of features.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 8, 3, stride=2), nn.Flatten())
    >>> found = anatomy(net.append(nn.Linear(128, 2)), torch.zeros(1, 1, 12, 12))
    >>> [(stage.name, stage.channels, stage.places) for stage in found.stages], found.depths["2.weight"]
    ([('1', 4, 100), ('2', 8, 16)], 1)
    """
    clock, entries, exits = 0, {"": 0}, list[_Exit]()

    def enters(name: str) -> None:
        nonlocal clock
        clock += 1
        entries.setdefault(name, clock)

    def leaves(name: str, output: object) -> None:
        nonlocal clock
        clock += 1
        # windows and heads that some networks count among the samples are no maps, nor is the picture as it came
        said = first_tensor(output)
        if said is not None and said.ndim in {3, 4} and len(said) == len(image) and said.shape != image.shape:
            exits.extend(_Exit(clock=clock, stage=stage) for stage in _measured(name, said))

    with watched(network, enters=enters, leaves=leaves), still(network):
        network(image)
    chosen = _levels(exits)
    if len(chosen) < _LEAST_LEVELS:
        chosen = _parts(exits) or chosen
    if not chosen:
        raise SettingError(
            f"No part of {type(network).__name__} gives a map of features.",
            expected="a convolutional network or a transformer.",
            remedy="begin from such a network.",
        )
    ends = [each.clock for each in chosen]
    depths = {name: sum(end < _entry(name, entries) for end in ends) for name, _ in network.named_parameters()}
    return Anatomy(stages=tuple(each.stage for each in chosen), depths=depths)


def grid_for(stage: Stage, *, most: int) -> int:
    """Cells along each side on which a stage's map is averaged, so that at most `most` numbers are left.

    >>> grid_for(Stage(name="1", channels=64, places=225), most=1024)
    4
    """
    side = 1
    while (side + 1) ** 2 * stage.channels <= most and (side + 1) ** 2 <= stage.places:
        side += 1
    return side


def pooled(output: Tensor, *, channels: int, grid: int) -> Float[Tensor, "n d"]:
    """Average a map of any layout over `grid` by `grid` cells and line the numbers up; tokens are averaged in runs.

    Shapes: (n, c, h, w), (n, h, w, c) or (n, tokens, c) to (n, c * grid²).

    >>> maps, tokens = torch.randn(2, 3, 4, 4), torch.randn(2, 16, 3)
    >>> pooled(maps, channels=3, grid=2).shape, pooled(tokens, channels=3, grid=2).shape
    (torch.Size([2, 12]), torch.Size([2, 12]))
    """
    if output.ndim == 3:
        return nn.functional.adaptive_avg_pool1d(output.transpose(1, 2), grid * grid).flatten(1)
    if output.shape[1] != channels:  # some transformers keep the channels last
        output = output.permute(0, 3, 1, 2)
    return nn.functional.adaptive_avg_pool2d(output, grid).flatten(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exit:
    clock: int
    stage: Stage

    @property
    def nesting(self) -> int:
        return self.stage.name.count(".")


def _measured(name: str, output: Tensor) -> list[Stage]:
    """What a square image has become: none, or one stage; maps that are not square hold something else."""
    shape = output.shape
    if output.ndim == 3:
        extra = shape[1] - math.isqrt(shape[1]) ** 2  # tokens for the class and its teacher
        return [Stage(name=name, channels=shape[2], places=shape[1])] if extra <= _EXTRA_TOKENS else []
    if shape[2] == shape[3]:
        return [Stage(name=name, channels=shape[1], places=shape[2] * shape[3])]
    return [Stage(name=name, channels=shape[3], places=shape[1] * shape[2])] if shape[1] == shape[2] else []


def _levels(exits: Sequence[_Exit]) -> list[_Exit]:
    """The last of the outermost modules at each size of map, as the maps get smaller; a single place is no map."""
    chosen: dict[int, _Exit] = {}
    for each in exits:
        present = chosen.get(each.stage.places)
        if present is None or each.nesting <= present.nesting:
            chosen[each.stage.places] = each
    deepest = min((each.nesting for each in chosen.values()), default=0) + _NESTING
    falling: list[_Exit] = []
    for each in sorted(chosen.values(), key=lambda one: one.clock):
        smaller = not falling or each.stage.places < falling[-1].stage.places
        if smaller and each.stage.places > 1 and each.nesting <= deepest:
            falling.append(each)
    return falling


def _parts(exits: Sequence[_Exit]) -> list[_Exit]:
    """Ends of the quarters of the outermost numbered row of blocks that all give the same size."""
    rows: dict[tuple[str, int, int], list[_Exit]] = {}
    for each in exits:
        parent, _, last = each.stage.name.rpartition(".")
        if last[-1].isdigit():
            rows.setdefault((parent, each.stage.channels, each.stage.places), []).append(each)
    long = [row for row in rows.values() if len(row) > 1]
    if not long:
        return []
    row = min(long, key=lambda one: (one[0].nesting, -len(one)))
    ends = sorted({round(len(row) * part / _PARTS) for part in range(1, _PARTS + 1)} - {0})
    return [row[end - 1] for end in ends]


def _entry(parameter: str, entries: Mapping[str, int]) -> int:
    """When the nearest module around a parameter was first entered: some use what their parts hold themselves."""
    owner = parameter.rpartition(".")[0]
    while owner not in entries:
        owner = owner.rpartition(".")[0]
    return entries[owner]
