import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.layers.whitening import patch_moments, set_whitening_, whitening_filters


def _smooth(n: int, channels: int, side: int, *, seed: int = 0) -> torch.Tensor:
    """Images whose neighbouring pixels resemble one another, as those of photographs do."""
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, channels, side + 2, side + 2, generator=g)
    return nn.functional.avg_pool2d(noise, 3, stride=1)


def test_moments_equal_a_loop_over_patches() -> None:
    """The matrix is the mean outer product of all patches, cut out one by one."""
    images = _smooth(3, 2, 5)
    patches = [
        image[:, y : y + 2, x : x + 2].flatten().double().numpy()
        for image in images
        for y in range(4)
        for x in range(4)
    ]
    expected = np.mean([np.outer(p, p) for p in patches], 0)
    np.testing.assert_allclose(patch_moments(images, size=2).numpy(), expected, rtol=1e-10)


def test_thinning_patches_changes_little() -> None:
    """A tenth of the patches gives nearly the same matrix."""
    images = _smooth(50, 1, 16)
    everything, some = patch_moments(images, size=2), patch_moments(images, size=2, most=50 * 225 // 10)
    np.testing.assert_allclose(some.numpy(), everything.numpy(), atol=0.1 * float(everything.max()))


@given(d=st.integers(2, 12), seed=st.integers(0, 2**31), scale=st.sampled_from([1e-3, 1.0, 1e3]))
def test_whitened_data_have_unit_covariance(d: int, seed: int, scale: float) -> None:
    """Data of any covariance and any unit come out uncorrelated and of unit variance."""
    rng = np.random.default_rng(seed)
    data = rng.normal(size=(5 * d, d)) @ rng.normal(size=(d, d)) * scale
    moments = torch.from_numpy(data.T @ data / len(data))
    filters = whitening_filters(moments, keep=d, eps=0.0).double().numpy()
    white = filters @ moments.numpy() @ filters.T
    condition = np.linalg.cond(moments.numpy())
    np.testing.assert_allclose(white, np.eye(d), atol=1e-5 + 1e-9 * condition)


def test_regulariser_does_not_depend_on_the_unit() -> None:
    """Images a thousand times as bright get filters a thousandth as large, and no others."""
    moments = patch_moments(_smooth(20, 3, 8), size=2)
    torch.testing.assert_close(
        whitening_filters(moments * 1e6, keep=12) * 1e3, whitening_filters(moments, keep=12), rtol=1e-5, atol=1e-6
    )


def test_empty_directions_are_not_blown_up() -> None:
    """Three equal channels have rank 4 of 12: all filters stay finite and bounded by the regulariser."""
    images = _smooth(20, 1, 8).repeat(1, 3, 1, 1)
    moments = patch_moments(images, size=2)
    filters = whitening_filters(moments, keep=12, eps=1e-2)
    limit = (1e-2 * moments.diagonal().mean().item()) ** -0.5
    assert bool(torch.isfinite(filters).all())
    assert filters.norm(dim=1).max().item() <= limit * 1.001


def test_black_images_are_harmless() -> None:
    """Images without any variance give finite filters."""
    assert bool(torch.isfinite(whitening_filters(torch.zeros(4, 4), keep=4)).all())


def test_layer_whitens_what_it_was_measured_on() -> None:
    """The first half of the outputs are uncorrelated and of unit variance; the second half are their negatives."""
    images = _smooth(200, 3, 12)
    layer = nn.Conv2d(3, 24, 2)
    set_whitening_(layer, images, eps=1e-9)
    out = layer(images).detach()
    half = out[:, :12].permute(1, 0, 2, 3).flatten(1).double().numpy()
    np.testing.assert_allclose(half @ half.T / half.shape[1], np.eye(12), atol=1e-3)
    torch.testing.assert_close(out[:, :12], -out[:, 12:])


def test_same_images_same_filters() -> None:
    """Eigenvectors leave their sign open; the filters do not."""
    images = _smooth(20, 3, 8)
    one, other = nn.Conv2d(3, 24, 2), nn.Conv2d(3, 24, 2)
    set_whitening_(one, images)
    set_whitening_(other, images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(one.weight, other.weight, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(3, 5, 2), nn.Conv2d(3, 6, (1, 2)), nn.Conv2d(3, 26, 2), nn.Conv2d(3, 6, 9)]
)
def test_layers_that_cannot_hold_them_are_refused(layer: nn.Conv2d) -> None:
    """Odd widths, oblong kernels, more filters than a patch has numbers, patches larger than images are errors."""
    with pytest.raises(SettingError):
        set_whitening_(layer, _smooth(2, 3, 8))
