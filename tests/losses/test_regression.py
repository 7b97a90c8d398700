"""Losses for numbers against their formulas, and before anything is learnt."""

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.losses.regression import RegressionLoss, expected_at_init, huber, smooth_l1, squared_error

seeds = st.integers(0, 2**31)
LOSSES: tuple[RegressionLoss, ...] = (squared_error, smooth_l1, huber)


def _huber_twin(x: float, delta: float) -> float:
    return 0.5 * x * x if abs(x) <= delta else delta * (abs(x) - delta / 2)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=9), st.floats(0.05, 20))
def test_equal_their_formulas(errors: list[float], size: float) -> None:
    """Below zero as above: the guide's smooth L1 forgets the absolute value (S8)."""
    x = torch.tensor(errors, dtype=torch.float64)
    nought = torch.zeros_like(x)
    np.testing.assert_allclose(squared_error(x, nought), [e * e for e in errors])
    np.testing.assert_allclose(huber(x, nought, delta=size), [_huber_twin(e, size) for e in errors], atol=1e-12)
    np.testing.assert_allclose(
        smooth_l1(x, nought, beta=size), [_huber_twin(e, size) / size for e in errors], atol=1e-12
    )


@given(st.floats(0.05, 20), seeds)
def test_huber_is_delta_times_smooth_l1(delta: float, seed: int) -> None:
    """The two differ by a factor only, which is not 1."""
    x = torch.from_numpy(np.random.default_rng(seed).normal(size=8) * 10)
    torch.testing.assert_close(huber(x, x * 0, delta=delta), delta * smooth_l1(x, x * 0, beta=delta))


def test_smooth_l1_without_beta_is_the_distance() -> None:
    """At beta 0 nothing is smoothed, and nothing divided by 0."""
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    smooth_l1(x, torch.zeros(3), beta=0.0).sum().backward()  # type: ignore[no-untyped-call]
    assert torch.equal(x.grad if x.grad is not None else x, torch.tensor([-1.0, 0.0, 1.0]))


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_are_right(loss: RegressionLoss) -> None:
    """They pass torch's check by differences on both sides of the bend."""
    x = torch.tensor([[-3.0, -0.4], [0.3, 2.5]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, torch.zeros(2, 2, dtype=torch.float64)), (x,))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(loss: RegressionLoss, dtype: torch.dtype) -> None:
    """An error of 1000 squared is a million, which float16 cannot hold."""
    value = loss(torch.full((1,), 1000.0, dtype=dtype), torch.zeros(1))
    assert value.dtype == torch.float32
    assert value.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_other_shapes_are_refused(loss: RegressionLoss) -> None:
    """(n, 1) minus (n) would silently compare every sample with every other."""
    with pytest.raises(SettingError, match="squeeze"):
        loss(torch.zeros(4, 1), torch.zeros(4))


@pytest.mark.parametrize("loss", LOSSES)
def test_counts_may_be_targets(loss: RegressionLoss) -> None:
    """Whole numbers are taken as they are; nothing at all gives nothing."""
    assert loss(torch.tensor([1.0]), torch.tensor([1])).item() == 0
    assert loss(torch.zeros(0, 2), torch.zeros(0, 2)).shape == (0, 2)


@given(seeds, st.integers(1, 3))
def test_expected_value_is_the_mean_loss(seed: int, outputs: int) -> None:
    """At a bias of the mean: the variance for squares, and each loss's own mean for the others (K2.4, K2.5)."""
    targets = torch.from_numpy(np.random.default_rng(seed).normal(50, 3, size=(20, outputs)))
    assert expected_at_init(targets) == pytest.approx(targets.numpy().var(0).mean())
    middle = targets.numpy().mean(0)
    for delta in (0.5, 4.0):
        wanted = np.mean([[_huber_twin(e, delta) for e in row] for row in targets.numpy() - middle])
        assert expected_at_init(targets, loss=partial(huber, delta=delta)) == pytest.approx(wanted)
        assert expected_at_init(targets, loss=partial(smooth_l1, beta=delta)) == pytest.approx(wanted / delta)


def test_expected_value_at_another_constant() -> None:
    """A network that begins at 0 pays for the mean as well; one output needs no axis of its own."""
    targets = torch.tensor([49, 51])
    assert expected_at_init(targets, predicted=[0.0]) == pytest.approx(1 + 50**2)
    assert expected_at_init(targets[:, None], predicted=[50.0], loss=smooth_l1) == pytest.approx(0.5)


@pytest.mark.parametrize("targets", [torch.zeros(0), torch.tensor([1.0, float("nan")])])
def test_targets_without_a_value_are_refused(targets: torch.Tensor) -> None:
    """No target and a missing one have no expected loss."""
    with pytest.raises(SettingError, match="targets are not finite"):
        expected_at_init(targets)


def test_impossible_settings_are_refused() -> None:
    """A bend that is nowhere, and constants for other outputs, are told in three parts."""
    x = torch.zeros(2)
    for beta in (-1.0, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="beta"):
            smooth_l1(x, x, beta=beta)
        with pytest.raises(SettingError, match="delta"):
            huber(x, x, delta=beta)
    with pytest.raises(SettingError, match="delta is 0"):
        huber(x, x, delta=0.0)
    with pytest.raises(SettingError, match="2 constants"):
        expected_at_init(x, predicted=[0.0, 1.0])
