"""Pictures of every kind that a stranger's folder may hold, all in one run."""

import io
import json
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faults.conftest import fingerprint
from faults.program import Ended, epochal
from faults.test_kill import OPTIONS
from pictures import encoded
from stages.striped import CLASSES, striped_folder, stripes


def _bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that says it is `side` pixels wide and high."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    )


def _turned(image: Image.Image) -> bytes:
    """A JPEG whose EXIF data say that it lies on its side."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", exif=exif, quality=95)
    return buffer.getvalue()


def _animated(image: Image.Image) -> bytes:
    frames = [image.convert("P"), Image.new("P", image.size, 3)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def _odd_pictures() -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Those that can be read, and those that cannot; all of them stripes across."""
    image = Image.fromarray(stripes(5000, across=True))
    wide = np.asarray(image.convert("L")).astype(np.uint16) * 257
    readable = {
        "sixteen.png": encoded(Image.fromarray(wide.astype(np.uint16))),
        "palette.png": encoded(image.convert("P")),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG", quality=95),
        "animated.gif": _animated(image),
        "turned.jpg": _turned(image),
        "grey-alpha.png": encoded(image.convert("LA")),
        "really-a-png.jpg": encoded(image.convert("RGBA")),
        "日本語 und Grüße 🦊.png": encoded(image.rotate(180)),
        "x" * 240 + ".png": encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
    }
    broken = {
        "bomb.png": _bomb(60_000),
        "huge.png": _bomb(2**31 - 1),
        "cut.jpg": encoded(image, "JPEG")[:200],
        "empty.png": b"",
        "words.png": b"these are words",
        "zeros.png": bytes(500),
    }
    return readable, broken


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes, with every oddity among the training pictures of one class."""
    data = striped_folder(tmp_path_factory.mktemp("zoo") / "zoo", 30)
    place = data / "train" / CLASSES[1]
    for files in _odd_pictures():
        for name, content in files.items():
            (place / name).write_bytes(content)
    (place / "loop").symlink_to(data, target_is_directory=True)
    (place / "itself").symlink_to("itself")
    (place / "gone.png").symlink_to("nowhere.png")
    if sys.platform == "linux":
        (Path(os.fsdecode(os.fsencode(place) + b"/caf\xe9.png"))).write_bytes(
            encoded(Image.fromarray(stripes(5001, across=True)))
        )
    os.mkfifo(place / "pipe.png")
    return data


@pytest.fixture(scope="module")
def run(zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    """The run on it, and where it lies."""
    top = tmp_path_factory.mktemp("zoo-run")
    before = _seen(zoo)
    ended = epochal("run", zoo, *OPTIONS, cwd=top)
    assert _seen(zoo) == before
    return ended, top / "run"


def _seen(zoo: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(zoo.rglob("*")) if "loop" not in path.parts}


def _measured(run: Path, name: str) -> object:
    found = [json.loads(line) for line in (run / "journal.jsonl").read_bytes().splitlines()]
    return [event["value"] for event in found if event["kind"] == "measurement" and event["name"] == name][-1]


def test_none_of_them_stops_the_run(run: tuple[Ended, Path]) -> None:
    """Exit code 0, no traceback, no warning from a library."""
    ended, _ = run
    assert ended.code == 0, ended.err
    assert ended.err == ""


def test_what_cannot_be_read_is_named(run: tuple[Ended, Path]) -> None:
    """Each broken file by name with its reason, the loop and the pipe passed over or named, nothing else."""
    problems = _measured(run[1], "data.problems")
    assert isinstance(problems, list)
    named = {problem["key"].rsplit("/", 1)[-1]: problem["problem"] for problem in problems}
    broken = set(_odd_pictures()[1])
    assert broken | {"gone.png"} <= named.keys()
    assert named.keys() <= broken | {"gone.png", "itself", "pipe.png"}
    assert all(named[name].startswith("too-large") for name in ("bomb.png", "huge.png"))
    assert named["empty.png"].startswith("empty")
    assert named["gone.png"].startswith("broken-link")


def test_what_can_be_read_is_used(run: tuple[Ended, Path]) -> None:
    """Odd names, odd formats, odd depths: all of them are training samples; the copies of a link are not."""
    splits = _measured(run[1], "data.splits")
    assert isinstance(splits, dict)
    extra = len(_odd_pictures()[0]) + (sys.platform == "linux")
    assert splits["train"][CLASSES[1]] == 15 + extra
    assert splits["train"][CLASSES[0]] == 15


def test_a_wrong_ending_is_reported_and_kept(run: tuple[Ended, Path]) -> None:
    """The finding names the file; the sample stays."""
    findings = json.loads((run[1] / "findings.json").read_text(encoding="utf-8"))
    assert [each for each in findings if each["rule"] == "wrong-extension"]


def test_predict_takes_the_same_zoo(zoo: Path, run: tuple[Ended, Path], tmp_path: Path) -> None:
    """Every file gets its row: a class, or what is wrong with it."""
    table = tmp_path / "said.json"
    ended = epochal("predict", run[1], zoo / "train" / CLASSES[1], "-o", table, cwd=tmp_path)
    assert ended.code == 0, ended.err
    rows = {row["file"]: row for row in json.loads(table.read_bytes())}
    for name in _odd_pictures()[0]:
        assert rows[name]["predicted"] in CLASSES
    for name in _odd_pictures()[1]:
        assert rows[name]["problem"]


def test_a_data_folder_of_any_name_will_do(tmp_path: Path) -> None:
    """Letters of any script, spaces, no valid text at all: the run is made, shown again, and names the place."""
    data = Path(os.fsdecode(os.fsencode(tmp_path) + b"/photos \xff \xf0\x9f\xa6\x8a"))
    striped_folder(data, 30)
    before = fingerprint(data)
    for _ in range(2):
        ended = epochal("run", data, *OPTIONS, cwd=tmp_path)
        assert ended.code == 0, ended.err
    assert fingerprint(data) == before
