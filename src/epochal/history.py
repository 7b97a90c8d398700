"""The series of one run: append-only, readable without torch, tolerant of a torn last line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from epochal.lines import LineWriter, read_lines


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

    def __init__(self, file: LineWriter | None = None) -> None:
        """Begin empty, in memory only unless there is a file to append to."""
        self._series: dict[str, tuple[list[int], list[float]]] = {}
        self._file = file

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
        history = cls(LineWriter(path))
        for row in read_lines(path):
            history._remember(row)
        return history

    @classmethod
    def read(cls, path: Path) -> History:
        """The history saved at `path`."""
        history = cls()
        for row in read_lines(path):
            history._remember(row)
        return history

    def append(self, *, step: int, **values: float) -> None:
        """Add one value to each named series at `step`."""
        row: dict[str, float] = {"step": step, **{name: float(value) for name, value in values.items()}}
        self._remember(row)
        if self._file is not None:
            self._file.write(row)

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
