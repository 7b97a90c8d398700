import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.corruption import Blur, Cutout, Erasing, Noise, blurred, covers, erased


def _batch(images: torch.Tensor, *, seed: int = 0, epoch: int = 0, first: int = 0) -> Batch:
    index = torch.arange(first, first + len(images))
    return Batch(images=images, labels=index, index=index, seed=seed, epoch=epoch)


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(1, 3), c=st.integers(1, 3), height=st.integers(5, 12), width=st.integers(5, 12),
    radius=st.integers(0, 4), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_blur_is_scipys(n: int, c: int, height: int, width: int, radius: int, seed: int) -> None:
    """Each image equals scipy's Gaussian filter of its own sigma, cut at the same radius, its edges reflected."""
    g = torch.Generator().manual_seed(seed)
    images = torch.rand(n, c, height, width, generator=g, dtype=torch.float64)
    sigma = 0.3 + 2 * torch.rand(n, generator=g, dtype=torch.float64)
    out = blurred(images, sigma, radius=radius)
    for i in range(n):
        expected = [
            ndimage.gaussian_filter(x, sigma[i].item(), mode="mirror", radius=radius) for x in images[i].numpy()
        ]
        np.testing.assert_allclose(out[i].numpy(), expected, atol=1e-12)


def test_blur_without_width_changes_nothing() -> None:
    """Sigma 0 leaves the image, half precision its type, and nothing gives nothing; gradients are right."""
    images = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(blurred(images, torch.zeros(2), radius=3), images)
    assert blurred(images.half(), torch.ones(2), radius=2).dtype == torch.float16
    assert blurred(images[:0], torch.ones(0), radius=2).shape == (0, 3, 8, 8)
    small = torch.rand(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: blurred(x, torch.tensor([0.8]), radius=2), small)


def test_blur_beyond_the_image_is_refused() -> None:
    """A radius as large as the image has nothing to reflect."""
    with pytest.raises(SettingError, match="reaches 8"):
        blurred(torch.rand(1, 1, 8, 9), torch.ones(1), radius=8)


@settings(max_examples=30, deadline=None)
@given(
    regions=st.lists(st.tuples(*[st.integers(-4, 9)] * 4), min_size=1, max_size=4),
    height=st.integers(1, 6), width=st.integers(1, 6), filled=st.booleans(),
)  # fmt: skip
def test_erasing_touches_its_rectangle_alone(
    regions: list[tuple[int, int, int, int]], height: int, width: int, filled: bool
) -> None:
    """Pixels inside the region, where it lies on the image, are replaced; all others are the very same."""
    images = torch.rand(len(regions), 2, height, width) + 1
    filling = -torch.rand(images.shape) if filled else None
    out = erased(images, torch.tensor(regions), filling=filling)
    for i, (left, top, right, bottom) in enumerate(regions):
        expected = images[i].clone()
        for y in range(height):
            for x in range(width):
                if left <= x < right and top <= y < bottom:
                    expected[:, y, x] = filling[i, :, y, x] if filling is not None else 0
        assert torch.equal(out[i], expected)


def test_erased_regions_have_the_asked_area_and_lie_inside() -> None:
    """Over 4,000 samples the share erased is within the range, but for rounding, and about `chance` are erased."""
    batch = _batch(torch.ones(4000, 1, 64, 64))
    erasing = Erasing(chance=0.4, area=(0.1, 0.2), aspect=(0.5, 2.0))
    left, top, right, bottom = erasing.regions(batch).unbind(1)
    assert int(torch.stack((left, top)).min()) >= 0
    assert int(torch.stack((right, bottom)).max()) <= 64
    share = 1 - erasing(batch).images.mean((1, 2, 3))
    some = share[share > 0]
    assert abs(len(some) / 4000 - 0.4) < 5 * (0.24 / 4000) ** 0.5
    assert 0.09 < float(some.min()) < 0.11
    assert 0.19 < float(some.max()) < 0.21
    torch.testing.assert_close(share, (right - left) * (bottom - top) / 64**2, atol=1e-6, rtol=0)


def test_erasing_fills_with_noise_of_the_images_spread() -> None:
    """Noise has mean 0 and deviation 1 in normalised images, and is the sample's own."""
    batch = _batch(torch.full((8, 3, 32, 32), 9.0))
    out = Erasing(chance=1.0, area=(1.0, 1.0), aspect=(1.0, 1.0), fill="noise")(batch).images
    assert abs(float(out.mean())) < 0.05
    assert abs(float(out.std()) - 1) < 0.05
    assert len({float(image.mean()) for image in out}) == 8


def test_cutout_is_cut_at_the_edge() -> None:
    """The square's middle is any pixel: a quarter at least is erased, the whole of it inside, corners included."""
    out = Cutout(side=8)(_batch(torch.ones(5000, 1, 16, 16))).images
    gone = (out == 0).sum((1, 2, 3))
    assert int(gone.max()) == 64
    assert 16 <= int(gone.min()) <= 25
    assert bool((out.amin(0) == 0).all())
    assert int(covers(torch.tensor([[-4, -4, 4, 4]]), size=(16, 16)).sum()) == 16


def test_noise_has_the_asked_spread_in_colours() -> None:
    """With std 0.5, noise of sigma 0.1 in [0, 1] spreads by 0.2; channels differ; about `chance` are changed."""
    batch = _batch(torch.zeros(1000, 2, 8, 8))
    out = Noise(std=(0.5, 0.25), sigma=(0.1, 0.1), chance=0.5)(batch).images
    noisy = out[out.abs().amax((1, 2, 3)) > 0]
    assert abs(len(noisy) / 1000 - 0.5) < 0.08
    torch.testing.assert_close(noisy.std((0, 2, 3)), torch.tensor([0.2, 0.4]), rtol=0.02, atol=0)


@pytest.mark.parametrize(
    "transform",
    [Blur(chance=1.0), Noise(std=(1.0,) * 3, chance=1.0), Erasing(chance=1.0, fill="noise"), Cutout(side=7)],
)
def test_each_sample_draws_for_itself(transform: Blur | Noise | Erasing | Cutout) -> None:
    """Equal images become different ones, the same ones in a smaller batch, others in another epoch; inputs stay."""
    images = torch.rand(1, 3, 16, 16).repeat(32, 1, 1, 1).to(memory_format=torch.channels_last)
    before = images.clone()
    out = transform(_batch(images)).images
    assert len({tuple(image.flatten().tolist()) for image in out}) > 25
    torch.testing.assert_close(transform(_batch(images[:9], first=20)).images, out[20:29])
    assert not torch.equal(transform(_batch(images, epoch=1)).images, out)
    assert torch.equal(images, before)
    assert transform(_batch(images[:0])).images.shape == (0, 3, 16, 16)


@pytest.mark.parametrize("transform", [Erasing(chance=0.7), Erasing(chance=1.0, fill="noise"), Cutout(side=7)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_nobody_is_asked_what_was_erased(transform: Erasing | Cutout, dtype: torch.dtype) -> None:
    """Masks are 255 exactly where the image is gone, and keep their labels and their type elsewhere."""
    masks = torch.randint(0, 5, (40, 16, 20)).to(dtype)
    images = 9 + masks[:, None].float()
    batch = _batch(images).replace(labels=masks)
    out = transform(batch)
    gone = (out.images != images)[:, 0]
    assert 0 < int(gone.sum()) < gone.numel()
    assert out.labels.dtype == dtype
    assert torch.equal(out.labels, masks.masked_fill(gone, 255))


@pytest.mark.parametrize("transform", [Blur(chance=1.0), Noise(std=(1.0,), chance=1.0)])
def test_masks_of_spoilt_images_stay(transform: Blur | Noise) -> None:
    """Blur and noise hide nothing: every pixel keeps its label."""
    masks = torch.randint(0, 5, (4, 16, 20))
    batch = _batch(torch.rand(4, 1, 16, 20)).replace(labels=masks)
    assert torch.equal(transform(batch).labels, masks)


def test_settings_that_cannot_be_are_refused() -> None:
    """Chances that are none, empty ranges, and noise for other channels."""
    with pytest.raises(SettingError):
        Blur(chance=1.5)
    with pytest.raises(SettingError):
        Blur(sigma=(2.0, 1.0))
    with pytest.raises(SettingError):
        Erasing(area=(0.5, 1.5))
    with pytest.raises(SettingError):
        Erasing(aspect=(0.0, 1.0))
    with pytest.raises(SettingError):
        Cutout(side=0)
    with pytest.raises(SettingError, match="1 channels"):
        Noise(std=(1.0,) * 3)(_batch(torch.rand(1, 1, 2, 2)))
