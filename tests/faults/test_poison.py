"""A stranger's run folder: whatever lies in place of its files is refused or ignored, and never unpickled."""

import contextlib
import hashlib
import io
import json
import pickle
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import epochal as package
from epochal.errors import EpochalError
from epochal.stages.artifact import is_sound
from epochal.training import checkpoint
from faults.program import epochal
from faults.test_kill import OPTIONS
from faults.troubles import killed_after_saves
from stages.trap import Trap


def _as_checkpoint(body: bytes) -> bytes:
    """Foreign content behind a header that is right in every respect."""
    header = {
        "format": checkpoint.FORMAT,
        "version": checkpoint.VERSION,
        "bytes": len(body),
        "blake2b": hashlib.blake2b(body, digest_size=16).hexdigest(),
    }
    return json.dumps(header).encode() + b"\n" + body


def _poisons(mark: Path) -> list[bytes]:
    """A bare pickle, one with a line end, torch's and numpy's kinds, and one behind a header of ours."""
    bare = pickle.dumps(Trap(mark))
    torchs, numpys = io.BytesIO(), io.BytesIO()
    torch.save({"weight": Trap(mark)}, torchs)
    np.save(numpys, np.array([Trap(mark)], dtype=object), allow_pickle=True)
    return [bare, bare + b"\n", torchs.getvalue(), numpys.getvalue(), _as_checkpoint(torchs.getvalue())]


@pytest.fixture(scope="module")
def interrupted(stripes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed in training: all of its files are still to be read."""
    top = tmp_path_factory.mktemp("interrupted")
    ended = epochal("run", stripes, *OPTIONS, cwd=top, trouble=killed_after_saves(2))
    assert ended.code == -signal.SIGKILL
    return top / "run"


def _files(run: Path) -> list[Path]:
    found = [path for path in run.rglob("*") if path.is_file() and path.name != ".lock"]
    names = {path.name for path in found}
    assert names >= {
        "journal.jsonl",
        "model.safetensors",
        "train.pt",
        "train.pt.previous",
        "linear.safetensors",
        "train.jsonl",
    }
    return found


@pytest.mark.parametrize("number", range(5))
def test_no_command_unpickles_a_file_of_a_run(stripes: Path, interrupted: Path, tmp_path: Path, number: int) -> None:
    """Each file is poisoned in turn: what reads it refuses it in our own words, what does not goes on."""
    run, mark = Path(shutil.copytree(interrupted, tmp_path / "run")), tmp_path / "ran"
    poison = _poisons(mark)[number]
    for path in _files(run):
        content = path.read_bytes()
        path.write_bytes(poison)
        with contextlib.suppress(EpochalError):
            package.redraw(run)
        with contextlib.suppress(EpochalError):
            package.predict(run, stripes / "test")
        path.write_bytes(content)
    (run / "model.safetensors").write_bytes(poison)
    with pytest.raises(EpochalError):
        package.predict(run, stripes / "test")
    with pytest.raises(EpochalError):
        package.export(run, kind="torch")
    assert not mark.exists()


@pytest.mark.parametrize("number", range(5))
def test_continuing_a_poisoned_run_unpickles_nothing(
    stripes: Path, interrupted: Path, tmp_path: Path, number: int
) -> None:
    """With every file but the journal poisoned the run begins its parts anew, or says what it cannot use."""
    run, mark = Path(shutil.copytree(interrupted, tmp_path / "run")), tmp_path / "ran"
    for path in _files(run):
        if path.name not in {"journal.jsonl", "files.list", "train.jsonl"}:
            path.write_bytes(_poisons(mark)[number])
    ended = epochal("run", stripes, *OPTIONS, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "Training begins anew" in ended.out
    assert is_sound(run / "model.safetensors")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["journal.jsonl", "files.list", "train.jsonl"])
def test_a_record_that_is_none_is_refused(stripes: Path, interrupted: Path, tmp_path: Path, name: str) -> None:
    """Journal, list of files and history are read line by line: what is no record is said to be none."""
    run, mark = Path(shutil.copytree(interrupted, tmp_path / "run")), tmp_path / "ran"
    (path,) = run.rglob(name)
    path.write_bytes(_poisons(mark)[1])
    ended = epochal("run", stripes, *OPTIONS, cwd=tmp_path)
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert not mark.exists()
