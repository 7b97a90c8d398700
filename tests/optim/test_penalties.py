"""Penalties by their strengths against their formulas, and what each does to a small network."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.optim.optimizer import build
from epochal.optim.penalties import Penalties, penalties
from epochal.optim.regularization import incoming_norms, sparsity


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 2))


def _squares(outputs: Tensor, labels: Tensor) -> Tensor:
    return (outputs - labels).square().mean(1)


def _fitted(**strengths: Any) -> tuple[list[float], nn.Sequential]:
    """Eighty steps of plain gradient descent on a small regression with these penalties."""
    model = _network()
    images, wanted = torch.randn(64, 6), torch.randn(64, 2)
    wanted[:, 0] = images[:, 0]
    optimizer = build(model, lr=0.05, momentum=0.0, nesterov=False)
    chosen = penalties(model, optimizer=optimizer, **strengths)
    loss, losses = chosen.joined_to(_squares), []
    for _ in range(80):
        optimizer.zero_grad()
        mean = loss(model(images), wanted).mean()
        mean.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        for act in chosen.after_update:
            act(model)
        losses.append(mean.item())
    return losses, model


@pytest.mark.parametrize(
    "strengths",
    [{"l1": 0.01}, {"l1": 0.01, "proximal": False}, {"l2": 0.02}, {"l1": 0.01, "l2": 0.02}, {"max_norm": 0.7}],
)
def test_every_penalty_lets_the_network_learn(strengths: dict[str, Any]) -> None:
    """The loss, penalty included, falls."""
    losses, _ = _fitted(**strengths)
    assert losses[-1] < losses[0]


def test_nothing_asked_for_is_nothing_done() -> None:
    """Without strengths the loss is the very same object, and nothing happens after a step."""
    model = _network()
    none = penalties(model, optimizer=build(model, lr=0.1))
    assert none == Penalties()
    assert none.joined_to(_squares) is _squares


@pytest.mark.parametrize(("l1", "l2"), [(0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
def test_terms_equal_their_formula(l1: float, l2: float) -> None:
    """`a sum |w| + b / 2 sum w^2` over weights alone is added to the mean loss once, whatever the batch."""
    model = _network()
    chosen = penalties(model, optimizer=build(model, lr=0.1), l1=l1, l2=l2, proximal=False)
    weights = torch.cat([p.detach().double().flatten() for p in model.parameters() if p.ndim > 1])
    expected = l1 * float(weights.abs().sum()) + l2 / 2 * float(weights.square().sum())
    for samples in (1, 7):
        outputs = torch.randn(samples, 2)
        joined = chosen.joined_to(_squares)(outputs, torch.zeros(samples, 2)).mean().item()
        assert joined == pytest.approx(_squares(outputs, torch.zeros(samples, 2)).mean().item() + expected, rel=1e-5)


def test_coupled_l2_is_the_weight_decay_of_sgd() -> None:
    """The gradient of the penalty is what SGD's own decay adds, so both end alike (W6.1)."""
    ends = []
    for coupled in (True, False):
        model = _network()
        optimizer = build(model, lr=0.05, weight_decay=0.0 if coupled else 0.1)
        loss = penalties(model, optimizer=optimizer, l2=0.1 if coupled else 0.0).joined_to(_squares)
        for _ in range(5):
            optimizer.zero_grad()
            loss(model(torch.ones(3, 6)), torch.zeros(3, 2)).mean().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        ends.append([p.detach() for p in model.parameters()])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other)


def test_proximal_l1_makes_zeros_and_its_gradient_does_not() -> None:
    """Zeros are what L1 is chosen for; through the loss weights only hover around them (W6.2)."""
    shares = {}
    for proximal in (True, False):
        _, model = _fitted(l1=0.05, proximal=proximal)
        found = sparsity(model)
        shares[proximal] = sum(each.zeros for each in found.values()) / sum(each.weights for each in found.values())
    assert shares[True] > 0.2
    assert shares[False] == 0


def test_max_norm_holds_after_each_step() -> None:
    """No unit's incoming weights are longer than the limit (W6.3)."""
    _, model = _fitted(max_norm=0.5)
    assert all(float(norms.max()) <= 0.5 + 1e-6 for norms in incoming_norms(model).values())


def test_shrinking_comes_before_the_limit() -> None:
    """Both act after a step, in an order that leaves the limit true."""
    model = _network()
    kinds = [
        type(each).__name__ for each in penalties(model, optimizer=build(model, lr=1), l1=1, max_norm=1).after_update
    ]
    assert kinds == ["ProximalL1", "MaxNorm"]


@pytest.mark.parametrize("wrong", [{"l1": -1.0}, {"l2": -1.0}, {"l2": float("nan")}, {"max_norm": -1.0}])
def test_impossible_strengths_are_refused_at_once(wrong: dict[str, float]) -> None:
    """Before the first step, in three parts."""
    model = _network()
    with pytest.raises(SettingError, match="What to do"):
        penalties(model, optimizer=build(model, lr=0.1), **wrong)  # type: ignore[arg-type]
