"""Cores and memory as control groups limit them, on made-up ones."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from epochal.training import machine
from epochal.training.machine import cpu_name, usable_cores, usable_memory


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group two levels down, in which this process seems to be."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(machine, "_lines", _with_own(machine._lines))
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    return inner


def _with_own(lines: Callable[[Path], list[str]]) -> Callable[[Path], list[str]]:
    return lambda path: ["0::/outer/inner"] if path == Path("/proc/self/cgroup") else lines(path)


def test_affinity_bounds_the_cores(group: Path) -> None:
    """Without a quota the affinity mask decides, however many cores the machine has."""
    assert usable_cores(group.parent.parent) == 16


@pytest.mark.parametrize(("quota", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)])
def test_a_quota_bounds_the_cores(group: Path, quota: str, cores: int) -> None:
    """A container's processor quota counts, rounded, one core at least."""
    (group / "cpu.max").write_text(quota)
    assert usable_cores(group.parent.parent) == cores


def test_an_outer_quota_counts_too(group: Path) -> None:
    """The tightest limit on the way up decides; `max` is none."""
    (group / "cpu.max").write_text("max 100000")
    (group.parent / "cpu.max").write_text("300000 100000")
    assert usable_cores(group.parent.parent) == 3


def test_the_older_control_groups_are_read(group: Path) -> None:
    """Version 1 keeps quota and memory limit in folders by kind."""
    root = group.parent.parent
    (root / "cpu").mkdir()
    (root / "cpu" / "cpu.cfs_quota_us").write_text("400000")
    (root / "cpu" / "cpu.cfs_period_us").write_text("100000")
    (root / "memory").mkdir()
    (root / "memory" / "memory.limit_in_bytes").write_text(str(64 << 20))
    assert usable_cores(root) == 4
    assert usable_memory(root) == 64 << 20


def test_a_memory_limit_counts(group: Path) -> None:
    """A container's memory limit bounds the machine's; `max` is none."""
    root = group.parent.parent
    whole = usable_memory(root)
    (group / "memory.max").write_text("max")
    assert usable_memory(root) == whole
    (group.parent / "memory.max").write_text(str(100 << 20))
    assert usable_memory(root) == 100 << 20


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    """The first model name in cpuinfo, or what Python knows where there is no such file."""
    info = tmp_path / "cpuinfo"
    info.write_text("processor: 0\nmodel name\t: Fast One\nmodel name\t: Other\n")
    assert cpu_name(info) == "Fast One"
    assert cpu_name(tmp_path / "none")
