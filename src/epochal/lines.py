"""Append-only files of JSON lines: what survives a `kill -9` with at most its last line torn."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from epochal.errors import RunError


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects in `path`; a last line without its newline was torn by a kill and is left out.

    Raises: RunError if any other line is not a JSON object.
    """
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise RunError(
                f"Line {number} of {path} is not a JSON object: {line[:60]!r}.",
                expected="one JSON object per line.",
                remedy="delete that line, or start the run again in a new folder.",
            )
        yield row


def append_durably(path: Path, row: Mapping[str, Any]) -> None:
    """Append one object to `path`; it is on the disk when this returns, or nothing of it is.

    Raises: OSError naming `path` if the disk is full.
    """
    line = memoryview(_as_line(row).encode("utf-8", "backslashreplace"))  # names on disk need not be valid text
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        before = os.fstat(handle).st_size
        try:
            while line:
                line = line[os.write(handle, line) :]
            os.fsync(handle)
        except OSError as error:
            os.ftruncate(handle, before)  # half a line would spoil the next one
            raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        os.close(handle)


class LineWriter:
    """Appends many objects to a file, one line each, after cutting a torn last line."""

    def __init__(self, path: Path) -> None:
        """Open `path` for appending; folders above it are made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        cut_torn_tail(path)
        self._file: IO[str] = path.open("a", encoding="utf-8")

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one object."""
        self._file.write(_as_line(row))

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def cut_torn_tail(path: Path) -> None:
    """Remove what follows the last newline, so that the next line does not continue a torn one."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as file:
        content = file.read()
        keep = content.rfind(b"\n") + 1
        if keep < len(content):
            file.truncate(keep)


def _as_line(row: Mapping[str, Any]) -> str:
    """NaN and infinities become strings: JSON has no word for them."""
    return json.dumps(_finite(row), ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):  # noqa: PLR0124
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
