"""Joining other processes, and noticing that they are not there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from epochal.errors import SettingError
from epochal.training.distributed import Launch, from_first, joined, launched, total_over_processes
from epochal.training.runtime import Runtime


@pytest.mark.parametrize("wrong", [{"RANK": "2", "WORLD_SIZE": "2"}, {"RANK": "-1", "WORLD_SIZE": "1"}])
def test_contradicting_figures_are_told(wrong: dict[str, str]) -> None:
    """A rank beyond the number of processes is a wrong start."""
    with pytest.raises(SettingError, match="torchrun"):
        launched(wrong)


def test_one_process_needs_no_company() -> None:
    """Alone, totals and agreements are one's own."""
    assert launched({"RANK": "0"}) is None
    assert total_over_processes(3, Runtime()).item() == 3
    assert from_first(0.1) == 0.1


def test_a_group_of_one_can_be_joined_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """What torchrun sets for one process is enough; afterwards there is no group."""
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", "0")
    launch = Launch(rank=0, local_rank=0, world_size=1)
    with joined(launch, device=torch.device("cpu")):
        assert torch.distributed.is_initialized()
        assert from_first(1 / 3) == 1 / 3
    assert not torch.distributed.is_initialized()


@pytest.mark.slow
def test_torchrun_ends_when_a_process_is_killed(tmp_path: Path) -> None:
    """`kill -9` of one of two processes ends the other and the command, with an exit code that is not 0."""
    program = tmp_path / "wait.py"
    program.write_text(
        "import os, sys, time, torch\nfrom pathlib import Path\n"
        "from epochal.training.distributed import joined, launched\n"
        "launch = launched()\n"
        "with joined(launch, device=torch.device('cpu'), timeout_seconds=60):\n"
        "    Path(sys.argv[1], f'pid{launch.rank}').write_text(str(os.getpid()))\n"
        "    time.sleep(300)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(program)]
    running = subprocess.Popen([*command, str(tmp_path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while not all((tmp_path / f"pid{rank}").exists() for rank in (0, 1)) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.2)
        os.kill(int((tmp_path / "pid1").read_text()), signal.SIGKILL)
        assert running.wait(timeout=90) != 0
    finally:
        running.kill()
        running.wait()
