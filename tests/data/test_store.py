"""Facts about where pixels go while they come in."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from epochal.data import store as room
from epochal.data.cache import CacheUnusable, CacheWriter, look_up
from epochal.data.store import Store
from epochal.data.table import SampleTable
from epochal.errors import DataError

SHAPE = (5, 2, 2, 1)
TABLE = SampleTable.of([], classes=())


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EPOCHAL_CACHE_DIR", str(tmp_path))


def images() -> np.ndarray:
    """Five small pictures."""
    return np.arange(20, dtype=np.uint8).reshape(SHAPE)


def filled(*, key: str | None) -> tuple[Store, np.ndarray, bool]:
    """A store that took five pictures in three parts; the array it gives, and whether that is in memory."""
    with ExitStack() as stack:
        store = Store(SHAPE, key=key, where="pets", stack=stack)
        for part in (slice(0, 2), slice(2, 3), slice(3, 5)):
            store.write(images()[part])
        kept = store.finish(TABLE)
        return store, np.array(kept.array), kept.in_memory


@pytest.mark.parametrize("key", [None, "key"])
def test_pictures_come_back(key: str | None) -> None:
    """In memory and in the cache the array is what was written."""
    store, array, in_memory = filled(key=key)
    np.testing.assert_array_equal(array, images())
    assert in_memory == (key is None)
    assert not store.remarks
    assert (look_up("key") is not None) == (key is not None)


@pytest.mark.parametrize("method", ["__enter__", "write", "commit"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_full_disk_costs_nothing_but_the_cache(monkeypatch: pytest.MonkeyPatch, method: str, after: int) -> None:
    """Whenever the disk fails, the pictures are all there, in memory, and a remark says why."""
    original, calls = getattr(CacheWriter, method), 0

    def failing(self: CacheWriter, *given: object) -> object:
        nonlocal calls
        calls += 1
        if calls > (after if method == "write" else 0):
            raise CacheUnusable("the disk is full")
        return original(self, *given)

    monkeypatch.setattr(CacheWriter, method, failing)
    store, array, in_memory = filled(key="key")
    np.testing.assert_array_equal(array, images())
    assert in_memory
    assert store.remarks == ["no cache: the disk is full; the images are kept in memory and decoded again next time"]
    assert look_up("key") is None


def test_neither_disk_nor_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither holds the pictures, the error names both and the way out."""
    monkeypatch.setattr(room, "free_memory", lambda: 30)
    with ExitStack() as stack, pytest.raises(DataError, match="more than memory should give") as caught:
        Store(SHAPE, key=None, where="pets", stack=stack)
    assert "EPOCHAL_CACHE_DIR" in caught.value.remedy


def test_the_array_is_read_only() -> None:
    """What all rooms share, none of them changes."""
    with ExitStack() as stack:
        store = Store(SHAPE, key=None, where="pets", stack=stack)
        store.write(images())
        with pytest.raises(ValueError, match="read-only"):
            store.finish(TABLE).array[0] = 0
