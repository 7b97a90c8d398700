import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.normalize import Normalize, denormalized, normalized


@given(channels=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_normalised_channels_have_mean_0_and_spread_1(channels: int, seed: int) -> None:
    """With their own statistics, channels of any offset and scale come out centred and of unit spread."""
    rng = np.random.default_rng(seed)
    scale, shift = rng.uniform(0.1, 9, (1, channels, 1, 1)), rng.uniform(-5, 5, (1, channels, 1, 1))
    x = rng.normal(size=(20, channels, 6, 6)) * scale + shift
    out = normalized(torch.from_numpy(x), mean=x.mean((0, 2, 3)).tolist(), std=x.std((0, 2, 3)).tolist()).numpy()
    np.testing.assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-9)
    np.testing.assert_allclose(out.std((0, 2, 3)), 1, rtol=1e-9)


def test_denormalising_undoes_it() -> None:
    """There and back gives the pixels again."""
    x = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    mean, std = [0.1, 0.5, 0.9], [0.2, 0.3, 0.4]
    torch.testing.assert_close(denormalized(normalized(x, mean=mean, std=std), mean=mean, std=std), x)


def test_constant_channel_is_centred_and_finite() -> None:
    """A channel without spread becomes zeros, not NaN."""
    out = normalized(torch.full((1, 1, 2, 2), 0.3), mean=[0.3], std=[0.0])
    assert torch.equal(out, torch.zeros(1, 1, 2, 2))


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (0.5,)), ((0.0,) * 3, (1.0, -1.0, 1.0)), ((0.0,) * 3, (1.0,) * 4)])
def test_statistics_of_other_images_are_refused(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Statistics that cannot belong to these images are an error that says how many channels there are."""
    one = torch.zeros(1, dtype=torch.int64)
    batch = Batch(images=torch.rand(1, 3, 2, 2), labels=one, index=one, seed=0)
    with pytest.raises(SettingError, match="3 channels"):
        Normalize(mean=mean, std=std)(batch)
