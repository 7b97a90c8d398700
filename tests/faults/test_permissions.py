"""Rights that are missing: what may only be read is enough, and what may not be read is named."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.program import Ended, epochal
from faults.test_kill import OPTIONS
from faults.troubles import bound_by_permissions
from stages.striped import CLASSES, striped_folder


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """Stripes of one's own, whose permissions a test may change."""
    folder = striped_folder(tmp_path / "stripes", 30)
    yield folder
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755)


def _run(data: Path, work: Path) -> Ended:
    return epochal("run", data, *OPTIONS, cwd=work, trouble=bound_by_permissions)


def test_a_read_only_data_folder_is_all_it_takes(data: Path, tmp_path: Path) -> None:
    """With no right to write anywhere in the data, the run is done like any other."""
    for path in [data, *data.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    ended = _run(data, tmp_path)
    assert ended.code == 0, ended.err


def test_what_may_not_be_read_is_named_and_left_out(data: Path, tmp_path: Path) -> None:
    """A file and a folder without permission are troubles of theirs, not of the run."""
    (data / "train" / CLASSES[0] / "000.png").chmod(0)
    closed = data / "train" / CLASSES[1] / "closed"
    closed.mkdir(mode=0)
    ended = _run(data, tmp_path)
    assert ended.code == 0, ended.err
    assert "unreadable-file" in (tmp_path / "run" / "findings.json").read_text(encoding="utf-8")
    journal = (tmp_path / "run" / "journal.jsonl").read_text(encoding="utf-8")
    assert f"train/{CLASSES[0]}/000.png" in journal
    assert "no-permission" in journal


def test_a_place_that_may_not_be_written_is_named(data: Path, tmp_path: Path) -> None:
    """The run folder cannot be made: three lines, no traceback."""
    work = tmp_path / "work"
    work.mkdir()
    work.chmod(0o555)
    ended = epochal("run", data, *OPTIONS[:-1], work / "run", cwd=tmp_path, trouble=bound_by_permissions)
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert f"{work / 'run'} cannot be used: Permission denied" in ended.err


def test_a_data_folder_that_may_not_be_opened_is_named(data: Path, tmp_path: Path) -> None:
    """A closed folder is not called an empty one."""
    data.chmod(0)
    ended = _run(data, tmp_path)
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert "permission" in ended.err.lower()
