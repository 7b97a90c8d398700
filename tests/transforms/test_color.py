import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.color import ColorJitter, Grayscale, grayed, jitter_matrices, mean_luma, on_grays, recolored
from epochal.transforms.normalize import denormalized, normalized

UNIT = {"mean": [0.0] * 3, "std": [1.0] * 3}
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
WEIGHTS = np.array([0.299, 0.587, 0.114])


def _batch(images: torch.Tensor, *, seed: int = 0, epoch: int = 0, first: int = 0) -> Batch:
    index = torch.arange(first, first + len(images))
    return Batch(images=images, labels=index, index=index, seed=seed, epoch=epoch)


def _by_hand(image: np.ndarray, b: float, c: float, s: float) -> np.ndarray:
    """Brightness, contrast, saturation, one after the other, as torchvision defines them; not clipped in between."""
    out = b * image
    out = c * out + (1 - c) * np.tensordot(WEIGHTS, out, 1).mean()
    clipped: np.ndarray = np.clip(s * out + (1 - s) * np.tensordot(WEIGHTS, out, 1), 0, 1)
    return clipped


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 4), height=st.integers(1, 6), width=st.integers(1, 6),
    seed=st.integers(0, 2**31), last=st.booleans(),
)  # fmt: skip
def test_one_matrix_equals_three_steps(
    n: int,
    height: int,
    width: int,
    seed: int,
    last: bool,
) -> None:
    """The fused matrix on normalised images equals brightness, contrast and saturation one by one on their colours."""
    g = torch.Generator().manual_seed(seed)
    colors = torch.rand(n, 3, height, width, generator=g, dtype=torch.float64)
    images = normalized(colors, mean=MEAN, std=STD)
    images = images.to(memory_format=torch.channels_last) if last else images
    b, c, s = 0.4 + 1.2 * torch.rand(3, n, generator=g, dtype=torch.float64)
    luma = mean_luma(images, mean=MEAN, std=STD)
    matrices = jitter_matrices(luma, brightness=b, contrast=c, saturation=s, yiq_turns=torch.zeros_like(b))
    out = denormalized(recolored(images, matrices, mean=MEAN, std=STD), mean=MEAN, std=STD)
    for i in range(n):
        expected = _by_hand(colors[i].numpy(), float(b[i]), float(c[i]), float(s[i]))
        np.testing.assert_allclose(out[i].numpy(), expected, atol=1e-12)


def test_turning_yiq_keeps_luma_and_goes_round_like_hue() -> None:
    """The YIQ turn keeps luma and greys, comes round after a whole turn, and moves red towards green, as hue does."""
    one, turn = torch.ones(1, dtype=torch.float64), torch.tensor([0.1], dtype=torch.float64)
    matrix = jitter_matrices(one, brightness=one, contrast=one, saturation=one, yiq_turns=turn)[0, :, :3].numpy()
    np.testing.assert_allclose(WEIGHTS @ matrix, WEIGHTS, atol=1e-12)
    np.testing.assert_allclose(matrix @ np.ones(3), np.ones(3), atol=1e-12)
    whole = jitter_matrices(one, brightness=one, contrast=one, saturation=one, yiq_turns=one)[0, :, :3]
    torch.testing.assert_close(whole, torch.eye(3).double())
    for start in ((0.8, 0.4, 0.4), (0.4, 0.8, 0.4), (0.4, 0.4, 0.8)):
        moved = colorsys.rgb_to_hsv(*np.clip(matrix @ start, 0, 1))[0] - colorsys.rgb_to_hsv(*start)[0]
        assert 0.02 < moved % 1 < 0.2
    i, q = (np.array(row) for row in ((0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)))
    plane = np.stack((i, q)) @ matrix @ np.linalg.inv(np.stack((WEIGHTS, i, q)))[:, 1:]
    angle = 2 * np.pi * 0.1
    np.testing.assert_allclose(plane, [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]], atol=1e-12)


def test_colours_are_clipped_to_what_can_be_shown() -> None:
    """Whatever the matrix, colours end in [0, 1], also those of normalised images."""
    images = normalized(torch.rand(5, 3, 8, 8), mean=MEAN, std=STD)
    out = denormalized(recolored(images, 5 * torch.randn(5, 3, 4), mean=MEAN, std=STD), mean=MEAN, std=STD)
    assert -1e-6 <= float(out.min()) < 1e-6
    assert 1 - 1e-6 < float(out.max()) <= 1 + 1e-6


def test_identity_gives_the_image_again() -> None:
    """Neutral factors change nothing but the last bits; the input is never written to; half precision is kept."""
    images = normalized(torch.rand(3, 3, 8, 8), mean=MEAN, std=STD)
    before = images.clone()
    still = ColorJitter(brightness=0, contrast=0, saturation=0, mean=MEAN, std=STD)
    torch.testing.assert_close(still(_batch(images)).images, before, atol=2e-6, rtol=0)
    assert torch.equal(images, before)
    half = still(_batch(images.half())).images
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), before, atol=6e-3, rtol=0)
    assert still(_batch(images[:0])).images.shape == (0, 3, 8, 8)


def test_greys_change_in_brightness_and_contrast_alone() -> None:
    """One channel changes as a grey picture of three equal channels does."""
    grey = torch.rand(6, 1, 5, 5)
    jitter = ColorJitter(mean=(0.5,), std=(0.25,), hue=0.1, yiq_hue=0.2)
    same = ColorJitter(mean=(0.5,) * 3, std=(0.25,) * 3, hue=0.1, yiq_hue=0.2)
    wide = same(_batch(grey.expand(6, 3, 5, 5))).images
    torch.testing.assert_close(jitter(_batch(grey)).images.expand(6, 3, 5, 5), wide, atol=1e-5, rtol=0)
    assert on_grays(torch.ones(2, 3, 4)).shape == (2, 1, 2)


@pytest.mark.parametrize(
    "jitter", [ColorJitter(mean=MEAN, std=STD, hue=0.1), ColorJitter(mean=MEAN, std=STD, yiq_hue=0.1)]
)
def test_each_sample_draws_for_itself(jitter: ColorJitter) -> None:
    """64 equal images become 64 different ones, the same ones in a smaller batch, others in another epoch."""
    images = normalized(torch.rand(1, 3, 8, 8), mean=MEAN, std=STD).repeat(64, 1, 1, 1)
    out = jitter(_batch(images)).images
    assert len({tuple(image.flatten().tolist()) for image in out}) == 64
    torch.testing.assert_close(jitter(_batch(images[:9], first=30)).images, out[30:39])
    assert not torch.equal(jitter(_batch(images, epoch=1)).images, out)


def test_factors_fill_their_range_and_never_turn_negative() -> None:
    """Brightness 0.4 draws from 0.6 to 1.4; a reach above 1 begins at 0."""
    grey = torch.full((4000, 1, 1, 1), 0.5)
    for reach, low, high in ((0.4, 0.6, 1.4), (1.5, 0.0, 2.5)):
        jitter = ColorJitter(brightness=reach, contrast=0, saturation=0, mean=(0.0,), std=(1.0,))
        factor = jitter(_batch(grey * 0.5)).images.flatten() / 0.25
        assert float(factor.min()) == pytest.approx(low, abs=0.005)
        assert float(factor.max()) == pytest.approx(high, abs=0.005)


def test_grey_is_the_luma_in_every_channel() -> None:
    """Chosen images become their luma, the others stay; the transform takes about the asked share."""
    colors = torch.rand(4, 3, 5, 5)
    out = grayed(colors, torch.tensor([True, False, True, False]), **UNIT)
    luma = torch.from_numpy(np.tensordot(WEIGHTS, colors[0].double().numpy(), 1))
    for channel in out[0]:
        torch.testing.assert_close(channel.double(), luma, atol=1e-6, rtol=0)
    assert torch.equal(out[[1, 3]], colors[[1, 3]])
    some = Grayscale(mean=(0.0,) * 3, std=(1.0,) * 3, chance=0.3)(_batch(torch.rand(2000, 3, 1, 1))).images
    share = (some.amax(1) - some.amin(1) < 1e-6).double().mean().item()
    assert abs(share - 0.3) < 5 * (0.21 / 2000) ** 0.5


def test_settings_that_cannot_be_are_refused() -> None:
    """Negative factors, turns beyond half the circle, chances that are none, and statistics of other images."""
    for name, value in (("brightness", -0.1), ("contrast", float("nan")), ("hue", 0.6), ("yiq_hue", -0.1)):
        with pytest.raises(SettingError, match=name):
            ColorJitter(mean=MEAN, std=STD, **{name: value})
    with pytest.raises(SettingError, match="chance"):
        Grayscale(mean=MEAN, std=STD, chance=2)
    with pytest.raises(SettingError, match="3 channels"):
        recolored(torch.rand(1, 3, 2, 2), torch.eye(3, 4)[None], mean=(0.5,), std=(0.5,))
    with pytest.raises(SettingError, match="4 channels"):
        mean_luma(torch.rand(1, 4, 2, 2), mean=[0.0] * 4, std=[1.0] * 4)
