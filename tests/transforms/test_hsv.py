import colorsys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.hsv import HsvPower, hsv_jittered, hue_turned
from epochal.transforms.normalize import denormalized, normalized

UNIT = {"mean": [0.0] * 3, "std": [1.0] * 3}
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
CORNERS = torch.tensor([[r, g, b] for r in (0, 0.5, 1) for g in (0, 0.5, 1) for b in (0, 0.5, 1)])


def _batch(images: torch.Tensor, *, seed: int = 0, epoch: int = 0, first: int = 0) -> Batch:
    index = torch.arange(first, first + len(images))
    return Batch(images=images, labels=index, index=index, seed=seed, epoch=epoch)


def _reference(rgb: list[float], turns: float, changes: np.ndarray) -> tuple[float, float, float]:
    """Dosovitskiy's jitter of one pixel by Python's own colorsys: power, factor, shift of saturation and value."""
    h, s, v = colorsys.rgb_to_hsv(*rgb)
    s, v = (min(max(f * x**p + add, 0), 1) for x, (p, f, add) in zip((s, v), changes.T, strict=True))
    return colorsys.hsv_to_rgb((h + turns) % 1, s, v)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), turns=st.floats(-3, 3), last=st.booleans(), jitter=st.booleans())
def test_each_pixel_is_colorsyss(
    seed: int,
    turns: float,
    last: bool,
    jitter: bool,
) -> None:
    """Hue alone, and hue with power, factor and shift, equal colorsys at every pixel: corners, greys, black, white."""
    g = torch.Generator().manual_seed(seed)
    pixels = torch.cat((CORNERS, torch.rand(21, 3, generator=g))).double()
    images = pixels.T.reshape(1, 3, 6, 8)
    images = images.to(memory_format=torch.channels_last) if last else images
    low, high = torch.tensor([0.25, 0.7, -0.1])[:, None], torch.tensor([4, 1.4, 0.1])[:, None]
    changes = (
        (low + (high - low) * torch.rand(3, 2, generator=g)).double()
        if jitter
        else torch.tensor([[1.0] * 2, [1.0] * 2, [0.0] * 2])
    )
    angle = torch.tensor([turns], dtype=torch.float64)
    if jitter:
        out = hsv_jittered(images, angle, changes=changes[:, None], **UNIT)
    else:
        out = hue_turned(images, angle, **UNIT)
    expected = [_reference(p, turns, changes.numpy()) for p in pixels.tolist()]
    np.testing.assert_allclose(out.reshape(3, -1).T.numpy(), expected, atol=1e-7)


def test_float32_keeps_its_digits() -> None:
    """In float32 a million random pixels stay within 2e-6 of the same in float64."""
    images, turns = torch.rand(16, 3, 250, 250), torch.rand(16) - 0.5
    exact = hue_turned(images.double(), turns.double(), **UNIT)
    assert float((hue_turned(images, turns, **UNIT) - exact).abs().max()) < 2e-6


def test_normalised_images_are_changed_as_colours() -> None:
    """Undoing the normalisation, turning and redoing it is the same as turning with mean and std."""
    colors, turns = torch.rand(3, 3, 7, 5), torch.tensor([0.1, -0.3, 0.5])
    out = hue_turned(normalized(colors, mean=MEAN, std=STD), turns, mean=MEAN, std=STD)
    torch.testing.assert_close(
        denormalized(out, mean=MEAN, std=STD), hue_turned(colors, turns, **UNIT), atol=2e-6, rtol=0
    )


def test_neutral_settings_change_nothing() -> None:
    """Power 1, factor 1, no shift and no turn give the image again; the input is never written to."""
    images = torch.rand(2, 3, 9, 9)
    before = images.clone()
    neutral = HsvPower(mean=(0.0,) * 3, std=(1.0,) * 3, power=(1, 1), factor=(1, 1), shift=0, hue=0)
    torch.testing.assert_close(neutral(_batch(images)).images, before, atol=1e-6, rtol=0)
    assert torch.equal(images, before)


def test_half_precision_and_no_images() -> None:
    """Half-precision images keep their type, and nothing gives nothing."""
    images = torch.rand(2, 3, 4, 4)
    out = hue_turned(images.half(), torch.tensor([0.2, 0.4]), **UNIT)
    assert out.dtype == torch.float16
    torch.testing.assert_close(out.float(), hue_turned(images, torch.tensor([0.2, 0.4]), **UNIT), atol=5e-3, rtol=0)
    assert hue_turned(torch.zeros(0, 3, 4, 4), torch.zeros(0), **UNIT).shape == (0, 3, 4, 4)


def test_draws_are_the_guides() -> None:
    """10,000 samples fill [0.25, 4], [0.7, 1.4], +-0.1 and +-0.1; saturation and value draw separately."""
    batch = Batch(
        images=torch.zeros(10_000, 3, 1, 1), labels=torch.zeros(10_000).long(), index=torch.arange(10_000), seed=0
    )
    turns, changes = HsvPower(mean=MEAN, std=STD).draws(batch)
    for values, low, high in (
        (changes[0], 0.25, 4),
        (changes[1], 0.7, 1.4),
        (changes[2], -0.1, 0.1),
        (turns, -0.1, 0.1),
    ):
        assert low <= float(values.min()) < low + 0.01 * (high - low)
        assert high - 0.01 * (high - low) < float(values.max()) <= high
    for each in changes:
        assert abs(np.corrcoef(each[:, 0], each[:, 1])[0, 1]) < 0.05
    assert abs((changes[0] > 1).double().mean().item() - 0.5) < 0.03
    evenly = HsvPower(mean=MEAN, std=STD, exponents="uniform").draws(batch)[1][0]
    assert abs((evenly > 1).double().mean().item() - 0.8) < 0.03


def test_each_sample_draws_for_itself() -> None:
    """64 equal images become 64 different ones, the same ones in a smaller batch."""
    images = torch.rand(1, 3, 8, 8).repeat(64, 1, 1, 1)
    jitter = HsvPower(mean=MEAN, std=STD)
    out = jitter(_batch(images)).images
    assert len({tuple(image.flatten().tolist()) for image in out}) == 64
    torch.testing.assert_close(jitter(_batch(images[:9], first=30)).images, out[30:39])
    assert not torch.equal(jitter(_batch(images, epoch=1)).images, out)


@pytest.mark.parametrize("settings_", [{"power": (0, 1)}, {"factor": (2, 1)}, {"shift": -0.1}, {"hue": 2.0}])
def test_ranges_that_are_none_are_refused(settings_: dict[str, float]) -> None:
    """Empty ranges and shifts that are none are errors at once."""
    with pytest.raises(SettingError):
        HsvPower(mean=MEAN, std=STD, **settings_)  # type: ignore[arg-type]


def test_greys_take_one_tint_however_they_were_rounded() -> None:
    """Grey pixels whose channels differ by rounding alone get the same tint, not coloured noise."""
    greys = torch.linspace(0.2, 0.8, 64).view(1, 1, 8, 8).expand(1, 3, 8, 8)
    images = normalized(greys, mean=MEAN, std=STD)
    tinted = torch.tensor([[0.5, 1.0], [1.0, 1.0], [0.1, 0.0]])[:, None]
    out = denormalized(hsv_jittered(images, torch.zeros(1), changes=tinted, mean=MEAN, std=STD), mean=MEAN, std=STD)
    torch.testing.assert_close(out[:, 0], greys[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(out[:, 1:], 0.9 * greys[:, 1:], atol=1e-5, rtol=0)


def test_greys_have_no_hue() -> None:
    """Images of one channel are refused, with the way out."""
    with pytest.raises(SettingError, match="1 channels"):
        hue_turned(torch.rand(1, 1, 2, 2), torch.zeros(1), mean=[0.0], std=[1.0])
