"""Files that survive kills, full disks, damage and strangers."""

import io
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import CheckpointError
from epochal.training import checkpoint
from epochal.training.checkpoint import (
    load,
    load_newest,
    load_weights,
    previous,
    save,
    save_keeping_previous,
    save_weights,
)
from epochal.writing import clear_leftovers

STATE = {"step": 7, "weight": torch.arange(6.0).view(2, 3), "names": ["a", "b"]}


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    """Tensors, numbers, names: everything is equal, and torch.load needed no pickle."""
    save(tmp_path / "a.pt", STATE)
    state = load(tmp_path / "a.pt")
    assert torch.equal(state["weight"], STATE["weight"])  # type: ignore[arg-type]
    assert (state["step"], state["names"]) == (7, ["a", "b"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


@given(data=st.data())
def test_no_damaged_file_is_read(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One flipped bit anywhere, or a cut anywhere, is noticed before torch sees the content."""
    path = tmp_path_factory.mktemp("damage") / "a.pt"
    save(path, {"x": torch.ones(3)})
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        path.write_bytes(whole[:place])
    else:
        bit = 1 << data.draw(st.integers(0, 7))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
    with pytest.raises(CheckpointError, match="What to do"):
        load(path)


class _Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch exploded",))


def test_a_strangers_pickle_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with code in it, its checksum right, is refused and nothing of it runs."""
    monkeypatch.chdir(tmp_path)
    archive = io.BytesIO()
    torch.save({"x": _Bomb()}, archive)
    for body in (archive.getvalue(), pickle.dumps(_Bomb()), b"", b"PK\x03\x04", pickle.dumps([1])):
        header = {"format": checkpoint.FORMAT, "version": 1, "bytes": len(body)}
        header["blake2b"] = checkpoint._checksum(body)
        Path("a.pt").write_bytes(json.dumps(header).encode() + b"\n" + body)
        with pytest.raises(CheckpointError, match=r"a\.pt"):
            load(Path("a.pt"))
    torch.save({"x": _Bomb()}, "b.pt")
    with pytest.raises(CheckpointError, match="no checkpoint of epochal"):
        load(Path("b.pt"))
    assert not Path("exploded").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"", "no checkpoint"), (b"{}\nx", "no checkpoint"), (b"[1]\n", "no checkpoint"), (b"PK" * 9999, "no checkpoint")],
)
def test_foreign_files_are_told(tmp_path: Path, content: bytes, told: str) -> None:
    """Whatever else stands under the name is not ours."""
    (tmp_path / "a.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=told):
        load(tmp_path / "a.pt")


def test_a_newer_format_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a later version says so, instead of failing somewhere inside."""
    monkeypatch.setattr(checkpoint, "VERSION", 2)
    save(tmp_path / "a.pt", STATE)
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match="format 2"):
        load(tmp_path / "a.pt")


def test_missing_files_and_folders_are_told(tmp_path: Path) -> None:
    """Nothing there, or a folder of that name, is an error of ours with a remedy."""
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(CheckpointError, match="cannot be read"):
            load(path)


def test_falls_back_on_the_previous_state(tmp_path: Path) -> None:
    """A damaged last file costs one saving interval, not the run; two damaged ones are both named."""
    path = tmp_path / "last.pt"
    for step in (1, 2, 3):
        save_keeping_previous(path, {"step": step})
    assert load_newest([path, previous(path)]) == (path, {"step": 3})
    path.write_bytes(b"torn")
    assert load_newest([path, previous(path)]) == (previous(path), {"step": 2})
    previous(path).unlink()
    with pytest.raises(CheckpointError, match=r"last\.pt is no checkpoint.*previous cannot be read"):
        load_newest([path, previous(path)])
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_newest([])


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """When writing fails half-way the error says how much room is needed, and the old file is whole."""
    path = tmp_path / "a.pt"
    save(path, {"step": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # the kernel refuses as a full disk would
    try:
        with pytest.raises(CheckpointError, match="could not be written"):
            save(path, {"weight": torch.zeros(1 << 20)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert load(path) == {"step": 1}
    assert [each.name for each in tmp_path.iterdir()] == ["a.pt"]


def test_a_kill_while_saving_loses_nothing(tmp_path: Path) -> None:
    """`kill -9` of a process that saves without pause: the file is whole each time, the leftover is cleared."""
    program = (
        "import sys, torch; from pathlib import Path; from epochal.training.checkpoint import save\n"
        "state = {'weight': torch.ones(1 << 20)}; print('ready', flush=True)\n"
        "while True: save(Path(sys.argv[1]), state)"
    )
    path = tmp_path / "a.pt"
    for pause in (0.05, 0.011, 0.023):
        process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        while not path.exists():
            time.sleep(0.001)
        time.sleep(pause)
        process.kill()
        process.wait()
        process.stdout.close()
        assert load(path)["weight"].sum() == 1 << 20
    clear_leftovers(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.pt"]


def test_weights_travel_as_safetensors(tmp_path: Path) -> None:
    """Exported weights and words come back equal, whatever the layout in memory."""
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_weights(tmp_path / "m.safetensors", model, metadata={"classes": '["a"]'})
    weights, words = load_weights(tmp_path / "m.safetensors")
    assert torch.equal(weights["weight"], model.weight)
    assert words == {"classes": '["a"]'}


def test_shared_weights_are_exported_whole(tmp_path: Path) -> None:
    """Two names of one tensor are written under both names."""
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    save_weights(tmp_path / "m.safetensors", model, metadata={})
    weights, _ = load_weights(tmp_path / "m.safetensors")
    assert torch.equal(weights["0.weight"], weights["1.weight"])


@pytest.mark.parametrize("content", [None, b"", b"\x00" * 64])
def test_damaged_weights_are_told(tmp_path: Path, content: bytes | None) -> None:
    """A missing or damaged export is an error of ours."""
    path = tmp_path / "m.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="safetensors"):
        load_weights(path)
