"""The folder of one run: its name, its lock, and the request that it answers.

runs/NAME/recipe.toml  journal.jsonl  history/  checkpoints/  model.safetensors
          predictions.csv  samples.csv  findings.json  summary.json  report.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from epochal.errors import RunError
from epochal.lines import read_lines
from epochal.writing import write_atomically

REQUEST = "request"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The paths of a run.

    >>> RunFolder(Path("runs/cats")).report.as_posix()
    'runs/cats/report.html'
    """

    path: Path

    @property
    def journal(self) -> Path:
        """The record that everything else is drawn from."""
        return self.path / "journal.jsonl"

    @property
    def model(self) -> Path:
        """The best model so far: weights and all that prediction needs to know."""
        return self.path / "model.safetensors"

    @property
    def recipe(self) -> Path:
        """The fully resolved recipe."""
        return self.path / "recipe.toml"

    @property
    def history(self) -> Path:
        """Step-level series of the train stage."""
        return self.path / "history" / "train.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The state from which training continues."""
        return self.path / "checkpoints" / "train.pt"

    def baseline(self, name: str) -> Path:
        """The baseline model called `name`, kept so that the final score can stand beside its own."""
        return self.path / "checkpoints" / f"{name}.safetensors"

    @property
    def samples(self) -> Path:
        """The table of samples."""
        return self.path / "samples.csv"

    @property
    def listing(self) -> Path:
        """Names, sizes and times of the data files as the run began."""
        return self.path / "files.list"

    @property
    def predictions(self) -> Path:
        """What the model says of each test sample."""
        return self.path / "predictions.csv"

    @property
    def summary(self) -> Path:
        """The result for machines."""
        return self.path / "summary.json"

    @property
    def findings(self) -> Path:
        """Every finding, for machines."""
        return self.path / "findings.json"

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.path / "report.html"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; a killed process lets go by dying.

        Raises: RunError if another process holds it, or the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock")
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunError(
                f"Another process is at work in {self.path}.",
                expected="one run per folder at a time.",
                remedy="wait for it to end, or choose another folder with --out.",
            ) from error
        except OSError as error:
            raise RunError(
                f"The folder {self.path} cannot be used: {error.strerror}.",
                expected="a folder that can be made and written.",
                remedy="choose another folder with --out.",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def occupied(self) -> bool:
        """Whether it holds more than a start that was killed at once leaves behind."""
        return any(each.name not in {".lock", self.journal.name} for each in self.path.iterdir())

    def request(self) -> dict[str, Any] | None:
        """What this folder's run was asked for, or None if no run began here."""
        if not self.journal.exists():
            return None
        begun = [event for event in read_lines(self.journal) if event["kind"] == "session"]
        return begun[-1][REQUEST] if begun else None


def write_json(path: Path, content: object) -> None:
    """Replace `path` by `content` as readable JSON."""
    write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def choose_folder(
    request: Mapping[str, Any], *, name: str, out: Path | None, root: Path, fresh: bool = False
) -> RunFolder:
    """The folder in which `request` is answered.

    A run that was asked for in the same words is continued (or shown, if it is done); any other gets the next free
    name. With `out` there is no choice of name: a folder that holds another run is an error. `fresh` never continues.

    Raises: RunError if `out` holds another run, or files that are no run.
    """
    request = json.loads(json.dumps(request))  # as the journal gives it back: a tuple has become a list
    if out is not None:
        return _explicit(RunFolder(out), request, fresh=fresh)
    stem = re.sub(r"[^\w.-]+", "-", name).strip("-.")[:60] or "run"
    number = 1
    while True:
        folder = RunFolder(root / (stem if number == 1 else f"{stem}-{number}"))
        held = folder.request()
        if held is None and not (folder.path.exists() and folder.occupied()):
            return folder
        if not fresh and held == dict(request):
            return folder
        number += 1


def _explicit(folder: RunFolder, request: Mapping[str, Any], *, fresh: bool) -> RunFolder:
    if folder.path.is_file():
        raise RunError(
            f"{folder.path} is a file.", expected="a folder, new or of an earlier run.", remedy="choose another --out."
        )
    held = folder.request()
    if held is None and folder.path.is_dir() and folder.occupied() and not folder.journal.exists():
        raise RunError(
            f"{folder.path} holds files that are not of a run.",
            expected="an empty or a new folder, or one of an earlier run.",
            remedy="choose another --out.",
        )
    if held is not None and (fresh or held != dict(request)):
        differ = sorted(key for key in {*held, *request} if held.get(key) != request.get(key))
        raise RunError(
            f"{folder.path} holds {'a run' if fresh else 'another run: it differs in ' + ', '.join(differ)}.",
            expected="the same request, to continue it, or a new folder.",
            remedy="repeat the first command to continue that run, or choose another --out.",
        )
    return folder


def existing_run(path: Path) -> RunFolder:
    """The run at `path`, for commands that read one.

    Raises: RunError if there is none.
    """
    folder = RunFolder(path)
    if folder.journal.is_file():
        return folder
    runs = sorted(each.parent.name for each in Path("runs").glob("*/journal.jsonl"))
    raise RunError(
        f"{path} holds no run: it has no journal.jsonl.",
        expected="a folder that `epochal run` made.",
        remedy=f"runs here: {', '.join('runs/' + name for name in runs)}." if runs else "start one: epochal run digits",
    )
