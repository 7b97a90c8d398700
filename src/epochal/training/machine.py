"""What this process may use of the machine: cores and memory, as affinity and control groups limit it. No torch."""

import os
import platform
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60


def usable_cores(root: Path = _GROUPS) -> int:
    """Cores this process can keep busy: its affinity mask, or a container's quota where that is less.

    >>> usable_cores() >= 1
    True
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota(root)
    return max(1, cores if quota is None else min(cores, int(quota + 0.5)))


def usable_memory(root: Path = _GROUPS) -> int:
    """Bytes of memory this process may fill: the machine's, or its control group's limit where that is less.

    >>> usable_memory() > 1 << 20
    True
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 4 << 30
    limits = [_number(folder / name) for folder in _own_groups(root) for name in ("memory.max", "memory.high")]
    limits.append(_number(root / "memory" / "memory.limit_in_bytes"))
    return min([total, *(limit for limit in limits if limit is not None and limit < _UNLIMITED)])


def cpu_name(info: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the processor, for the record of a run.

    >>> bool(cpu_name())
    True
    """
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _quota(root: Path) -> float | None:
    """Cores that the control groups grant, version 2 or 1; None where they set no limit."""
    quotas = []
    for folder in _own_groups(root):
        words = _words(folder / "cpu.max")
        if len(words) == 2 and words[0] != "max":
            quotas.append(int(words[0]) / int(words[1]))
    period = _number(root / "cpu" / "cpu.cfs_period_us")
    granted = _number(root / "cpu" / "cpu.cfs_quota_us")
    if period and granted and granted > 0:
        quotas.append(granted / period)
    return min(quotas) if quotas else None


def _own_groups(root: Path) -> list[Path]:
    """The control group of this process and all above it: each can set a limit."""
    own = next((line[3:] for line in _lines(Path("/proc/self/cgroup")) if line.startswith("0::")), "/")
    folder = root / own.strip("/")
    above = [folder, *folder.parents]
    return [path for path in above if path == root or root in path.parents]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    lines = _lines(path)
    return lines[0].split() if lines else []


def _number(path: Path) -> int | None:
    words = _words(path)
    return int(words[0]) if words and words[0].lstrip("-").isdigit() else None
