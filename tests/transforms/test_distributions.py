import numpy as np
import pytest
import torch
from scipy import stats

from epochal.errors import SettingError
from epochal.transforms.distributions import normal, symmetric_beta


def test_normal_draws_are_normal() -> None:
    """200,000 draws pass Kolmogorov and Smirnov's test against the normal distribution, and pairs are uncorrelated."""
    drawn = normal(torch.arange(1000), 200, seed=1, epoch=2, stream="x")
    assert drawn.dtype == torch.float32
    assert stats.kstest(drawn.double().flatten().numpy(), "norm").pvalue > 1e-4
    assert abs(np.corrcoef(drawn[:, 0::2].flatten(), drawn[:, 1::2].flatten())[0, 1]) < 5 / 100_000**0.5


def test_normal_draws_belong_to_the_sample() -> None:
    """A sample draws the same numbers alone and among others, odd or even in number."""
    together = normal(torch.tensor([3, 8, 5]), 7, seed=0, epoch=0, stream="x")
    assert torch.equal(normal(torch.tensor([8]), 6, seed=0, epoch=0, stream="x"), together[1:2, :6])
    assert normal(torch.arange(0), 3, seed=0, epoch=0, stream="x").shape == (0, 3)


@pytest.mark.parametrize("alpha", [0.2, 0.5, 1.0, 3.0])
def test_shares_are_beta_distributed(alpha: float) -> None:
    """50,000 shares pass Kolmogorov and Smirnov's test against Beta(alpha, alpha), below and above a half."""
    drawn = symmetric_beta(torch.arange(50_000), alpha=alpha, seed=3, epoch=0, stream="s")
    assert bool(((drawn >= 0) & (drawn <= 1)).all())
    assert stats.kstest(drawn.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-4


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("inf"), float("nan")])
def test_other_alphas_are_refused(alpha: float) -> None:
    """There is no such distribution without a positive, finite alpha."""
    with pytest.raises(SettingError, match="Alpha"):
        symmetric_beta(torch.arange(2), alpha=alpha, seed=0, epoch=0, stream="s")
