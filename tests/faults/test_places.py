"""Where a run may be written, and what happens when two want the same place."""

import shutil
from pathlib import Path

import pytest

from epochal.stages.folder import RunFolder
from faults.conftest import fingerprint
from faults.program import epochal


@pytest.mark.parametrize("inside", ["", "run", "train/run"])
def test_out_inside_the_data_is_refused(stripes: Path, tmp_path: Path, inside: str) -> None:
    """Not a byte is written into the data folder, whatever the user asks for."""
    ended = epochal("run", stripes, "--out", stripes / inside, cwd=tmp_path)
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert "data folder" in ended.err or "not of a run" in ended.err


def test_starting_in_the_data_folder_is_refused(stripes: Path, tmp_path: Path) -> None:
    """`cd photos; epochal run .` would write `runs/` among the photos."""
    data = shutil.copytree(stripes, tmp_path / "photos")
    before = fingerprint(data)
    ended = epochal("run", data, cwd=data)
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert "lies in the data folder" in ended.err
    after = fingerprint(data)
    assert after == before


def test_two_runs_in_one_folder_are_not_mixed(stripes: Path, tmp_path: Path) -> None:
    """The second to come is told to wait or to go elsewhere, and the first is not disturbed."""
    folder = RunFolder(tmp_path / "run")
    with folder.locked():
        before = fingerprint(folder.path)
        ended = epochal("run", stripes, "--out", "run", cwd=tmp_path)
        assert fingerprint(folder.path) == before
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert "Another process is at work in run" in ended.err


def test_a_folder_that_holds_something_else_is_left_alone(stripes: Path, tmp_path: Path) -> None:
    """Other people's files are neither used nor overwritten."""
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    ended = epochal("run", stripes, "--out", "thesis", cwd=tmp_path)
    assert (ended.code, "not of a run" in ended.err) == (2, True)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_commands_on_a_run_that_is_not_there(stripes: Path, tmp_path: Path) -> None:
    """Predict, report and export say that there is no run, in the same way."""
    for command in (["predict", "runs/none", stripes], ["report", "runs/none"], ["export", "runs/none"]):
        ended = epochal(*command, cwd=tmp_path)
        assert (ended.code, "Traceback" in ended.err) == (2, False)
        assert "runs/none holds no run" in ended.err
