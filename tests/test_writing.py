"""Files are replaced as a whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from epochal.writing import clear_leftovers, write_atomically


@pytest.mark.parametrize("content", ["grüße\n", b"raw", [b"two ", memoryview(b"parts")]])
def test_what_is_written_is_read_back(content: str | bytes | list[bytes | memoryview], tmp_path: Path) -> None:
    """Text, bytes and parts all arrive, in folders that are made on the way."""
    path = tmp_path / "deep" / "file"
    write_atomically(path, content)
    wanted = (
        content.encode() if isinstance(content, str) else b"".join(content) if isinstance(content, list) else content
    )
    assert path.read_bytes() == wanted
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk the old content stays, and no temporary file is left to fill it further."""
    path = tmp_path / "file"
    write_atomically(path, "old")

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_names_that_are_not_text_do_not_stop_a_report(tmp_path: Path) -> None:
    """A lone surrogate, as in file names of another encoding, is written as an escape."""
    write_atomically(tmp_path / "file", "bad \udcff name")
    assert (tmp_path / "file").read_text() == "bad \\udcff name"


def test_leftovers_of_living_processes_stay(tmp_path: Path) -> None:
    """Only temporary files of processes that are gone, or of our own past, are cleared."""
    theirs = tmp_path / f".a.pt.{os.getppid()}.part"
    gone = tmp_path / ".a.pt.999999999.part"
    for path in (theirs, gone):
        path.write_bytes(b"x")
    assert clear_leftovers(tmp_path) == [gone]
    assert theirs.exists()
