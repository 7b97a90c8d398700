"""Facts about checking a program: planted faults are named, repaired and healthy programs pass, nothing is changed."""

import copy
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import epochal
from epochal.errors import CheckFailed, SettingError
from epochal.findings import Severity
from epochal.stages.check import check_program, parts_of

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks" / "faults"))
from healthy import HEALTHY  # type: ignore[import-not-found]
from programs import PAIRS  # type: ignore[import-not-found]

sys.path.pop(0)

SEEDS = (0, 1)
CHOSEN = (
    "31880720", "48221692", "50079585", "wrong_loss2", "inapp_act", "regrNN high_lr", "red_softmax",
    "relu_out", "nll", "batch_softmax", "frozen", "new_head", "stale_optimizer", "one_based",
)  # fmt: skip
TESTED = [pair for pair in PAIRS if any(each in pair.name for each in CHOSEN)]


def _found(parts: dict[str, Any], *, seconds: float = 60.0) -> set[str]:
    findings = check_program(parts_of(parts), seconds=seconds).findings
    return {each.rule for each in findings if each.severity.rank >= Severity.WARN.rank}


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("pair", TESTED, ids=lambda pair: pair.name)
def test_a_fault_is_named_and_its_repair_passes(pair: Any, seed: int) -> None:
    """Found by a rule that names the cause; the repaired twin gives no warning."""
    assert _found(pair.faulty(seed)) & set(pair.right)
    assert _found(pair.repaired(seed)) == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", HEALTHY)
def test_healthy_programs_pass(name: str) -> None:
    """No warning on any of fifteen kinds."""
    assert _found(HEALTHY[name](0)) == set()


class Two(nn.Module):
    """Two inputs by name, a dictionary as answer, dropout and batch normalisation inside."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))

    def forward(self, left: Tensor, right: Tensor) -> dict[str, Tensor]:
        """Logits."""
        return {"logits": self.body(torch.cat([left, right], 1))}


def _state(*values: Any) -> str:
    dice = (random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist())  # noqa: NPY002
    return repr([*values, dice])


def _numbers(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().tolist()
    if isinstance(value, dict):
        return {str(key): _numbers(each) for key, each in value.items()}
    return [_numbers(each) for each in value] if isinstance(value, list | tuple) else value


def test_nothing_is_changed() -> None:
    """Weights, buffers, gradients, modes, the optimizer's state, the batch, loaders and all dice."""
    torch.manual_seed(1)
    model = Two()
    model.body[2].eval()
    left, right = torch.randn(64, 2), torch.randn(64, 2)
    labels = (left[:, 0] > 0).long()
    optimizer = torch.optim.Adam(model.parameters())
    loss = lambda said, y: nn.functional.cross_entropy(said["logits"], y)  # noqa: E731
    loss(model(left, right), labels).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    dice = torch.Generator().manual_seed(7)
    loader = DataLoader(TensorDataset(left, right, labels), batch_size=16, shuffle=True, generator=dice)

    def state() -> str:
        weights, gradients = model.state_dict(), [each.grad for each in model.parameters()]
        modes = [each.training for each in model.modules()]
        return _state(
            *map(_numbers, (weights, gradients, modes, optimizer.state_dict(), [left, right, labels], dice.get_state()))
        )

    before, gradient = state(), model.body[0].weight.grad
    batch = {"left": left, "right": right, "labels": labels}
    report = epochal.check(model, batch, loss_fn=loss, optimizer=optimizer, train=loader, seconds=3.0)
    assert state() == before
    assert model.body[0].weight.grad is gradient
    assert "batch-not-learnt" in report.passed
    assert report.ok


def test_a_fault_in_the_users_code_is_a_finding_with_its_place() -> None:
    """The last line outside of torch and of this package."""
    report = epochal.check(nn.Linear(3, 2), (torch.zeros(4, 5), torch.zeros(4)), loss_fn=nn.MSELoss())
    assert report.findings[0].rule == "does-not-run"
    with pytest.raises(CheckFailed, match="EP290"):
        report.raise_if_failed()

    def broken(said: Tensor, target: Tensor) -> Tensor:
        raise KeyError(target)

    report = epochal.check(nn.Linear(3, 2), (torch.randn(4, 3), torch.zeros(4)), loss_fn=broken)
    assert "test_check.py" in report.findings[0].measured


def test_what_was_not_checked_is_said() -> None:
    """A model alone, a batch alone, an iterator: each with its reason."""
    alone = epochal.check(nn.Linear(3, 2), (torch.randn(16, 3), torch.zeros(16, 2)))
    assert any("no loss" in why for _, why in alone.not_checked)
    images = check_program(parts_of({"batch": (torch.rand(8, 3, 8, 8) * 255, torch.zeros(8))}))
    assert [each.rule for each in images.findings] == ["input-not-normalised"]
    used = iter([(torch.randn(16, 3), torch.zeros(16, 2))])
    held = epochal.check(nn.Linear(3, 2), (torch.randn(16, 3), torch.zeros(16, 2)), validation=used)
    assert any("iterator" in why for _, why in held.not_checked)
    assert next(used)
    assert "Not checked:" in str(alone)


def test_a_last_batch_of_one_is_found() -> None:
    """65 samples by 64, with a normalisation of single values."""
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    x = torch.randn(65, 4)
    loader = DataLoader(TensorDataset(x, (x[:, 0] > 0).long()), batch_size=64)
    report = epochal.check(model, train=loader, loss_fn=nn.CrossEntropyLoss(), seconds=1.0)
    assert "last-batch-of-one" in [each.rule for each in report.findings]


def test_rules_can_be_chosen() -> None:
    """By name or code; an unknown one is an error with its neighbour."""
    parts = {"model": nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)), "loss": nn.CrossEntropyLoss()}
    program = parts_of({**parts, "batch": (torch.randn(16, 3), torch.arange(16) % 2)})
    assert [each.rule for each in check_program(program, select=["EP250"], seconds=0).findings] == ["double-softmax"]
    assert "double-softmax" not in str(check_program(program, ignore=["double-softmax"], seconds=0).findings)
    with pytest.raises(SettingError, match="double-softmax"):
        check_program(program, ignore=["double-sofmax"])


@pytest.mark.parametrize("given", [{}, {"modle": nn.Linear(1, 1)}])
def test_nothing_to_check_is_an_error(given: dict[str, Any]) -> None:
    """Of the user, with what was expected."""
    with pytest.raises(SettingError):
        check_program(parts_of(given))


def test_lazy_models_stay_lazy() -> None:
    """Copies see the batch, the user's model does not."""
    model = nn.LazyLinear(2)
    report = epochal.check(model, (torch.randn(32, 3), torch.arange(32) % 2), loss_fn=nn.CrossEntropyLoss(), seconds=1)
    assert model.has_uninitialized_params()
    assert "double-softmax" in report.passed


def test_objects_with_parts_are_programs_too() -> None:
    """Attributes in place of keys."""

    class Setup:
        model = nn.Linear(3, 1)
        criterion = nn.MSELoss()
        data = (torch.randn(8, 3), torch.randn(8, 1))

    parts = parts_of(copy.copy(Setup()))
    assert parts.loss is Setup.criterion
    assert parts.batch is not None
    assert parts.batch.count == 8
