"""The two newer optimizers by name."""

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.optim.modern import build
from epochal.optim.muon import Muon
from epochal.optim.optimizer import set_lr
from epochal.optim.schedule_free import ScheduleFreeAdamW


@pytest.mark.parametrize(("name", "kind"), [("muon", Muon), ("schedule-free", ScheduleFreeAdamW)])
def test_each_name_builds_its_optimizer(name: str, kind: type) -> None:
    """Names from a recipe give optimizers that follow a schedule's factor from their base rates."""
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


def test_unknown_names_are_refused() -> None:
    """A name that is not there is told in three parts."""
    with pytest.raises(SettingError, match="muon"):
        build(nn.Linear(1, 1), name="moun", lr=0.1)
