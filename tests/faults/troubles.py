"""Faults to be built into a process: each is called there before the command begins."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

# From linux/capability.h
_CAPABILITIES_V3 = 0x20080522
_PASSING_OVER = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH


def signalled(kind: str, *, stage: str | None = None, nth: int = 1, number: int = signal.SIGKILL) -> Callable[[], None]:
    """A signal to the process itself, right after the nth event of this kind is in the journal."""
    return partial(_signal_after, kind, stage, nth, number)


def _signal_after(kind: str, stage: str | None, nth: int, number: int) -> None:
    from epochal.recipe.journal import Journal

    write, wanted, seen = Journal.write, stage, [0]

    def watched(self: Journal, kind_: str, /, *, stage: str, **fields: Any) -> None:
        write(self, kind_, stage=stage, **fields)
        seen[0] += kind_ == kind and stage in {wanted, wanted or stage}
        if seen[0] == nth:
            seen[0] += 1
            os.kill(os.getpid(), number)

    mock.patch.object(Journal, "write", watched).start()


def killed_after_saves(nth: int) -> Callable[[], None]:
    """`kill -9` once the training has saved its state so many times; each epoch is saved."""
    return partial(_kill_after_saves, nth)


def _kill_after_saves(nth: int) -> None:
    from epochal.stages import watching
    from epochal.stages.fit import Fit

    save, seen = Fit.save, [0]

    def watched(self: Fit, path: Path) -> None:
        save(self, path)
        seen[0] += 1
        if seen[0] == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    watching._SAVE_SECONDS = 0.0
    mock.patch.object(Fit, "save", watched).start()


def files_limited(size: int) -> Callable[[], None]:
    """No file may grow beyond `size` bytes, as if a quota ended there."""
    return partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size))


def bound_by_permissions() -> None:
    """Give up root's privilege to pass over permissions, and nothing else; other users never had it."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_V3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits of each
    assert libc.capget(header, sets) == 0
    for part in (0, 1):
        sets[part] &= ~_PASSING_OVER
    assert libc.capset(header, sets) == 0
