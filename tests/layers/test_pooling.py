"""Pooling of maps of any size (L3, S1, S3) and pooled heads (K4.5), against loops over pixels."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.layers import pooling
from epochal.layers.pooling import (
    GlobalAverageHead,
    PooledLinear,
    PyramidPooling,
    SpatialPyramidPooling,
    pooled_linear,
    pooled_to_bins,
)

FORMATS = [torch.contiguous_format, torch.channels_last]


def _bins(image: np.ndarray, bins: int, pool: str) -> np.ndarray:
    """Bin by bin: from floor(i s / b) to ceil((i + 1) s / b), as the paper's appendix has it."""
    c, h, w = image.shape
    out = np.empty((c, bins, bins))
    for i in range(bins):
        for j in range(bins):
            rows = slice(math.floor(i * h / bins), math.ceil((i + 1) * h / bins))
            columns = slice(math.floor(j * w / bins), math.ceil((j + 1) * w / bins))
            part = image[:, rows, columns]
            out[:, i, j] = part.max((1, 2)) if pool == "max" else part.mean((1, 2))
    return out


@pytest.mark.parametrize("pool", ["max", "average"])
@given(h=st.integers(1, 64), w=st.integers(1, 64), bins=st.sampled_from([1, 2, 3, 4, 6, 8]))
def test_bins_equal_a_loop(pool: str, h: int, w: int, bins: int) -> None:
    """Every height and width from 1 to 64, smaller than the bins too, gives the paper's bins."""
    x = np.random.default_rng(h * 64 + w).normal(size=(2, h, w))
    ours = pooled_to_bins(torch.from_numpy(x)[None], bins, pool=pool)[0].numpy()
    np.testing.assert_allclose(ours, _bins(x, bins, pool), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", range(1, 41))
@pytest.mark.parametrize("bins", [1, 2, 3, 4, 6, 8])
def test_every_pixel_counts(size: int, bins: int) -> None:
    """In the 240 axis cases of which circulated code errs in 44, the size is right and each pixel is in a bin."""
    x = torch.ones(1, 1, 1, size, requires_grad=True)
    out = pooled_to_bins(x, bins, pool="average")
    out.sum().backward()  # type: ignore[no-untyped-call]
    assert out.shape == (1, 1, bins, bins)
    assert x.grad is not None
    assert bool((x.grad > 0).all())


@given(h=st.integers(1, 20), w=st.integers(1, 20), bins=st.integers(1, 8))
def test_slices_give_the_same(h: int, w: int, bins: int) -> None:
    """The deterministic form gives the same values and, without ties, the same gradients."""
    x = torch.randperm(2 * h * w).view(1, 2, h, w).double().requires_grad_()
    outs = [pooling._max_by_slices(x, bins), pooled_to_bins(x, bins)]
    upstream = torch.randn_like(outs[0])
    grads = [torch.autograd.grad(out, x, upstream)[0] for out in outs]
    assert torch.equal(outs[0], outs[1])
    torch.testing.assert_close(grads[0], grads[1])


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize(("h", "w"), [(13, 13), (1, 1), (5, 64), (64, 2)])
def test_vectors_of_one_length(h: int, w: int, memory_format: torch.memory_format) -> None:
    """Any size gives c (1 + 4 + 9 + 36) numbers, level by level as (c, row, column), in any memory format."""
    x = torch.randn(2, 3, h, w).contiguous(memory_format=memory_format)
    layer = SpatialPyramidPooling()
    out = layer(x)
    assert out.shape == (2, layer.features(3)) == (2, 150)
    expected = [np.concatenate([_bins(image.numpy(), b, "max").ravel() for b in (1, 2, 3, 6)]) for image in x]
    np.testing.assert_array_equal(out.numpy(), np.stack(expected).astype(np.float32))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_dtypes_and_no_image(dtype: torch.dtype) -> None:
    """Half and double precision stay what they are; an empty batch gives no vectors."""
    for pool in ("max", "average"):
        layer = SpatialPyramidPooling((1, 3), pool=pool)
        assert layer(torch.ones(2, 4, 5, 5, dtype=dtype)).dtype == dtype
        assert layer(torch.ones(0, 4, 5, 5, dtype=dtype)).shape == (0, 40)


def test_nan_is_not_hidden() -> None:
    """A map with NaN gives NaN in each bin that holds it."""
    x = torch.zeros(1, 1, 4, 4)
    x[0, 0, 0, 0] = torch.nan
    assert pooled_to_bins(x, 2)[0, 0].isnan().tolist() == [[True, False], [False, False]]


@given(h=st.integers(1, 12), w=st.integers(1, 12), channels=st.integers(1, 9), align=st.booleans())
def test_context_equals_a_loop(h: int, w: int, channels: int, align: bool) -> None:
    """Beside the map stand its averages, through each branch, enlarged; for channels that N does not divide too."""
    layer = PyramidPooling(channels, align_corners=align).eval()
    x = torch.randn(2, channels, h, w)
    out = layer(x)
    assert out.shape == (2, layer.channels_out, h, w)
    torch.testing.assert_close(out[:, :channels], x)
    at = channels
    for bins, branch in zip((1, 2, 3, 6), layer.branches, strict=True):
        averages = np.stack([_bins(image.double().numpy(), bins, "average") for image in x])
        squeezed = branch(torch.from_numpy(averages).float())
        width = squeezed.shape[1]
        expected = nn.functional.interpolate(squeezed, (h, w), mode="bilinear", align_corners=align)
        torch.testing.assert_close(out[:, at : at + width], expected, rtol=1e-4, atol=1e-4)
        at += width


def test_context_of_one_constant_map() -> None:
    """A constant map has the same context everywhere, at its borders as in its middle."""
    out = PyramidPooling(4).eval()(torch.ones(1, 4, 7, 9))
    assert out.flatten(2).std(2).max() < 1e-6


@pytest.mark.parametrize("norm", ["batch", "group", "layer", "layer_per_pixel"])
def test_one_image_in_training(norm: str) -> None:
    """A single image trains, though one bin leaves one value per channel (smp must leave the norm out there)."""
    layer = PyramidPooling(8, norm=norm).train()
    x = torch.randn(1, 8, 5, 5, requires_grad=True)
    layer(x).square().mean().backward()
    assert x.grad is not None
    assert bool(torch.isfinite(x.grad).all())


@pytest.mark.parametrize("memory_format", FORMATS)
def test_head_is_the_mean_then_linear(memory_format: torch.memory_format) -> None:
    """The head equals a 1x1 convolution to the classes followed by the mean over space; vectors pass as they are."""
    head, x = GlobalAverageHead(6, 3).double(), torch.randn(4, 6, 5, 3).double().contiguous(memory_format=memory_format)
    weight = head.linear.weight[:, :, None, None]
    expected = nn.functional.conv2d(x, weight, head.linear.bias).mean((2, 3))
    torch.testing.assert_close(head(x), expected)
    torch.testing.assert_close(head(x[:, :, :1, :1]), head(x[:, :, 0, 0]))


@given(c=st.integers(1, 6), places=st.integers(1, 16), seed=st.integers(0, 2**31))
def test_pooled_linear_is_exact_on_constant_maps(c: int, places: int, seed: int) -> None:
    """Maps constant over space give what the whole layer gave; others give its answer to their means."""
    torch.manual_seed(seed)
    old = nn.Linear(c * places, 3).double()
    new = pooled_linear(old, c)
    x = torch.randn(2, c, places).double()
    flat = x.mean(2, keepdim=True).expand(-1, -1, places).flatten(1)
    torch.testing.assert_close(new(x.flatten(1)), old(flat))
    assert new.weight.shape == (3, c)
    assert new.bias is old.bias


def test_pooled_linear_takes_other_sizes() -> None:
    """Flattened maps of another size give logits of the same meaning."""
    layer = PooledLinear(4, 2)
    torch.testing.assert_close(layer(torch.ones(1, 4 * 9)), layer(torch.ones(1, 4 * 25)))


def test_gradients() -> None:
    """Average bins, the context and the pooled layer pass gradcheck."""
    x = torch.randn(2, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    for layer in (
        SpatialPyramidPooling((1, 2), pool="average"),
        PyramidPooling(2, (1, 2)).double(),
        PooledLinear(2, 2).double(),
    ):
        assert torch.autograd.gradcheck(layer, (x,))


@pytest.mark.parametrize("layer", [SpatialPyramidPooling(), PyramidPooling(4), GlobalAverageHead(4, 2)])
def test_export(layer: nn.Module) -> None:
    """torch.export sees through each."""
    x = torch.randn(2, 4, 7, 5)
    exported = torch.export.export(layer.eval(), (x,)).module()
    torch.testing.assert_close(exported(x), layer(x))


def test_impossible_wishes_are_refused() -> None:
    """No bins, maps without pixels, unknown poolings and channels that do not divide are errors."""
    x = torch.ones(1, 1, 2, 2)
    wishes: list[Callable[[], object]] = [
        lambda: pooled_to_bins(x, 0), lambda: pooled_to_bins(x[:, :, :0], 1), lambda: SpatialPyramidPooling(()),
        lambda: PyramidPooling(4, (2, 0)), lambda: pooled_to_bins(x, 1, pool="avg"),
        lambda: SpatialPyramidPooling(pool="avg"), lambda: pooled_linear(nn.Linear(10, 2), 3),
    ]  # fmt: skip
    for wish in wishes:
        with pytest.raises(SettingError):
            wish()
