"""ASPP (S2) and FPN (S4), against sums written out, at all sizes."""

import math
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.convolution import ConvNormAct
from epochal.layers.pyramid import AtrousPyramid, FeaturePyramid

quiet = pytest.mark.filterwarnings("ignore:Rates")


def _unit(unit: nn.Module, x: Tensor, *, dilation: int) -> Tensor:
    """Convolution at holes by shifted copies of the padded map, then running statistics, then ReLU."""
    assert isinstance(unit, ConvNormAct)
    weight = unit.get_parameter("conv.weight")
    k, (h, w) = weight.shape[2], x.shape[2:]
    reach = dilation * (k // 2)
    padded = F.pad(x, (reach,) * 4)
    shifts = [(i, j) for i in range(k) for j in range(k)]
    terms = [
        torch.einsum("oi,nihw->nohw", weight[:, :, i, j],
                     padded[:, :, i * dilation : i * dilation + h, j * dilation : j * dilation + w])
        for i, j in shifts
    ]  # fmt: skip
    return (torch.stack(terms).sum(0) / math.sqrt(1 + 1e-5)).clamp(min=0)


@quiet
@given(h=st.integers(1, 9), w=st.integers(1, 9), rates=st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_atrous_pyramid_equals_the_sum_written_out(h: int, w: int, rates: list[int]) -> None:
    """1x1, dilated 3x3 at each rate and the mean of the map, side by side, then joined: for maps of any size."""
    layer = AtrousPyramid(3, 2, rates=rates).double().eval()
    x = torch.randn(2, 3, h, w, dtype=torch.float64)
    whole = _unit(layer.image, x.mean((2, 3), keepdim=True), dilation=1).expand(-1, -1, h, w)
    branches = [_unit(unit, x, dilation=rate) for unit, rate in zip(layer.atrous, rates, strict=True)]
    expected = _unit(layer.joint, torch.cat([_unit(layer.place, x, dilation=1), *branches, whole], 1), dilation=1)
    torch.testing.assert_close(layer(x), expected)


@quiet
@pytest.mark.parametrize("norm", ["batch", "group", "layer", "layer_per_pixel"])
@pytest.mark.parametrize("side", [1, 2, 7])
def test_one_image_in_training(side: int, norm: str) -> None:
    """A single image of any size trains, where the usual code raises in the branch of the whole map."""
    x = torch.randn(1, 4, side, side, requires_grad=True)
    AtrousPyramid(4, 8, norm=norm).train()(x).square().mean().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


def test_rates_beyond_the_map_are_told() -> None:
    """A rate as large as the map makes its branch a 1x1 convolution, and a warning says so."""
    layer = AtrousPyramid(2, 2, rates=(1, 6)).eval()
    with pytest.warns(UserWarning, match=r"Rates \[6\] reach beyond the map of 4 x 6"):
        out = layer(torch.randn(1, 2, 4, 6))
    assert out.shape == (1, 2, 4, 6)
    layer(torch.randn(1, 2, 4, 7))


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), min_size=1, max_size=4), st.integers(0, 2))
def test_feature_pyramid_equals_a_loop(sizes: list[tuple[int, int]], extra: int) -> None:
    """Each level is the smoothed sum of its lateral and the coarser one, looked up at floor(y h / H): any sizes."""
    channels = [i + 1 for i in range(len(sizes))]
    layer = FeaturePyramid(channels, 2, extra=extra).double()
    maps = [torch.randn(1, c, h, w, dtype=torch.float64) for c, (h, w) in zip(channels, sizes, strict=True)]
    levels = layer(maps)
    carried: Tensor | None = None
    for k in reversed(range(len(maps))):
        h, w = sizes[k]
        here = layer.lateral[k](maps[k])
        if carried is not None:
            rows, columns = np.arange(h) * carried.shape[2] // h, np.arange(w) * carried.shape[3] // w
            here = here + carried[:, :, rows][:, :, :, columns]
        torch.testing.assert_close(levels[k], layer.smooth[k](here))
        carried = here
    assert len(levels) == len(maps) + extra
    for k in range(len(maps), len(levels)):
        assert torch.equal(levels[k], levels[k - 1][:, :, ::2, ::2])


@quiet
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_no_image(dtype: torch.dtype) -> None:
    """Half precision stays, and an empty batch passes in evaluation."""
    aspp, fpn = AtrousPyramid(2, 4, rates=(1, 2)).to(dtype).eval(), FeaturePyramid([2], 4).to(dtype)
    for n in (0, 1):
        x = torch.ones(n, 2, 3, 3, dtype=dtype)
        for out in (aspp(x), fpn([x])[0]):
            assert (out.shape, out.dtype) == ((n, 4, 3, 3), dtype)


def test_channels_last_gives_the_same() -> None:
    """Maps in the other memory format give the same numbers."""
    x = torch.randn(2, 4, 9, 8)
    turned = x.contiguous(memory_format=torch.channels_last)
    aspp, fpn = AtrousPyramid(4, 4, rates=(1, 2)).eval(), FeaturePyramid([4], 4)
    torch.testing.assert_close(aspp(turned), aspp(x))
    torch.testing.assert_close(fpn([turned])[0], fpn([x])[0])


def test_gradients() -> None:
    """Both pass gradcheck in float64."""
    x, y = (torch.randn(1, 2, s, 3, dtype=torch.float64, requires_grad=True) for s in (4, 2))
    fpn = FeaturePyramid([2, 2], 2).double()
    assert torch.autograd.gradcheck(lambda *maps: tuple(fpn(maps)), (x, y))
    assert torch.autograd.gradcheck(AtrousPyramid(2, 2, rates=(1, 2), norm="layer").double(), (x,))


def test_export() -> None:
    """torch.export sees through both."""
    x = torch.randn(2, 4, 9, 9)
    for layer, inputs in ((AtrousPyramid(4, 4, rates=(1, 2)).eval(), x), (FeaturePyramid([4], 4, extra=1), [x])):
        exported = torch.export.export(layer, (inputs,)).module()
        torch.testing.assert_close(exported(inputs), layer(inputs))


def test_impossible_wishes_are_refused() -> None:
    """No rate, a rate below 1, no map, fewer maps than were promised: errors."""
    wishes: list[Callable[[], object]] = [
        lambda: AtrousPyramid(2, 2, rates=()), lambda: AtrousPyramid(2, 2, rates=(0,)), lambda: FeaturePyramid([]),
        lambda: FeaturePyramid([2], extra=-1), lambda: FeaturePyramid([2, 2], 2)([torch.ones(1, 2, 2, 2)]),
    ]  # fmt: skip
    for wish in wishes:
        with pytest.raises(SettingError):
            wish()


@pytest.mark.slow
def test_compiles() -> None:
    """torch.compile gives what eager gives."""
    code = """
import torch
from epochal.layers.pyramid import AtrousPyramid
layer, x = AtrousPyramid(2, 2, rates=(1, 2)).eval(), torch.randn(1, 2, 5, 5)
torch.testing.assert_close(torch.compile(layer, backend="aot_eager", fullgraph=True)(x), layer(x))
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
