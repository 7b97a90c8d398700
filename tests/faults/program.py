"""The command line in a process of its own, with a fault built in where a test wants one.

A server that has imported everything once forks each of them: twenty starts cost seconds instead of a minute.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from stages.counted import Counted

PRELOADED = ["epochal.cli", "epochal.stages.walk", "epochal.stages.predict", "epochal.stages.export", "stages.striped"]
LONGEST = 300.0  # seconds; a hang is a failure
STEPS = 24  # of training: eight epochs of thirty pictures

Trouble = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended and what it said; a negative code is the signal that killed it."""

    code: int
    out: str
    err: str


def epochal(*arguments: object, cwd: Path, trouble: Trouble | None = None) -> Ended:
    """Run `epochal ARGUMENTS` in the folder `cwd`; `trouble` prepares the fault inside the new process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    said = [cwd / f".said-{stream}-{time.monotonic_ns()}" for stream in ("out", "err")]
    words = [str(each) for each in arguments]
    process = context.Process(target=_child, args=(words, cwd, trouble, said))
    process.start()
    process.join(LONGEST)
    if process.exitcode is None:
        process.kill()
        process.join()
    code = process.exitcode
    assert code is not None
    process.close()
    out, err = (path.read_text(encoding="utf-8", errors="replace") if path.exists() else "" for path in said)
    for path in said:
        path.unlink(missing_ok=True)
    return Ended(code=code, out=out, err=err)


def _counted(_seconds: float) -> Counted:
    return Counted(STEPS)


def _child(arguments: list[str], cwd: Path, trouble: Trouble | None, said: list[Path]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell in the background ignores it for all below
    for number, path in enumerate(said, start=1):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)
        os.dup2(handle, number)
    os.chdir(cwd)
    from epochal import cli
    from epochal.recipe.journal import Journal

    # The budget counts the time that this process works, not the time that a busy machine lets it wait
    mock.patch.object(Journal, "spent", property(lambda self: self._before + time.process_time())).start()
    mock.patch("epochal.stages.network.TimedSteps", _counted).start()  # the same steps on any machine
    sys.argv = ["epochal", *arguments]
    if trouble is not None:
        trouble()
    try:
        cli.main()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
