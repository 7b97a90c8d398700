"""Two processes started for a proof."""

import sys
from pathlib import Path

import pytest
import torch

from epochal.training import twin
from epochal.training.twin import two_processes


def test_both_end_with_the_same_weights() -> None:
    """Gradients are averaged and clipped alike, so that weights stay equal bit for bit."""
    first, second = two_processes()
    assert first
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_a_failing_process_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its last words are in the error."""
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no torch here >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(RuntimeError, match="code 3: no torch here"):
        twin.two_processes()
