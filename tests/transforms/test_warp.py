import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.geometry import flipped
from epochal.transforms.matrices import centred, rotation, scaling, translation
from epochal.transforms.warp import Affine, Beyond, ResizedCrop, warped

ALL = Affine(degrees=30, zoom=(0.7, 1.5), shear=15, shift=0.2, flip=0.5)


def _batch(images: torch.Tensor, *, seed: int = 0, epoch: int = 0, first: int = 0) -> Batch:
    n = len(images)
    index = torch.arange(first, first + n)
    return Batch(images=images, labels=torch.zeros(n, dtype=torch.int64), index=index, seed=seed, epoch=epoch)


def _reflect(i: int, size: int) -> int:
    i %= 2 * size  # the edge pixel is its own neighbour in the mirror
    return i if i < size else 2 * size - 1 - i


def _loop(image: np.ndarray, matrix: np.ndarray, *, size: tuple[int, int], beyond: Beyond) -> np.ndarray:
    """Bilinear resampling pixel by pixel, in float64, from the definition."""
    h, w = image.shape[1:]
    back, out = np.linalg.inv(matrix), np.zeros((image.shape[0], *size))
    for y in range(size[0]):
        for x in range(size[1]):
            u, v, _ = back @ [x + 0.5, y + 0.5, 1] - 0.5
            if beyond == "border":
                u, v = min(max(u, 0), w - 1), min(max(v, 0), h - 1)
            i, j = math.floor(u), math.floor(v)
            for column, row, weight in (
                (i, j, (i + 1 - u) * (j + 1 - v)), (i + 1, j, (u - i) * (j + 1 - v)),
                (i, j + 1, (i + 1 - u) * (v - j)), (i + 1, j + 1, (u - i) * (v - j)),
            ):  # fmt: skip
                if beyond == "reflection":
                    out[:, y, x] += weight * image[:, _reflect(row, h), _reflect(column, w)]
                elif 0 <= column < w and 0 <= row < h:
                    out[:, y, x] += weight * image[:, row, column]
    return out


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)),
    size=st.none() | st.tuples(st.integers(1, 6), st.integers(1, 6)),
    beyond=st.sampled_from(["zeros", "border", "reflection"]), last=st.booleans(), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_warp_is_bilinear_resampling(
    shape: tuple[int, int, int, int],
    size: tuple[int, int] | None,
    beyond: Beyond,
    last: bool,
    seed: int,
) -> None:
    """Every pixel equals the loop over its four neighbours, for any shape, layout, size and edge."""
    images = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if last:
        images = images.to(memory_format=torch.channels_last)
    motions = ALL.matrices(_batch(images, seed=seed))
    out = warped(images, motions, size=size, beyond=beyond)
    for i in range(len(images)):
        expected = _loop(images[i].numpy(), motions[i].numpy(), size=size or shape[2:], beyond=beyond)
        np.testing.assert_allclose(out[i].numpy(), expected, atol=1e-9)


def test_quarter_turns_are_numpys() -> None:
    """Turning by 90 degrees is numpy's counter-clockwise rot90, pixel by pixel."""
    image = torch.rand(1, 2, 6, 6)
    quarter = centred(rotation(torch.tensor([90.0])), source=(6, 6), target=(6, 6))
    np.testing.assert_allclose(warped(image, quarter)[0].numpy(), np.rot90(image[0].numpy(), axes=(1, 2)), atol=1e-5)


def test_one_warp_equals_flip_then_crop_then_no_more() -> None:
    """A mirrored, wholly shifted image holds the pixels that flipping and cutting give."""
    images = torch.rand(2, 3, 9, 9)
    mirror = centred(scaling(-torch.ones(2), torch.ones(2)), source=(9, 9), target=(9, 9))
    out = warped(images, translation(torch.tensor([-2.0, -2]), torch.tensor([-1.0, -1])) @ mirror, size=(5, 6))
    torch.testing.assert_close(out, flipped(images, torch.ones(2).bool())[:, :, 1:6, 2:8], atol=1e-5, rtol=0)


def test_gradients_flow_to_the_images() -> None:
    """The gradient of the warp is that of finite differences."""
    images = torch.rand(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    motions = ALL.matrices(_batch(images.detach()))
    assert torch.autograd.gradcheck(lambda x: warped(x, motions, size=(3, 4)), images)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    """Half-precision images are resampled in float32: the result is the rounded one."""
    images = torch.rand(3, 3, 16, 16).to(dtype)
    motions = ALL.matrices(_batch(images))
    assert torch.equal(warped(images, motions), warped(images.float(), motions).to(dtype))


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 0, 8, 8), (2, 3, 0, 8)])
def test_nothing_in_nothing_out(shape: tuple[int, int, int, int]) -> None:
    """Batches without samples, channels or pixels come back with the shape that was asked for."""
    assert ALL(_batch(torch.zeros(shape))).images.shape == shape
    assert ResizedCrop(size=(4, 4))(_batch(torch.zeros(0, 3, 8, 8))).images.shape == (0, 3, 4, 4)


@pytest.mark.parametrize("transform", [ALL, ResizedCrop(size=(12, 12), flip=0.5)])
def test_each_sample_draws_for_itself(transform: Affine | ResizedCrop) -> None:
    """64 equal images become 64 different ones, the same ones in a smaller batch, others in another epoch."""
    images = torch.randn(1, 3, 16, 16).repeat(64, 1, 1, 1)
    out = transform(_batch(images)).images
    assert len({tuple(image.flatten().tolist()) for image in out}) == 64
    torch.testing.assert_close(transform(_batch(images[:10], first=20)).images, out[20:30])
    assert not torch.equal(transform(_batch(images, epoch=1)).images, out)
    assert not torch.equal(transform(_batch(images, seed=1)).images, out)


def test_draws_fill_their_ranges() -> None:
    """Over 20,000 samples, angle, zoom, shift and flips reach their limits, stay inside, and have the asked share."""
    index = torch.arange(20_000)
    batch = Batch(images=torch.zeros(20_000, 1, 1, 1), labels=index, index=index, seed=0)
    turned = Affine(degrees=20).matrices(batch)
    angle = torch.rad2deg(torch.atan2(turned[:, 0, 1], turned[:, 0, 0]))
    zoom = Affine(zoom=(0.5, 2.0)).matrices(batch)[:, 1, 1].log2()
    shift = Affine(shift=0.25).matrices(batch)[:, 0, 2]
    for value, limit in ((angle, 20.0), (zoom, 1.0), (shift, 0.25)):
        assert 0.999 * limit < float(value.abs().max()) <= limit * (1 + 1e-9)
        assert abs(float(value.mean())) < 5 * limit / (3 * 20_000) ** 0.5
    mirrored = (torch.linalg.det(Affine(flip=0.3).matrices(batch)) < 0).double().mean().item()
    assert abs(mirrored - 0.3) < 5 * (0.21 / 20_000) ** 0.5


@pytest.mark.parametrize("size", [(40, 60), (30, 300)])
def test_crops_have_the_asked_area_and_shape_and_lie_inside(size: tuple[int, int]) -> None:
    """Area and aspect stay in range (the fallback for very long images in the aspect alone), corners inside."""
    height, width = size
    batch = _batch(torch.zeros(5000, 1, height, width))
    back = torch.linalg.inv(ResizedCrop(size=(10, 10), area=(0.2, 0.9), flip=0.5).matrices(batch))
    corners = back @ torch.tensor([[0.0, 0, 1], [10.0, 10, 1]], dtype=torch.float64).T
    low, high = corners[:, :2].amin(2), corners[:, :2].amax(2)
    assert float(low.min()) >= -1e-9
    assert bool((high <= torch.tensor([width, height]) + 1e-9).all())
    wide, high_ = (high - low).unbind(1)
    assert 0.75 - 1e-9 <= float((wide / high_).min()) <= float((wide / high_).max()) <= 4 / 3 + 1e-9
    share = wide * high_ / (height * width)
    assert float(share.max()) <= 0.9 + 1e-9
    if size == (40, 60):
        assert float(share.min()) >= 0.2 - 1e-9
        assert float(share.std()) > 0.1


@pytest.mark.parametrize(
    "settings_",
    [{"degrees": -1}, {"zoom": (0, 1)}, {"zoom": (2, 1)}, {"shear": 90}, {"shift": 2}, {"flip": 1.5}, {"size": (0, 4)}],
)  # fmt: skip
def test_motions_that_leave_nothing_are_refused(settings_: dict[str, float]) -> None:
    """Settings no image survives are errors at once."""
    with pytest.raises(SettingError):
        Affine(**settings_)  # type: ignore[arg-type]


@pytest.mark.parametrize("settings_", [{"area": (0, 1)}, {"area": (0.5, 1.5)}, {"aspect": (2, 1)}, {"flip": -1}])
def test_crops_of_nothing_are_refused(settings_: dict[str, float]) -> None:
    """Areas outside (0, 1], empty ranges and chances that are none are errors at once."""
    with pytest.raises(SettingError):
        ResizedCrop(size=(8, 8), **settings_)  # type: ignore[arg-type]
