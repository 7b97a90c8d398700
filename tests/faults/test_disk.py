"""A full disk: a clear message, exit code 2, and the run goes on once there is room."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from epochal.lines import read_lines
from epochal.stages.artifact import is_sound
from faults.program import epochal
from faults.test_kill import OPTIONS
from faults.troubles import files_limited


@pytest.mark.parametrize("size", [600, 12_000, 40_000, 90_000])
def test_a_quota_that_ends_anywhere_loses_nothing(stripes: Path, tmp_path: Path, size: int) -> None:
    """Wherever writing fails, every line of the journal is whole and the same command finishes afterwards."""
    first = epochal("run", stripes, *OPTIONS, cwd=tmp_path, trouble=files_limited(size))
    assert first.code == 2, first.err
    assert "Traceback" not in first.err
    assert "what to do:" in first.err
    run = tmp_path / "run"
    assert (run / "journal.jsonl").read_bytes()[-1:] in {b"", b"\n"}
    kept = list(read_lines(run / "journal.jsonl"))
    if (run / "model.safetensors").exists():
        assert is_sound(run / "model.safetensors")
    assert not list(run.rglob("*.part"))
    again = epochal("run", stripes, *OPTIONS, cwd=tmp_path)
    assert again.code == 0, again.err
    assert list(read_lines(run / "journal.jsonl"))[: len(kept)] == kept


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here; the quota above stands for it")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_is_told_by_its_name(stripes: Path, tmp_path: Path, small_disk: Path) -> None:
    """No space left: the message names the place; with more room the same command continues."""
    options = [*OPTIONS[:-1], small_disk / "run"]
    first = epochal("run", stripes, *options, cwd=tmp_path)
    assert (first.code, "Traceback" in first.err) == (2, False)
    assert "No space left on device" in first.err
    assert str(small_disk) in first.err
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    again = epochal("run", stripes, *options, cwd=tmp_path)
    assert again.code == 0, again.err
    assert "Continuing" in again.out
