"""Facts about the cache of decoded pictures."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epochal.data import cache
from epochal.data.cache import MASKS, PIXELS, SEAL, TABLE, CacheUnusable, CacheWriter, look_up
from epochal.errors import SettingError

SHAPE = (6, 4, 5, 3)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for each test."""
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "images"


def images(seed: int = 0) -> np.ndarray:
    """Six small pictures."""
    return np.random.default_rng(seed).integers(0, 256, SHAPE, dtype=np.uint8)


def keep(key: str, *, seed: int = 0, table: bytes = b"table") -> None:
    """Write six pictures in two parts."""
    with CacheWriter(key, shape=SHAPE) as writer:
        writer.write(images(seed)[:4])
        writer.write(images(seed)[4:])
        writer.commit(table)


def test_round_trip(folder: Path) -> None:
    """What was kept is found, read-only and not in memory; nothing else is left in the folder."""
    keep("key")
    found = look_up("key")
    assert found is not None
    np.testing.assert_array_equal(found[0].images.array, images())
    assert found[1] == b"table"
    assert not found[0].images.in_memory
    with pytest.raises(ValueError, match="read-only"):
        found[0].images.array[0] = 0
    assert [entry.name for entry in folder.iterdir()] == ["key"]


def masks(seed: int = 0) -> np.ndarray:
    """Six small masks."""
    return np.random.default_rng(seed).integers(0, 4, SHAPE[:3], dtype=np.uint8)


def keep_with_masks(key: str, *, seed: int = 0) -> None:
    """Write six pictures with their masks in two parts."""
    with CacheWriter(key, shape=SHAPE, mask_shape=SHAPE[:3]) as writer:
        for part in (slice(0, 4), slice(4, 6)):
            writer.write(images(seed)[part], masks(seed)[part])
        writer.commit(b"table")


def test_masks_lie_beside_the_pixels(folder: Path) -> None:
    """Masks come back read-only and mapped; a change in them is noticed as one in the pixels is."""
    keep_with_masks("key")
    found = look_up("key")
    assert found is not None
    assert found[0].masks is not None
    np.testing.assert_array_equal(found[0].masks.array, masks())
    np.testing.assert_array_equal(found[0].images.array, images())
    assert not found[0].masks.in_memory
    with pytest.raises(ValueError, match="read-only"):
        found[0].masks.array[0] = 0
    data = bytearray((folder / "key" / MASKS).read_bytes())
    data[-1] ^= 1
    (folder / "key" / MASKS).write_bytes(data)
    assert look_up("key") is None
    (folder / "key" / MASKS).unlink()
    assert look_up("key") is None
    keep_with_masks("key", seed=1)
    assert look_up("key") is not None


def test_a_disk_that_fills_between_pixels_and_masks(folder: Path) -> None:
    """Where the pixels of a part were written and its masks were not, the part counts as missing."""
    with CacheWriter("key", shape=SHAPE, mask_shape=SHAPE[:3]) as writer:
        writer.write(images()[:4], masks()[:4])
        writer._files[1]._file.close()
        with pytest.raises(ValueError, match="closed file"):
            writer.write(images()[4:], masks()[4:])
        rescued = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE[:3], np.uint8)
        assert writer.rescue(*rescued) == 4
        np.testing.assert_array_equal(rescued[1][:4], masks()[:4])
    assert not list(folder.iterdir())


def test_nothing_is_seen_before_commit(folder: Path) -> None:
    """A writer that is left before the end leaves nothing behind."""
    with CacheWriter("key", shape=SHAPE) as writer:
        writer.write(images())
        assert look_up("key") is None
    assert look_up("key") is None
    assert not list(folder.iterdir())


def _truncate(folder: Path) -> None:
    os.truncate(folder / PIXELS, (folder / PIXELS).stat().st_size - 10)


def _flip(folder: Path) -> None:
    data = bytearray((folder / PIXELS).read_bytes())
    data[-1] ^= 1
    (folder / PIXELS).write_bytes(data)


def _replace(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("x")


DAMAGES = {
    "pixels cut off": _truncate,
    "a pixel changed": _flip,
    "foreign pixels": lambda folder: np.save(folder / PIXELS, np.zeros(SHAPE)),
    "pickled pixels": lambda folder: np.save(folder / PIXELS, np.array([{}]), allow_pickle=True),
    "no pixels": lambda folder: (folder / PIXELS).unlink(),
    "another table": lambda folder: (folder / TABLE).write_bytes(b"other"),
    "no seal": lambda folder: (folder / SEAL).unlink(),
    "torn seal": lambda folder: (folder / SEAL).write_text("{"),
    "a file in its place": _replace,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damage_is_noticed_and_mended(folder: Path, damage: Any) -> None:
    """A cache that is not whole is not used, and the next writer puts a whole one in its place."""
    keep("key")
    damage(folder / "key")
    assert look_up("key") is None
    keep("key", seed=1)
    found = look_up("key")
    assert found is not None
    np.testing.assert_array_equal(found[0].images.array, images(1))


def test_two_writers_at_once(folder: Path) -> None:
    """Two writers of the same pictures both finish, and what is left is whole."""
    barrier, failures = threading.Barrier(2), []

    def write() -> None:
        try:
            with CacheWriter("key", shape=SHAPE) as writer:
                writer.write(images())
                barrier.wait()
                np.testing.assert_array_equal(writer.commit(b"table").images.array, images())
        except BaseException as error:  # noqa: BLE001 - told by the test
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert look_up("key") is not None
    assert [entry.name for entry in folder.iterdir()] == ["key"]


KILLED = """
import os, signal, numpy as np
from epochal.data.cache import CacheWriter
with CacheWriter("key", shape=(6, 4, 5, 3)) as writer:
    writer.write(np.ones((4, 4, 5, 3), np.uint8))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_kill_leaves_nothing_that_is_taken_for_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After kill -9 nothing is found; the remains are cleared away once they are old."""
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert look_up("key") is None
    keep("key")
    assert len(list(folder.iterdir())) == 2
    monkeypatch.setattr(cache, "ABANDONED_SECONDS", -1.0)
    cache.prune(folder, keep="key", room=0)
    assert [entry.name for entry in folder.iterdir()] == ["key"]


def test_disk_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk without room is noticed before anything is written."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 90, 10))
    with pytest.raises(CacheUnusable, match="GiB free"), CacheWriter("key", shape=SHAPE):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_disk_full_while_writing(folder: Path) -> None:
    """A disk that fills up is an error in plain words, and what came before can be rescued."""
    with CacheWriter("key", shape=SHAPE) as writer:
        writer.write(images()[:4])
        whole = writer._files[0]._file
        writer._files[0]._file = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115 - closed by the writer
        with pytest.raises(CacheUnusable, match=os.strerror(errno.ENOSPC)):
            writer.write(images()[4:])
        rescued = np.zeros(SHAPE, np.uint8)
        assert writer.rescue(rescued) == 4
        np.testing.assert_array_equal(rescued[:4], images()[:4])
        whole.close()
    assert not list(folder.iterdir())


def test_unwritable_folder(as_nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder without permission is an error in plain words."""
    as_nobody.chmod(0o500)
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(as_nobody / "cache"))
    with pytest.raises(CacheUnusable, match="cannot be written"), CacheWriter("key", shape=SHAPE):
        pass


def test_longest_unused_goes_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit, caches go in the order of their last use, never the one that is asked for."""
    for age, key in enumerate(["new", "middle", "old"]):
        keep(key)
        os.utime(folder / key / SEAL, (time.time() - 1000 * (age + 1),) * 2)
    assert look_up("old") is not None  # used now
    size = sum(file.stat().st_size for file in (folder / "old").iterdir())
    monkeypatch.setenv("EPOCHAL_CACHE_GIB", str(2.5 * size / 2**30))
    cache.prune(folder, keep="other", room=0)
    assert sorted(entry.name for entry in folder.iterdir()) == ["new", "old"]
    cache.prune(folder, keep="new", room=10 * size)
    assert [entry.name for entry in folder.iterdir()] == ["new"]


def test_nonsense_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is no number is told to the user."""
    monkeypatch.setenv("EPOCHAL_CACHE_GIB", "plenty")
    folder.mkdir(parents=True)
    with pytest.raises(SettingError, match="EPOCHAL_CACHE_GIB is plenty"):
        cache.prune(folder, keep="", room=0)
