"""Small data to run the command on, watched for changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stages.striped import striped_folder


def fingerprint(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything that a program could change: names, modes, times and contents."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="session")
def stripes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures of stripes in each split, shared by all: a run never changes its data."""
    return striped_folder(tmp_path_factory.mktemp("faults") / "stripes", 30)


@pytest.fixture(autouse=True)
def _data_stay_as_they_are(stripes: Path) -> Iterator[None]:
    """Whatever goes wrong in a test, nothing is written into the data folder."""
    before = fingerprint(stripes)
    yield
    assert fingerprint(stripes) == before
