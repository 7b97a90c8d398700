"""Centring, scaling and whitening of batches against numpy, the way back, and what is saved."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.stats.moments import Moments
from epochal.stats.pca import Covariance, Kind, principal_components, whitening
from epochal.transforms.preprocessing import (
    PREPROCESSINGS,
    WHITENINGS,
    Affine,
    Preparation,
    Whiten,
    centering,
    channel_scaling,
    range_scaling,
    restored,
    standardization,
    state,
    whitening_of,
)

SHAPE = (3, 4, 2)  # height, width, channels: all different, so that a swapped axis shows


def _bytes(seed: int, n: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 200, size=(n, *SHAPE)) + rng.integers(0, 50, size=SHAPE)).astype(np.uint8)


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels.astype(np.float32) / 255).permute(0, 3, 1, 2)


def _whiten(pixels: np.ndarray, *, kind: Kind = "zca", keep: int | None = None, eps: float = 1e-5) -> Whiten:
    covariance = Covariance.of(pixels.reshape(len(pixels), -1))
    return whitening_of(whitening(principal_components(covariance, keep=keep), kind=kind, eps=eps), shape=SHAPE)


@given(st.integers(0, 2**31), st.booleans())
def test_equal_numpy(seed: int, per_pixel: bool) -> None:
    """Per channel or per pixel: mean 0, spread 1, range -1 to 1 on the very images measured (W2.1, W2.2)."""
    pixels = _bytes(seed)
    axes = (0,) if per_pixel else (0, 1, 2)
    moments = Moments.of(pixels.reshape(len(pixels), -1) if per_pixel else pixels)
    shape = SHAPE if per_pixel else ()
    x, images = pixels / 255, _tensor(pixels)
    low, high = x.min(axes, keepdims=True), x.max(axes, keepdims=True)
    wanted = {
        centering: x - x.mean(axes, keepdims=True),
        standardization: (x - x.mean(axes, keepdims=True)) / x.std(axes, keepdims=True),
        range_scaling: 2 * (x - low) / (high - low) - 1,
    }
    for make, values in wanted.items():
        done = make(moments, shape=shape)
        ours = done.apply(images).permute(0, 2, 3, 1).numpy()
        np.testing.assert_allclose(ours, values, atol=2e-5)
        torch.testing.assert_close(done.undo(done.apply(images)), images, atol=1e-5, rtol=1e-5)
    ranged = range_scaling(moments, shape=shape).apply(images)
    assert ranged.min().item() == pytest.approx(-1, abs=1e-5)
    assert ranged.max().item() == pytest.approx(1, abs=1e-5)


def test_constant_features_and_new_extremes_survive() -> None:
    """What never varied becomes 0; test data beyond the range seen come out beyond -1 and 1, finite."""
    pixels = _bytes(0)
    pixels[..., 1] = 77
    images = _tensor(pixels)
    for make in (centering, standardization, range_scaling):
        assert make(Moments.of(pixels)).apply(images)[:, 1].abs().max().item() < 1e-6
    beyond = range_scaling(Moments.of(pixels)).apply(images * 2 + 1)
    assert beyond.isfinite().all()
    assert beyond.max() > 1


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_whitening_equals_numpy(kind: Kind) -> None:
    """Rows are images flattened with channels last, so that a batch and the data room mean the same (W2.3)."""
    pixels = _bytes(1, n=300)
    rows = pixels.reshape(300, -1) / 255
    found = whitening(principal_components(Covariance.of(rows)), kind=kind)
    ours = _whiten(pixels, kind=kind)
    out = ours.apply(_tensor(pixels))
    assert out.shape == (300, 2, 3, 4)
    np.testing.assert_allclose(out.permute(0, 2, 3, 1).reshape(300, -1), found.apply(rows), atol=2e-3)
    np.testing.assert_allclose(np.cov(out.permute(0, 2, 3, 1).reshape(300, -1).T, bias=True), np.eye(24), atol=2e-2)
    torch.testing.assert_close(ours.undo(out), _tensor(pixels), atol=1e-4, rtol=1e-4)


def test_fewer_directions_come_out_as_one_pixel() -> None:
    """Five coordinates are five channels of a single place; undoing draws what they can say."""
    pixels = _bytes(2, n=100)
    few = _whiten(pixels, kind="pca", keep=5)
    out = few.apply(_tensor(pixels))
    assert out.shape == (100, 5, 1, 1)
    rows = pixels.reshape(100, -1) / 255
    kept = principal_components(Covariance.of(rows), keep=5)
    drawn = few.undo(out).permute(0, 2, 3, 1).reshape(100, -1)
    np.testing.assert_allclose(drawn, kept.restore(kept.project(rows)), atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dtype_and_layout_are_kept(dtype: torch.dtype, layout: torch.memory_format) -> None:
    """Half precision goes in and comes out, whitened in float32; layout changes no value."""
    pixels = _bytes(3, n=60)
    images = _tensor(pixels).to(dtype).contiguous(memory_format=layout)
    for done in (standardization(Moments.of(pixels)), _whiten(pixels, eps=0.05)):
        out = done.apply(images)
        assert out.dtype == dtype
        wanted = done.apply(images.float().contiguous())
        torch.testing.assert_close(out.float(), wanted, atol=0.03 if dtype.itemsize == 2 else 1e-5, rtol=0.03)


def _preparations() -> list[Preparation]:
    pixels = _bytes(4, n=50)
    flat = Moments.of(pixels.reshape(50, -1))
    return [centering(Moments.of(pixels)), range_scaling(flat, shape=SHAPE), _whiten(pixels)]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_saved_statistics_prepare_alike(number: int, tmp_path: Path) -> None:
    """Through a file of plain tensors beside the weights, the prepared images are the same to the last bit."""
    before, images = _preparations()[number], _tensor(_bytes(5))
    save_file(state(before), tmp_path / "preparation.safetensors")
    after = restored(load_file(tmp_path / "preparation.safetensors"))
    assert type(after) is type(before)
    assert torch.equal(after.apply(images), before.apply(images))
    assert torch.equal(after.undo(images), before.undo(images))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_batch_keeps_all_but_its_images(number: int) -> None:
    """As a transform, a preparation changes the images alone; an empty batch stays empty."""
    done, images = _preparations()[number], _tensor(_bytes(6, n=3))
    batch = Batch(images=images, labels=torch.arange(3), index=torch.arange(3), seed=1, epoch=2)
    out = done(batch)
    assert torch.equal(out.images, done.apply(images))
    assert (out.labels is batch.labels, out.seed, out.epoch) == (True, 1, 2)
    assert done.apply(images[:0]).shape == (0, 2, 3, 4)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_other_images_are_refused(number: int) -> None:
    """Statistics of other channels or sizes are an error that names both."""
    done = _preparations()[number]
    with pytest.raises(SettingError, match="statistics"):
        done.apply(torch.zeros(1, 3, 3, 4))
    if number:
        with pytest.raises(SettingError, match="statistics"):
            done.apply(torch.zeros(1, 2, 4, 3))


def test_impossible_statistics_are_refused() -> None:
    """Moments of nothing, of other shapes, and foreign tensors are told in three parts."""
    pixels = _bytes(0)
    with pytest.raises(SettingError, match="0 rows"):
        centering(Moments.empty(3))
    with pytest.raises(SettingError, match="Statistics of"):
        standardization(Moments.of(pixels), shape=SHAPE)
    found = whitening(principal_components(Covariance.of(pixels.reshape(40, -1))))
    with pytest.raises(SettingError, match="24 numbers"):
        whitening_of(found, shape=(2, 2, 2))
    for foreign in ({}, {"affine.shift": torch.zeros(1)}, state(_preparations()[0]) | state(_preparations()[2])):
        with pytest.raises(SettingError, match="preparation"):
            restored(foreign)


def test_gradients_pass_through() -> None:
    """A preparation inside a model is differentiable, as a check of inputs needs it (K2.12)."""
    done = Affine(shift=torch.zeros(2, 1, 1), scale=torch.full((2, 1, 1), 0.5))
    images = torch.rand(1, 2, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(done.apply, (images,))


@pytest.mark.parametrize("name", PREPROCESSINGS)
def test_scalings_by_name_are_numpys(name: str) -> None:
    """Mean and spread of each channel, or middle and half of its range, as numpy finds them in the training images."""
    pixels = _bytes(3) / 255
    mean, std = channel_scaling(name, Moments.of(pixels))
    values = pixels.reshape(-1, SHAPE[2])
    low, high = values.min(0), values.max(0)
    wanted = {
        "center": (values.mean(0), np.ones(2)), "minus-one-to-one": ((low + high) / 2, (high - low) / 2),
    }.get(name, (values.mean(0), values.std(0)))  # fmt: skip
    np.testing.assert_allclose(mean, wanted[0])
    np.testing.assert_allclose(std, wanted[1])
    if name == "minus-one-to-one":
        scaled = (values - mean) / std
        np.testing.assert_allclose((scaled.min(0), scaled.max(0)), ((-1, -1), (1, 1)))


def test_the_default_scaling_is_what_it_always_was() -> None:
    """Standardising gives the bits of mean and deviation, the latter at least a thousandth; whitenings start there."""
    moments = Moments.of(np.concatenate([_bytes(1) / 255, np.full((40, 3, 4, 1), 0.5)], axis=3))
    usual = tuple(moments.mean.tolist()), tuple(np.maximum(moments.std, 1e-3).tolist())
    assert channel_scaling("standardize", moments) == usual
    assert usual[1][2] == 1e-3
    assert all(channel_scaling(name, moments) == usual for name in WHITENINGS)


def test_what_never_varies_is_only_shifted() -> None:
    """A channel of one value becomes 0 in every scaling, not a division by nothing."""
    moments = Moments.of(np.full((4, 4, 1), 0.25))
    for name in PREPROCESSINGS:
        (mean,), (std,) = channel_scaling(name, moments)
        assert (mean, std > 0) == (0.25, True)


def test_unknown_scalings_and_nothing_are_refused() -> None:
    """A slip in the name is met with the nearest; statistics of no image with what is missing."""
    with pytest.raises(SettingError, match="did you mean standardize"):
        channel_scaling("standardise", Moments.of(np.zeros((1, 1))))
    with pytest.raises(SettingError, match="no image"):
        channel_scaling("center", Moments.empty(3))
