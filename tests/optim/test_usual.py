"""The usual settings of every optimizer: each can be built with them, and each learns."""

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.optim.optimizer import NAMES, build
from epochal.optim.usual import default_lr, usual


@pytest.mark.parametrize("name", NAMES)
def test_every_name_learns_with_its_usual_settings(name: str) -> None:
    """Two hundred steps at the usual rate bring a small regression far below where it began."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
    images = torch.randn(64, 4)
    wanted = images[:, :1] * images[:, 1:2]
    settings = usual(name)
    optimizer = build(model, name=name, lr=settings.lr, weight_decay=settings.weight_decay)
    losses = []
    for _ in range(200):
        optimizer.zero_grad()
        loss = (model(images) - wanted).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_rates_are_those_of_the_guides() -> None:
    """W4.3 names 0.1 for SGD; L5 asks for 1e-3 or more where training begins from scratch."""
    assert default_lr("sgd") == 0.1
    assert all(default_lr(name) >= 1e-3 for name in NAMES)


def test_every_entry_has_a_source() -> None:
    """A number without a source is a guess."""
    assert all(len(usual(name).source) > 4 for name in NAMES)


def test_unknown_names_are_told_the_nearest() -> None:
    """A slip of the keyboard is mended by the message."""
    with pytest.raises(SettingError, match="did you mean adamw"):
        usual("adam-w")
