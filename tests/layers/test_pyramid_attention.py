"""The Pyramid Attention Network (S5): its two parts written out, at all sizes."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from epochal.errors import SettingError
from epochal.layers.pyramid_attention import FeaturePyramidAttention, GlobalAttentionUpsample, PyramidAttention

sides = st.integers(1, 20)


def _up(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=tuple(like.shape[2:]), mode="bilinear", align_corners=False)


@given(sides, sides, st.sampled_from([None, 1, 2]))
def test_attention_is_as_in_the_figure(h: int, w: int, narrow: int | None) -> None:
    """Main branch times merged pyramid plus whole map: figure 3, for maps of any size, one place included."""
    layer = FeaturePyramidAttention(3, 4, pyramid_width=narrow).double().eval()
    x = torch.randn(2, 3, h, w, dtype=torch.float64)
    half = layer.down[0](F.max_pool2d(x, 2, ceil_mode=True))
    quarter = layer.down[1](F.max_pool2d(half, 2, ceil_mode=True))
    eighth = layer.down[2](F.max_pool2d(quarter, 2, ceil_mode=True))
    merged = layer.across[1](quarter) + _up(layer.across[2](eighth), quarter)
    merged = layer.across[0](half) + _up(merged, half)
    assert merged.shape[1] == (narrow or 4)
    weights = _up(merged, x).repeat(1, 4 // merged.shape[1], 1, 1)
    expected = layer.main(x) * weights + layer.whole(x.mean((2, 3), keepdim=True))
    torch.testing.assert_close(layer(x), expected)


def test_the_pyramid_has_seven_five_three() -> None:
    """Kernels are 7, 5 and 3 wide, the widest on the largest map."""
    layer = FeaturePyramidAttention(3, 4)
    assert [down.get_parameter("conv.weight").shape[-1] for down in layer.down] == [7, 5, 3]
    assert [across.get_parameter("conv.weight").shape[-1] for across in layer.across] == [7, 5, 3]


@pytest.mark.parametrize("gate", ["relu", "sigmoid"])
@given(fine=sides, deep=sides)
def test_gate_is_as_in_the_figure(gate: str, fine: int, deep: int) -> None:
    """The fine map's 3x3 convolution times the gate of the deep map's mean, plus the deep map enlarged: figure 4."""
    layer = GlobalAttentionUpsample(3, 4, gate=gate).double().eval()
    low, high = torch.randn(2, 3, fine, 7).double(), torch.randn(2, 4, deep, 3).double()
    mean = torch.stack([channel.mean() for channel in high.flatten(0, 1)]).view(2, 4, 1, 1)
    through = layer.fine(low)
    expected = through * layer.choose(mean) + _up(layer.deep(high), through)
    torch.testing.assert_close(layer(low, high), expected)
    chosen = layer.choose(mean)
    assert chosen.min() >= 0
    assert gate == "relu" or chosen.max() <= 1


@pytest.mark.parametrize("norm", ["batch", "group", "layer", "layer_per_pixel"])
@pytest.mark.parametrize("side", [32, 17, 4, 1])
def test_one_small_image_in_training(side: int, norm: str) -> None:
    """One image of any size trains, where the usual code fails below 128 pixels and at batch 1."""
    maps = [torch.randn(1, c, -(-side // s), -(-side // s), requires_grad=True) for c, s in ((4, 1), (6, 2), (8, 4))]
    out = PyramidAttention([4, 6, 8], 8, norm=norm).train()(maps)
    assert out.shape == (1, 8, side, side)
    out.square().mean().backward()
    assert all(each.grad is not None and bool(torch.isfinite(each.grad).all()) for each in maps)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_no_image(dtype: torch.dtype) -> None:
    """Half precision stays, and an empty batch passes in evaluation."""
    layer = PyramidAttention([2, 3], 4).to(dtype).eval()
    for n in (0, 1):
        out = layer([torch.ones(n, 2, 6, 6, dtype=dtype), torch.ones(n, 3, 3, 3, dtype=dtype)])
        assert (out.shape, out.dtype) == ((n, 4, 6, 6), dtype)


def test_channels_last_gives_the_same() -> None:
    """Maps in the other memory format give the same numbers."""
    maps = [torch.randn(2, 2, 6, 6), torch.randn(2, 3, 3, 3)]
    layer = PyramidAttention([2, 3], 4).eval()
    turned = [each.contiguous(memory_format=torch.channels_last) for each in maps]
    torch.testing.assert_close(layer(turned), layer(maps))


def test_gradients() -> None:
    """The decoder passes gradcheck in float64."""
    torch.manual_seed(0)
    maps = [torch.randn(1, 2, s, s, dtype=torch.float64, requires_grad=True) for s in (4, 2)]
    layer = PyramidAttention([2, 2], 2, norm="layer").double()
    assert torch.autograd.gradcheck(lambda *each: layer(each), tuple(maps))


def test_export() -> None:
    """The decoder passes torch.export, whose graph gives the same numbers."""
    maps = [torch.randn(2, 2, 7, 6), torch.randn(2, 3, 3, 3)]
    layer = PyramidAttention([2, 3], 4).eval()
    exported = torch.export.export(layer, (maps,)).module()
    torch.testing.assert_close(exported(maps), layer(maps))


def test_impossible_wishes_are_refused() -> None:
    """A pyramid whose channels do not divide, no map, other maps than promised, unknown gates: errors."""
    wishes: list[Callable[[], object]] = [
        lambda: FeaturePyramidAttention(4, 4, pyramid_width=3), lambda: FeaturePyramidAttention(0, 4),
        lambda: PyramidAttention([]), lambda: PyramidAttention([2, 2], 2)([torch.ones(1, 2, 2, 2)]),
        lambda: GlobalAttentionUpsample(2, 2, gate="softmax"),
    ]  # fmt: skip
    for wish in wishes:
        with pytest.raises(SettingError):
            wish()
