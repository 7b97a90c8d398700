"""Smaller networks by approximation (L9, S6, K4.5, L1, S14)."""

import pytest
import torch
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.convolution import SeparableConv2d
from epochal.layers.normalization import GroupNorm
from epochal.layers.pooling import PooledLinear
from epochal.models.cost import cost
from epochal.models.resnet import resnet
from epochal.models.rewrite import compare
from epochal.models.slimming import change_norms, pool_head, separate_convolutions

IMAGES = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def _network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 48, 3, stride=2, padding=1), nn.BatchNorm2d(48),
        nn.ReLU(), nn.Conv2d(48, 16, 1), nn.Conv2d(16, 16, 3, groups=4), nn.Flatten(), nn.Linear(16 * 36, 10),
    )  # fmt: skip


def test_convolutions_become_separable() -> None:
    """The 3x3 convolution is split; stem, 1x1 and grouped ones stay with their reasons; the given network is whole."""
    model = _network()
    before = model.state_dict()
    done = separate_convolutions(model)
    assert done.changed == ("2",)
    assert set(done.refused) == {"0", "5", "6"}
    assert isinstance(done.model.get_submodule("2"), SeparableConv2d)
    assert isinstance(model[2], nn.Conv2d)
    assert before.keys() == model.state_dict().keys()
    assert 0 < done.lost["2"] < 1
    assert not done.exact
    assert done.model(IMAGES).shape == (2, 10)


def test_the_share_of_work_is_the_formula() -> None:
    """Of a convolution's operations 1/o + 1/k^2 are left, and all ranks together lose nothing."""
    model = nn.Sequential(nn.Conv2d(32, 64, 3, padding=1, bias=False))
    shape = (32, 8, 8)
    thin = separate_convolutions(model).model
    share = cost(thin, shape).forward_flops / cost(model, shape).forward_flops
    assert share == pytest.approx(1 / 64 + 1 / 9)
    assert thin.get_submodule("0").get_parameter("pointwise.weight").shape == (64, 32, 1, 1)


def test_more_filters_lose_less() -> None:
    """Each further filter per channel brings the outputs nearer, until nothing would be saved and the layer stays."""
    model = nn.Sequential(nn.Conv2d(32, 64, 3, padding=1))
    lost = [separate_convolutions(model, depth_multiplier=m).lost["0"] for m in (1, 3, 6)]
    assert lost == sorted(lost, reverse=True)
    told = compare(
        model, separate_convolutions(model, depth_multiplier=6).model, images=torch.randn(2, 32, 8, 8), repeats=1
    )
    rough = compare(model, separate_convolutions(model).model, images=torch.randn(2, 32, 8, 8), repeats=1)
    assert 0 < told.output_difference < rough.output_difference
    assert "not become smaller" in separate_convolutions(model, depth_multiplier=9).refused["0"]
    with pytest.raises(SettingError):
        separate_convolutions(model, depth_multiplier=0)


def test_shared_and_hooked_convolutions_stay() -> None:
    """Layers used twice, or with hooks on them, are left as they are."""
    shared, hooked = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)
    hooked.register_forward_hook(lambda *_: None)
    done = separate_convolutions(nn.Sequential(shared, shared, hooked))
    assert "2 places" in done.refused["0"]
    assert "hooks" in done.refused["2"]


def test_our_own_network_trains_when_separable() -> None:
    """The residual network, split and channels_last, gives gradients for all that learnt before."""
    done = separate_convolutions(resnet(3, 10, image_size=16, width=16))
    assert len(done.changed) > 1
    done.model(IMAGES).square().sum().backward()
    assert all(p.grad is not None for p in done.model.parameters() if p.requires_grad)


def test_the_head_is_pooled() -> None:
    """The head's 36 weights per channel become one, and constant maps give what they gave."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Dropout(0.5), nn.Linear(4 * 256, 8), nn.ReLU(),
                          nn.Linear(8, 2)).eval()  # fmt: skip
    done = pool_head(model, IMAGES)
    assert done.changed == ("3",)
    assert "flattened map" in done.refused["5"]
    assert isinstance(done.model.get_submodule("3"), PooledLinear)
    constant = IMAGES.mean((2, 3), keepdim=True).expand(-1, -1, 16, 16).contiguous()
    told = compare(model, done.model, images=constant, repeats=1)
    assert told.output_difference == pytest.approx(0, abs=1e-5)
    assert told.before.parameters - told.after.parameters == 255 * 4 * 8
    assert done.model(torch.randn(1, 3, 40, 9)).shape == (1, 2)


def test_heads_written_out_are_found() -> None:
    """A view inside the forward pass is seen as well as nn.Flatten, and adaptive pooling before it too."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.pool, self.fc = nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(7), nn.Linear(4 * 49, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = self.pool(self.conv(x))
            return self.fc(x.view(x.size(0), -1))  # type: ignore[no-any-return]

    assert pool_head(Net(), IMAGES).changed == ("fc",)


def test_heads_with_nothing_to_save_stay() -> None:
    """A head behind global pooling, or used twice, is left as it is, and the network is called exact."""
    done = pool_head(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)), IMAGES)
    assert "one place" in done.refused["2"]
    assert done.exact
    twice = nn.Linear(48, 48)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), twice, nn.ReLU(), twice)
    assert "several places" in pool_head(model, IMAGES).refused["2"]


def test_norms_are_changed_on_a_copy() -> None:
    """The copy has the other kind, the given network its own, and the report says that outputs change."""
    model = _network()
    done = change_norms(model, "group", images=IMAGES)
    assert (done.changed, done.exact) == (("3",), False)
    assert isinstance(done.model.get_submodule("3"), GroupNorm)
    assert isinstance(model[3], nn.BatchNorm2d)
    assert change_norms(model, "batch").exact
