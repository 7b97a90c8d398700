"""A stranger's run folder: whatever lies in place of its files is refused or ignored, and never unpickled."""

import hashlib
import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

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


@pytest.mark.parametrize("number", range(5))
def test_no_file_of_a_run_is_ever_unpickled(stripes: Path, tmp_path: Path, number: int) -> None:
    """Each file of an interrupted run is poisoned in turn; no command runs what is in it, none ends in a traceback."""
    first = epochal("run", stripes, *OPTIONS, cwd=tmp_path, trouble=killed_after_saves(2))
    assert first.code < 0
    run, mark = tmp_path / "run", tmp_path / "ran"
    whole = {path: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != ".lock"}
    assert len(whole) >= 8
    poison = _poisons(mark)[number]
    for path, content in whole.items():
        path.write_bytes(poison)
        for command in (
            ["predict", "run", stripes / "test"],
            ["report", "run"],
            ["export", "run", "--format", "torch"],
        ):
            ended = epochal(*command, cwd=tmp_path)
            assert "Traceback" not in ended.err, f"{path.name}: {ended.err}"
            assert ended.code in {0, 2}
        path.write_bytes(content)
    for path in whole:
        path.write_bytes(poison)
    ended = epochal("run", stripes, *OPTIONS, cwd=tmp_path)
    assert "Traceback" not in ended.err, ended.err
    assert ended.code in {0, 2}
    assert not mark.exists()
