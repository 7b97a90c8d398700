"""The series of one run: append-only, readable without torch, tolerant of a torn last line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from epochal.errors import DataError


class History:
    """Named series of numbers over steps, in memory and, if a path is given, in a JSON-lines file.

    Rules read `values(name)`; nothing in here knows what a loss is.

    >>> history = History.of(loss=[2.3, 1.9])
    >>> history.append(step=2, loss=1.7)
    >>> history.values("loss")
    [2.3, 1.9, 1.7]
    >>> history.steps("loss")
    [0, 1, 2]
    """

    def __init__(self) -> None:
        """An empty history that lives in memory only."""
        self._series: dict[str, tuple[list[int], list[float]]] = {}
        self._file: IO[str] | None = None

    @classmethod
    def of(cls, **series: Sequence[float]) -> History:
        """A history whose step is the position in each sequence: for tests and saved logs."""
        history = cls()
        for name, values in series.items():
            history._series[name] = (list(range(len(values))), [float(value) for value in values])
        return history

    @classmethod
    def open(cls, path: Path) -> History:
        """Read what `path` holds, then append to it; a torn last line is dropped."""
        history = cls.read(path) if path.exists() else cls()
        path.parent.mkdir(parents=True, exist_ok=True)
        _mend_tail(path)
        history._file = path.open("a", encoding="utf-8")
        return history

    @classmethod
    def read(cls, path: Path) -> History:
        """The history saved at `path`."""
        history = cls()
        for row in _rows(path):
            history._remember(row)
        return history

    def append(self, *, step: int, **values: float) -> None:
        """Add one value to each named series at `step`."""
        row: dict[str, float] = {"step": step, **{name: float(value) for name, value in values.items()}}
        self._remember(row)
        if self._file is not None:
            self._file.write(json.dumps(row) + "\n")

    def flush(self) -> None:
        """Hand what was appended to the operating system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def rewind(self, step: int) -> None:
        """Forget everything from `step` on: a resumed run writes those steps again."""
        for steps, values in self._series.values():
            while steps and steps[-1] >= step:
                steps.pop()
                values.pop()

    def names(self) -> list[str]:
        """The names of the series, in the order of their first value."""
        return list(self._series)

    def values(self, name: str) -> list[float]:
        """The values of a series; empty if there is none of that name."""
        return list(self._series.get(name, ([], []))[1])

    def steps(self, name: str) -> list[int]:
        """The steps at which `values(name)` were taken."""
        return list(self._series.get(name, ([], []))[0])

    def _remember(self, row: Mapping[str, float]) -> None:
        step = int(row["step"])
        for name, value in row.items():
            if name == "step":
                continue
            steps, values = self._series.setdefault(name, ([], []))
            while steps and steps[-1] >= step:  # written before an interruption, and again after it
                steps.pop()
                values.pop()
            steps.append(step)
            values.append(float(value))


def _rows(path: Path) -> Iterator[dict[str, float]]:
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            yield json.loads(line)
        except ValueError as error:
            if number == len(lines):  # no newline behind it: the process died while writing
                return
            raise DataError(
                f"Line {number} of {path.name} is not JSON: {line[:60]!r}.",
                expected="one JSON object per line.",
                remedy="delete that line, or start the run again in a new folder.",
            ) from error


def _mend_tail(path: Path) -> None:
    """Cut a torn last line, so that the next line does not continue it."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as file:
        content = file.read()
        keep = content.rfind(b"\n") + 1
        if keep < len(content):
            file.truncate(keep)
