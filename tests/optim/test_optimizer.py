"""Optimizers against hand-written updates, and which parameters decay."""

import copy

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.optim.muon import Muon
from epochal.optim.optimizer import NAMES, build, grad_norm, set_lr
from epochal.optim.schedule_free import ScheduleFreeAdamW


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))


def _loss(model: nn.Module) -> torch.Tensor:
    images = torch.linspace(-1, 1, 5 * 16).view(5, 1, 4, 4)
    loss: torch.Tensor = model(images.to(next(model.parameters()).dtype)).square().mean()
    return loss


def test_sgd_equals_its_formula() -> None:
    """Nesterov momentum with decay on weights alone, three steps, against the formula in float64."""
    model = _network().double()
    twin = copy.deepcopy(model)
    velocity: dict[str, torch.Tensor] = {}
    optimizer = build(model, lr=0.1, weight_decay=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        _loss(model).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        twin.zero_grad()
        _loss(twin).backward()  # type: ignore[no-untyped-call]
        with torch.no_grad():
            for name, p in twin.named_parameters():
                assert p.grad is not None
                gradient = p.grad + (0.01 * p if p.ndim > 1 else 0)
                velocity[name] = 0.9 * velocity.get(name, 0) + gradient
                p.sub_(0.1 * (gradient + 0.9 * velocity[name]))
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fused", [True, False])
def test_every_optimizer_lowers_the_loss(name: str, fused: bool) -> None:
    """Each name gives an optimizer that works, fused kernel or not."""
    model = _network()
    optimizer = build(model, name=name, lr=0.01, fused=fused)
    before = _loss(model).item()
    for _ in range(5):
        optimizer.zero_grad()
        _loss(model).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert _loss(model).item() < before


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_fused_equals_plain(name: str) -> None:
    """The fused kernel takes the same steps as torch's loop over parameters."""
    ends = []
    for fused in (True, False):
        model = _network()
        optimizer = build(model, name=name, lr=0.01, weight_decay=0.01, fused=fused)
        for _ in range(4):
            optimizer.zero_grad()
            _loss(model).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        ends.append([p.detach().clone() for p in model.parameters()])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_norms_and_biases_never_decay(name: str) -> None:
    """Whatever the optimizer, decay reaches weights alone and each parameter is in one group (W6.1)."""
    model = _network()
    groups = build(model, name=name, lr=0.01, weight_decay=0.1).param_groups
    spared = {id(p) for group in groups if group["weight_decay"] == 0 for p in group["params"]}
    assert spared == {id(p) for p in model.parameters() if p.ndim == 1}
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))


@pytest.mark.parametrize("name", NAMES)
def test_norms_and_biases_have_their_own_rate(name: str) -> None:
    """`norm_bias_lr` multiplies the rate that they would have without it."""
    alike, apart = (build(_network(), name=name, lr=0.01, norm_bias_lr=factor) for factor in (1.0, 8.0))
    assert apart.param_groups[-1]["initial_lr"] == pytest.approx(8 * alike.param_groups[-1]["initial_lr"])
    assert apart.param_groups[0]["initial_lr"] == alike.param_groups[0]["initial_lr"]


@pytest.mark.parametrize(("name", "kind"), [("muon", Muon), ("schedule-free", ScheduleFreeAdamW)])
def test_the_newer_names_follow_a_schedule(name: str, kind: type) -> None:
    """A schedule's factor acts on each base rate, and a step moves every parameter."""
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2))
    optimizer = build(model, name=name, lr=0.02, weight_decay=0.1)
    assert isinstance(optimizer, kind)
    bases = [group["lr"] for group in optimizer.param_groups]
    assert set_lr(optimizer, 0.5) == 0.01
    assert [group["lr"] for group in optimizer.param_groups] == [0.5 * base for base in bases]
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.randn(4, 2)).square().sum().backward()
    optimizer.step()
    assert all(not torch.equal(p, q) for p, q in zip(before, model.parameters(), strict=True))


def test_unknown_names_are_told_the_nearest() -> None:
    """A slip of the keyboard is mended by the message."""
    with pytest.raises(SettingError, match="did you mean rmsprop"):
        build(_network(), name="rms-prop", lr=0.1)


def test_schedule_acts_on_each_base_rate() -> None:
    """A factor keeps the ratio between weights and norms, however often it is set."""
    optimizer = build(_network(), lr=0.2, norm_bias_lr=8.0)
    for factor in (0.1, 1.0, 0.5):
        assert set_lr(optimizer, factor) == pytest.approx(0.2 * factor)
        assert [g["lr"] for g in optimizer.param_groups] == pytest.approx([0.2 * factor, 1.6 * factor])


def test_foreign_optimizers_learn_their_base_rate() -> None:
    """An optimizer made elsewhere follows a schedule from the rate it has."""
    optimizer = torch.optim.SGD(_network().parameters(), lr=0.3)
    set_lr(optimizer, 0.5)
    assert set_lr(optimizer, 1.0) == 0.3


def test_grad_norm_is_the_length_of_all_gradients() -> None:
    """Equal to the root of the sum of all squares."""
    model = _network()
    _loss(model).backward()  # type: ignore[no-untyped-call]
    squares = sum(float(p.grad.double().square().sum()) for p in model.parameters() if p.grad is not None)
    assert grad_norm(model).item() == pytest.approx(squares**0.5, rel=1e-5)


@pytest.mark.parametrize("wrong", [{"name": "sgdd", "lr": 0.1}, {"lr": 0.0}, {"lr": float("nan")}])
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    """An unknown name or a rate that moves nothing is told in three parts."""
    with pytest.raises(SettingError, match="What to do"):
        build(_network(), **wrong)  # type: ignore[arg-type]
