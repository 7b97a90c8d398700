"""Schedule-Free AdamW against the paper's algorithm, written with all three sequences."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.optim.schedule_free import ScheduleFreeAdamW, schedule_free


def _twin(
    start: np.ndarray, gradients: np.ndarray, rates: list[float], betas: tuple[float, float], decay: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and z after all steps, each computed from its own line of algorithm 1."""
    x, y, z, v, total, top = start.copy(), start.copy(), start.copy(), np.zeros_like(start), 0.0, 0.0
    for t, (g, lr) in enumerate(zip(gradients, rates, strict=True), start=1):
        v = betas[1] * v + (1 - betas[1]) * g * g
        rate = lr * np.sqrt(1 - betas[1] ** t)
        z = z - rate * (g / (np.sqrt(v) + 1e-8) + decay * y)
        top = max(top, rate)
        total += top**2
        share = top**2 / total if total else 0.0
        x = (1 - share) * x + share * z
        y = (1 - betas[0]) * z + betas[0] * x
    return x, y, z


@given(st.integers(1, 8), st.sampled_from([0.5, 0.9, 0.98]), st.sampled_from([0.0, 0.1]), st.integers(0, 2**31))
def test_equals_the_algorithm(steps: int, beta: float, decay: float, seed: int) -> None:
    """The model holds y while training and x for evaluation, with a warm-up from 0 in between (float64)."""
    rng = np.random.default_rng(seed)
    start, gradients = rng.normal(size=5), rng.normal(size=(steps, 5))
    rates = [0.1 * min(1.0, number / 3) for number in range(steps)]
    weight = nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = ScheduleFreeAdamW([weight], betas=(beta, 0.99), weight_decay=decay)
    for gradient, rate in zip(gradients, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        np.testing.assert_array_equal(weight.grad.numpy(), gradient)
    x, y, z = _twin(start, gradients, rates, (beta, 0.99), decay)
    np.testing.assert_allclose(weight.detach().numpy(), y, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(optimizer.state[weight]["z"].numpy(), z, rtol=1e-9, atol=1e-12)
    with optimizer.applied(nn.Module()):
        np.testing.assert_allclose(weight.detach().numpy(), x, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(weight.detach().numpy(), y, rtol=1e-9, atol=1e-12)


def test_the_first_average_is_the_first_point() -> None:
    """After one step x = z, as every average of one value."""
    weight = nn.Parameter(torch.tensor([1.0]))
    optimizer = ScheduleFreeAdamW([weight], lr=0.1)
    weight.grad = torch.tensor([1.0])
    optimizer.step()
    optimizer.eval()
    torch.testing.assert_close(weight.detach(), optimizer.state[weight]["z"])


def test_turning_twice_changes_nothing() -> None:
    """Evaluation inside evaluation, and training while training, leave the weights alone."""
    weight = nn.Parameter(torch.randn(4))
    optimizer = ScheduleFreeAdamW([weight], lr=0.1)
    weight.grad = torch.randn(4)
    optimizer.step()
    optimizer.step()
    held = weight.detach().clone()
    optimizer.train()
    assert torch.equal(weight, held)
    optimizer.eval()
    average = weight.detach().clone()
    with optimizer.applied(nn.Module()):
        assert torch.equal(weight, average)
    assert torch.equal(weight, average)
    optimizer.train()
    torch.testing.assert_close(weight.detach(), held)


def test_stepping_on_the_average_is_refused() -> None:
    """Gradients belong to y; a step taken at x would be silently wrong."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = ScheduleFreeAdamW([weight], lr=0.1)
    optimizer.eval()
    with pytest.raises(SettingError, match="holds the average"):
        optimizer.step()


def test_norms_and_biases_do_not_decay() -> None:
    """Two groups as for every optimizer of ours, each with its base rate."""
    groups = schedule_free(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), lr=0.01, weight_decay=0.1).param_groups
    assert [(len(g["params"]), g["weight_decay"], g["initial_lr"]) for g in groups] == [(1, 0.1, 0.01), (3, 0.0, 0.01)]


@pytest.mark.parametrize("average", [True, False])
def test_learns_without_a_schedule_and_resumes(average: bool) -> None:
    """The average fits a line; saved half-way, while averaged or not, and resumed, it ends at the same place."""
    torch.manual_seed(0)
    inputs = torch.randn(64, 3)
    wanted = inputs @ torch.tensor([[1.0], [-2.0], [0.5]])

    def steps(model: nn.Module, optimizer: ScheduleFreeAdamW, count: int) -> None:
        for _ in range(count):
            optimizer.zero_grad()
            (model(inputs) - wanted).square().mean().backward()
            optimizer.step()

    start = nn.Linear(3, 1)
    whole, part = copy.deepcopy(start), copy.deepcopy(start)
    optimizer = schedule_free(whole, lr=0.1)
    steps(whole, optimizer, 300)
    with optimizer.applied(whole):
        assert (whole(inputs) - wanted).square().mean() < 1e-3
    first = schedule_free(part, lr=0.1)
    steps(part, first, 150)
    if average:
        first.eval()
    second = schedule_free(part, lr=0.1)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.train()
    steps(part, second, 150)
    torch.testing.assert_close(part.weight, whole.weight, rtol=1e-4, atol=1e-5)
    if not average:
        assert torch.equal(part.weight, whole.weight)
