"""Gathering and restoring a run's state."""

from pathlib import Path

import pytest
import torch
from torch import nn

from epochal.errors import CheckpointError
from epochal.optim.optimizer import build
from epochal.training.checkpoint import load, save
from epochal.training.loop import Position
from epochal.training.pace import FixedSteps
from epochal.training.state import capture, restore


def _parts(width: int = 2) -> dict[str, object]:
    model = nn.Linear(width, 1)
    return {"model": model, "optimizer": build(model, lr=0.1), "pace": FixedSteps(3)}


def test_survives_the_disk(tmp_path: Path) -> None:
    """A state written to a file and read back restores every part, optimizer momentum included."""
    parts = _parts()
    model, optimizer = parts["model"], parts["optimizer"]
    assert isinstance(model, nn.Linear)
    assert isinstance(optimizer, torch.optim.Optimizer)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    save(tmp_path / "last.pt", capture(Position(step=1, epoch=2, batch=3), parts))  # type: ignore[arg-type]
    fresh = _parts()
    assert restore(load(tmp_path / "last.pt"), fresh) == Position(step=1, epoch=2, batch=3)  # type: ignore[arg-type]
    assert torch.equal(fresh["model"].weight, model.weight)  # type: ignore[attr-defined]
    buffers = [s["momentum_buffer"] for s in fresh["optimizer"].state.values()]  # type: ignore[attr-defined]
    assert len(buffers) == 2


def test_missing_and_surplus_parts_are_told() -> None:
    """A state without the average, or with one too many, is of another run."""
    state = capture(Position(), {"pace": FixedSteps(3)})
    with pytest.raises(CheckpointError, match="parts"):
        restore(state, _parts())  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="parts"):
        restore({}, {"pace": FixedSteps(3)})


def test_another_networks_weights_are_told() -> None:
    """Shapes that do not fit name the part."""
    state = capture(Position(), _parts(2))  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match="model does not fit"):
        restore(state, _parts(5))  # type: ignore[arg-type]
