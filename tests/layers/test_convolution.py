"""Convolutions in parts (L9, S6), and weights that keep the signal."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.layers.convolution import ConvNormAct, separable, separated, why_not_separable


@given(k=st.sampled_from([1, 3, 5]), dilation=st.integers(1, 2), stride=st.integers(1, 2), seed=st.integers(0, 2**31))
def test_separable_equals_a_loop(k: int, dilation: int, stride: int, seed: int) -> None:
    """Each output is the sum over channels of taken times the channel's own filter, in float64 loops."""
    torch.manual_seed(seed)
    layer = separable(3, 4, kernel_size=k, dilation=dilation, stride=stride).double()
    x = torch.randn(1, 3, 7, 6, dtype=torch.float64)
    pad = dilation * (k // 2)
    padded = np.pad(x[0].numpy(), ((0, 0), (pad, pad), (pad, pad)))
    spatial, taken = layer.depthwise.weight.detach().numpy()[:, 0], layer.pointwise.weight.detach().numpy()[:, :, 0, 0]
    out = layer(x)[0].detach().numpy()
    assert out.shape == (4, -(-7 // stride), -(-6 // stride))
    reach = dilation * (k - 1) + 1
    for y in range(out.shape[1]):
        for z in range(out.shape[2]):
            window = padded[:, y * stride :, z * stride :][:, :reach:dilation, :reach:dilation]
            np.testing.assert_allclose(out[:, y, z], taken @ (window * spatial).sum((1, 2)), atol=1e-12)


def test_padding_reaches_only_the_depthwise_half() -> None:
    """A map of 10 x 10 stays 10 x 10 (timm's layer pads the 1x1 half too and makes it 12 x 12)."""
    assert separable(4, 8)(torch.randn(1, 4, 10, 10)).shape == (1, 8, 10, 10)


def test_signal_is_kept() -> None:
    """Through ten rectified separable layers of torch's beginning the signal dies; with ours it keeps its order."""
    x = torch.randn(4, 64, 12, 12)
    ours = nn.Sequential(*[layer for _ in range(10) for layer in (separable(64, 64, bias=False), nn.ReLU())])
    torchs = nn.Sequential(*[layer for _ in range(10) for layer in (
        nn.Conv2d(64, 64, 3, padding=1, groups=64, bias=False), nn.Conv2d(64, 64, 1, bias=False), nn.ReLU()
    )])  # fmt: skip
    assert 0.02 < ours(x).square().mean() < 20
    assert torchs(x).square().mean() < 1e-4


def _rank_one(o: int, i: int, k: int) -> nn.Conv2d:
    conv = nn.Conv2d(i, o, k, stride=2, padding=1, dilation=1, padding_mode="reflect")
    with torch.no_grad():
        conv.weight.copy_(torch.randn(o, i, 1, 1) * torch.randn(1, i, k, k))
    return conv


def test_a_separable_convolution_is_split_without_loss() -> None:
    """A convolution whose filters are multiples of one per channel is found again, stride and padding included."""
    conv = _rank_one(6, 4, 3)
    new, lost = separated(conv)
    x = torch.randn(2, 4, 9, 8)
    assert lost == pytest.approx(0, abs=1e-3)
    torch.testing.assert_close(new(x), conv(x), rtol=1e-4, atol=1e-4)
    assert new.pointwise.bias is conv.bias


@given(rank=st.integers(1, 9), seed=st.integers(0, 2**31))
def test_nothing_of_its_rank_is_nearer(rank: int, seed: int) -> None:
    """The share lost is what numpy's singular values say is the least possible, and what the weights differ by."""
    torch.manual_seed(seed)
    conv = nn.Conv2d(3, 12, 3, bias=False)
    new, lost = separated(conv, depth_multiplier=rank)
    weight = conv.weight.detach().double().numpy()
    matrices = weight.transpose(1, 0, 2, 3).reshape(3, 12, 9)
    left_out = np.linalg.svd(matrices, compute_uv=False)[:, rank:]
    assert lost == pytest.approx(np.sqrt((left_out**2).sum()) / np.linalg.norm(weight), abs=1e-6)
    spatial = new.depthwise.weight.detach().double().numpy().reshape(3, -1, 9)
    taken = new.pointwise.weight.detach().double().numpy().reshape(12, 3, -1)
    whole = np.einsum("oir,irk->oik", taken, spatial).reshape(weight.shape)
    assert np.linalg.norm(whole - weight) / np.linalg.norm(weight) == pytest.approx(lost, abs=1e-5)


def test_settings_travel() -> None:
    """Mode, dtype, frozen weights, string padding and a missing bias survive the split."""
    conv = (
        nn.Conv2d(4, 8, 3, padding="same", bias=False, dilation=2).double().eval().requires_grad_(requires_grad=False)
    )
    new, _ = separated(conv, depth_multiplier=9)
    assert not new.training
    assert not any(p.requires_grad for p in new.parameters())
    x = torch.randn(1, 4, 7, 7, dtype=torch.float64)
    torch.testing.assert_close(new(x), conv(x))


@pytest.mark.parametrize(
    ("conv", "why"),
    [
        (nn.Conv2d(4, 8, 1), "1x1"),
        (nn.Conv2d(4, 8, 3, groups=2), "2 groups"),
        (nn.LazyConv2d(8, 3), "LazyConv2d"),
    ],
)
def test_others_are_refused(conv: nn.Conv2d, why: str) -> None:
    """1x1 and grouped convolutions and subclasses are refused with the reason."""
    assert why in (why_not_separable(conv) or "")
    with pytest.raises(SettingError, match=why):
        separated(conv)


@pytest.mark.parametrize("rank", [0, 10])
def test_impossible_ranks_are_refused(rank: int) -> None:
    """A 3x3 filter has ranks 1 to 9."""
    with pytest.raises(SettingError, match="1 to 9"):
        separated(nn.Conv2d(2, 2, 3), depth_multiplier=rank)


@given(k=st.sampled_from([1, 3, 7]), dilation=st.integers(1, 3), h=st.integers(1, 9), w=st.integers(1, 9))
def test_unit_keeps_the_size(k: int, dilation: int, h: int, w: int) -> None:
    """Any odd kernel and dilation keep maps of any size, one image in training included."""
    assert ConvNormAct(2, 3, kernel_size=k, dilation=dilation)(torch.randn(1, 2, h, w)).shape == (1, 3, h, w)


def test_unit_leaves_out_the_useless_bias() -> None:
    """A bias stands only where no normalisation takes it away."""
    assert ConvNormAct(2, 2).get_submodule("conv").bias is None
    assert [name for name, _ in ConvNormAct(2, 2, norm=None, act=None).named_children()] == ["conv"]
    assert ConvNormAct(2, 2, norm=None).get_parameter("conv.bias").shape == (2,)


@pytest.mark.parametrize("make", [ConvNormAct, separable])
def test_even_kernels_are_refused(make: Callable[..., nn.Module]) -> None:
    """Even kernels would shift the map by half a pixel."""
    with pytest.raises(SettingError, match="odd"):
        make(2, 2, kernel_size=4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_no_image(dtype: torch.dtype) -> None:
    """Half precision stays, and an empty batch passes in evaluation."""
    for layer in (separable(4, 4), ConvNormAct(4, 4)):
        assert layer.to(dtype).eval()(torch.zeros(0, 4, 5, 5, dtype=dtype)).shape == (0, 4, 5, 5)
        assert layer(torch.ones(1, 4, 5, 5, dtype=dtype)).dtype == dtype
