"""Stages are found in networks of any make by what their modules give, and forward passes end where they are told."""

import pytest
import torch
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.models.anatomy import Stage, anatomy, grid_for, pooled
from epochal.models.resnet import resnet
from epochal.models.simple import LinearClassifier, SmallConvNet
from models.transformer import Transformer


@pytest.mark.parametrize(("size", "stages"), [(8, 2), (32, 4), (224, 5)])
def test_house_network_has_a_stage_for_each_size_of_map(size: int, stages: int) -> None:
    """Each stage is half as large as the one before, ends with its residual block, and the head lies behind all."""
    model = resnet(3, 10, image_size=size, width=8)
    found = anatomy(model, torch.zeros(1, 3, size, size))
    places = [stage.places for stage in found.stages]
    assert len(found.stages) == stages
    assert places == sorted(places, reverse=True)
    assert found.depths["head.weight"] == stages
    assert found.depths["stem.weight"] == 0
    depths = [found.depths[name] for name, _ in model.named_parameters()]
    assert depths == sorted(depths)


def test_small_network_has_its_three_stages() -> None:
    """The convolutions of the small network are told apart by the size of their maps."""
    found = anatomy(SmallConvNet(channels_in=3, classes=4, image_size=32), torch.zeros(1, 3, 32, 32))
    assert [stage.channels for stage in found.stages] == [64, 128, 128]


def test_equal_blocks_are_parted_into_quarters() -> None:
    """A transformer's stages end after every second of its eight blocks; parameters of its own count as the first."""
    found = anatomy(Transformer(), torch.zeros(1, 3, 32, 32))
    assert [stage.name for stage in found.stages] == ["blocks.1", "blocks.3", "blocks.5", "blocks.7"]
    assert found.depths["token"] == found.depths["patches.weight"] == found.depths["blocks.1.mlp.0.weight"] == 0
    assert found.depths["blocks.2.attend.out_proj.weight"] == 1  # never called itself: its parent uses its weight
    assert found.depths["head.weight"] == 4


def test_windows_and_single_places_are_no_stages() -> None:
    """What some networks count among the samples, and what is pooled to one place, is passed over."""

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3, stride=2)
            self.windows = nn.Identity()
            self.pool = nn.AdaptiveAvgPool2d(1)
            self.head = nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            x = self.first(x)
            self.windows(x.unfold(2, 3, 3).unfold(3, 3, 3).reshape(-1, 4, 3, 3))
            out: Tensor = self.head(self.pool(x).flatten(1))
            return out

    assert [stage.name for stage in anatomy(Odd(), torch.zeros(1, 3, 19, 19)).stages] == ["first"]


def test_looking_changes_nothing() -> None:
    """Modes, statistics and the random state are as they were, and no hook is left."""
    model = resnet(3, 4, image_size=16, width=8).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    image, state = torch.rand(1, 3, 16, 16), torch.get_rng_state()
    anatomy(model, image)
    assert all(module.training for module in model.modules())
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_a_network_without_maps_is_refused() -> None:
    """A linear model of pixels has nothing to cut."""
    with pytest.raises(SettingError, match="map of features"):
        anatomy(LinearClassifier(channels_in=3, classes=2, image_size=8), torch.zeros(1, 3, 8, 8))


def test_an_unknown_stage_is_told() -> None:
    """The error names those that there are."""
    found = anatomy(resnet(3, 2, image_size=16, width=8), torch.zeros(1, 3, 16, 16))
    with pytest.raises(SettingError, match=r"stages\.1"):
        found.stage("nowhere")


@pytest.mark.parametrize("side", [3, 4, 7, 15])
@pytest.mark.parametrize("grid", [1, 2, 3])
def test_layouts_are_pooled_alike(side: int, grid: int) -> None:
    """Channels first or last, a map gives the means of its cells, as a loop finds them."""
    maps = torch.randn(2, 5, side, side)
    got = pooled(maps, channels=5, grid=grid)
    assert torch.equal(got, pooled(maps.permute(0, 2, 3, 1), channels=5, grid=grid))
    for row in range(grid):
        for column in range(grid):
            top, bottom = row * side // grid, -(-(row + 1) * side // grid)
            left, right = column * side // grid, -(-(column + 1) * side // grid)
            expected = maps[:, :, top:bottom, left:right].mean((2, 3))
            torch.testing.assert_close(got.view(2, 5, grid, grid)[:, :, row, column], expected)


@pytest.mark.parametrize(("channels", "places"), [(24, 961), (64, 225), (256, 49), (512, 4), (2048, 49)])
def test_grid_keeps_within_its_limit(channels: int, places: int) -> None:
    """The grid is the finest that the limit and the map allow, and at least one cell."""
    side = grid_for(Stage(name="", channels=channels, places=places), most=1024)
    assert side == 1 or side**2 * channels <= 1024
    assert side**2 <= places
    assert (side + 1) ** 2 * channels > 1024 or (side + 1) ** 2 > places
