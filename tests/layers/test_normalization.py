"""Normalisation by name and by batch size (L1, S14), against sums in float64 numpy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.normalization import (
    NORMS,
    BatchNorm2d,
    GroupNorm,
    LayerNormPerPixel,
    groups_for,
    norm_for_batch,
    normalization,
)


def _reference(x: np.ndarray, name: str, *, groups: int) -> np.ndarray:
    """Each name's mean and variance, over the axes that the guides give it."""
    n, c, h, w = x.shape
    shape, axes = {
        "batch": ((n, c, h, w), (0, 2, 3)),
        "layer": ((n, c, h, w), (1, 2, 3)),
        "layer_per_pixel": ((n, c, h, w), (1,)),
        "instance": ((n, c, h, w), (2, 3)),
        "group": ((n, groups, c // groups, h, w), (2, 3, 4)),
    }[name]
    parts = x.reshape(shape)
    mean, var = parts.mean(axes, keepdims=True), parts.var(axes, keepdims=True)
    return np.asarray((parts - mean) / np.sqrt(var + 1e-5)).reshape(x.shape)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", NORMS)
@given(n=st.integers(1, 3), groups=st.integers(1, 3), side=st.integers(2, 5), seed=st.integers(0, 2**31))
def test_values_equal_the_definition(
    name: str, memory_format: torch.memory_format, n: int, groups: int, side: int, seed: int
) -> None:
    """Over their own axes, all give mean 0 and variance 1, times the scale, plus the bias of each channel."""
    rng = np.random.default_rng(seed)
    x, c = rng.normal(3, 2, (n, 4 * groups, side, side + 1)), 4 * groups
    layer = normalization(name, c, groups=groups if name == "group" else None).double().train()
    scale, bias = rng.normal(size=(2, c))
    with torch.no_grad():
        layer.get_parameter("weight").copy_(torch.from_numpy(scale))
        layer.get_parameter("bias").copy_(torch.from_numpy(bias))
    ours = layer(torch.from_numpy(x).contiguous(memory_format=memory_format))
    expected = _reference(x, name, groups=groups) * scale[:, None, None] + bias[:, None, None]
    np.testing.assert_allclose(ours.detach().numpy(), expected, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_instance_is_torchs_instance_norm(memory_format: torch.memory_format) -> None:
    """Group normalisation with a group for each channel equals nn.InstanceNorm2d, and keeps the memory format."""
    x = torch.randn(3, 6, 5, 4).contiguous(memory_format=memory_format)
    ours = normalization("instance", 6, affine=False)(x)
    torch.testing.assert_close(ours, nn.InstanceNorm2d(6)(x))
    assert ours.is_contiguous(memory_format=memory_format)


def test_the_two_layer_norms_are_two() -> None:
    """Over (c, h, w) and over the channels of one pixel give different numbers, under different names."""
    x = torch.randn(2, 8, 3, 3)
    whole, pixel = normalization("layer", 8)(x), normalization("layer_per_pixel", 8)(x)
    assert not torch.allclose(whole, pixel, atol=0.1)
    torch.testing.assert_close(whole, nn.functional.layer_norm(x, x.shape[1:]))
    torch.testing.assert_close(pixel[1, :, 2, 0], nn.functional.layer_norm(x[1, :, 2, 0], (8,)))


@pytest.mark.parametrize(
    ("batch", "name"), [(1, "instance"), (2, "group"), (9, "group"), (10, "batch"), (512, "batch")]
)
def test_batch_size_chooses(batch: int, name: str) -> None:
    """One image: instance; up to nine: group; from ten on: batch."""
    assert norm_for_batch(batch) == name


@given(st.integers(1, 2048), st.integers(1, 64))
def test_groups_divide_and_hold_two_channels(channels: int, most: int) -> None:
    """The number of groups divides the channels, leaves two in each, and no larger number up to `most` would."""
    groups = groups_for(channels, most=most)
    fit = [g for g in range(1, most + 1) if channels % g == 0 and (channels // g >= 2 or channels == 1)]
    assert groups == max(fit)


def test_groups_of_one_value_are_refused() -> None:
    """A torch layer gives zeros without a word where each group holds one value; ours says so, in evaluation too."""
    x = torch.randn(4, 8, 1, 1)
    assert not nn.functional.group_norm(x, 8).any()
    for layer in (normalization("instance", 8), GroupNorm(8, 8).eval()):
        with pytest.raises(SettingError, match="one value"):
            layer(x)
    assert bool(normalization("group", 8)(x).any())
    with pytest.raises(SettingError, match="one value"):
        GroupNorm(4, 4)(torch.randn(2, 4))


def test_one_value_uses_running_statistics() -> None:
    """Where training has one value per channel, torch raises; ours is what evaluation gives, and learns nothing."""
    x, layer = torch.randn(1, 4, 1, 1), BatchNorm2d(4)
    with pytest.raises(ValueError, match="more than 1 value"):
        nn.BatchNorm2d(4)(x)
    layer(torch.randn(8, 4, 3, 3) * 2 + 1)
    before = {k: v.clone() for k, v in layer.state_dict().items()}
    trained = layer.train()(x)
    assert all(torch.equal(before[k], v) for k, v in layer.state_dict().items())
    torch.testing.assert_close(trained, layer.eval()(x))


def test_batch_norm_is_torchs_otherwise() -> None:
    """Outputs and running statistics equal torch's: biased variance to divide by, unbiased to keep."""
    x, ours, torchs = torch.randn(6, 4, 3, 3) * 3, BatchNorm2d(4), nn.BatchNorm2d(4)
    torch.testing.assert_close(ours(x), torchs(x), rtol=0, atol=0)
    expected = 0.9 + 0.1 * x.double().transpose(0, 1).flatten(1).var(1, correction=1)
    assert ours.running_var is not None
    torch.testing.assert_close(ours.running_var.double(), expected)
    torch.testing.assert_close(ours.eval()(x), torchs.eval()(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", NORMS)
def test_gradients(name: str) -> None:
    """All pass gradcheck in float64, in both memory formats."""
    layer = normalization(name, 4).double()
    for memory_format in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(2, 4, 3, 2, dtype=torch.float64).contiguous(memory_format=memory_format).requires_grad_()
        assert torch.autograd.gradcheck(layer, (x,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NORMS)
def test_half_precision(name: str, dtype: torch.dtype) -> None:
    """Half precision comes out in half precision, near the value in float32."""
    x, layer = torch.randn(4, 8, 5, 5), normalization(name, 8)
    expected = layer(x)
    out: Tensor = layer.to(dtype)(x.to(dtype))
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", ["group", "instance", "layer", "layer_per_pixel"])
def test_an_empty_batch_passes(name: str) -> None:
    """No sample in, none out."""
    assert normalization(name, 4)(torch.zeros(0, 4, 3, 3)).shape == (0, 4, 3, 3)


def test_sequences_and_volumes() -> None:
    """Group and per-pixel normalisation take one to three axes of space, and vectors."""
    for shape in ((3, 8), (3, 8, 5), (3, 8, 2, 2, 2)):
        for layer in (GroupNorm(2, 8), LayerNormPerPixel(8)):
            assert layer(torch.randn(shape)).shape == shape


@pytest.mark.parametrize("name", NORMS)
def test_export(name: str) -> None:
    """torch.export sees through each, guard included."""
    layer, x = normalization(name, 4).eval(), torch.randn(2, 4, 3, 3)
    exported = torch.export.export(layer, (x,)).module()
    torch.testing.assert_close(exported(x), layer(x))


def test_impossible_wishes_are_refused() -> None:
    """Unknown names, groups that do not divide, groups for others, empty batches and no channels are errors."""
    wishes: list[Callable[[], object]] = [
        lambda: normalization("weight", 8), lambda: normalization("group", 8, groups=3),
        lambda: normalization("batch", 8, groups=4), lambda: norm_for_batch(0), lambda: groups_for(0),
    ]  # fmt: skip
    for wish in wishes:
        with pytest.raises(SettingError):
            wish()
