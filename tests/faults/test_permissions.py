"""Rights that are missing: what may only be read is enough, and what may not be read is named."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import epochal as package
from faults.program import Ended, epochal
from faults.test_kill import OPTIONS
from faults.troubles import NOBODY, become_nobody
from stages.striped import CLASSES, striped_folder


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for someone whom permissions bind: root is not one, so root's tests become nobody."""
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    yield top
    for path in top.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(top)


def _as_nobody() -> None:
    """Drop all rights; the cache goes where this user may write."""
    os.environ["EPOCHAL_CACHE_DIR"] = str(Path.cwd() / "cache")
    become_nobody()
    if not os.access(package.__file__, os.R_OK):
        os._exit(77)


def _run(data: Path, work: Path) -> Ended:
    ended = epochal("run", data, *OPTIONS, cwd=work, trouble=_as_nobody)
    if ended.code == 77:
        pytest.skip("nobody may read the installed package here")
    return ended


def _work(top: Path) -> Path:
    work = top / "work"
    work.mkdir()
    if os.geteuid() == 0:
        os.chown(work, NOBODY, NOBODY)
    return work


def test_a_read_only_data_folder_is_all_it_takes(place: Path) -> None:
    """With no right to write anywhere in the data, the run is done like any other."""
    data = striped_folder(place / "stripes", 30)
    for path in [data, *data.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    ended = _run(data, _work(place))
    assert ended.code == 0, ended.err


def test_what_may_not_be_read_is_named_and_left_out(place: Path) -> None:
    """A file and a folder without permission are problems of theirs, not of the run."""
    data = striped_folder(place / "stripes", 30)
    secret = data / "train" / CLASSES[0] / "000.png"
    secret.chmod(0)
    closed = data / "train" / CLASSES[1] / "closed"
    closed.mkdir()
    closed.chmod(0)
    ended = _run(data, work := _work(place))
    assert ended.code == 0, ended.err
    findings = (work / "run" / "findings.json").read_text(encoding="utf-8")
    assert "unreadable-file" in findings
    journal = (work / "run" / "journal.jsonl").read_text(encoding="utf-8")
    assert f"train/{CLASSES[0]}/000.png" in journal
    assert "no-permission" in journal


def test_a_place_that_may_not_be_written_is_named(place: Path) -> None:
    """The run folder cannot be made: one message, no traceback."""
    data = striped_folder(place / "stripes", 5)
    work = place / "work"
    work.mkdir(mode=0o555)
    ended = _run(data, work)
    if os.geteuid() == 0:
        assert not (work / "run").exists()
    assert (ended.code, "Traceback" in ended.err) == (2, False)


def test_a_data_folder_that_may_not_be_opened_is_named(place: Path) -> None:
    """A closed folder is no empty one."""
    data = striped_folder(place / "stripes", 5)
    data.chmod(0)
    ended = _run(data, _work(place))
    assert (ended.code, "Traceback" in ended.err) == (2, False)
