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


def masks() -> np.ndarray:
    """The masks of five small pictures."""
    return np.arange(20, dtype=np.uint8).reshape(SHAPE[:3]) % 3


def filled(*, key: str | None, masked: bool = False) -> tuple[Store, np.ndarray, bool]:
    """A store that took five pictures in three parts; the array it gives, and whether that is in memory."""
    with ExitStack() as stack:
        store = Store(SHAPE, key=key, where="pets", stack=stack, masked=masked)
        for part in (slice(0, 2), slice(2, 3), slice(3, 5)):
            store.write(images()[part], masks()[part] if masked else None)
        kept = store.finish(TABLE)
        assert (kept.masks is not None) == masked
        if kept.masks is not None:
            np.testing.assert_array_equal(kept.masks.array, masks())
            assert kept.masks.in_memory == kept.images.in_memory
            assert not kept.masks.array.flags.writeable
        return store, np.array(kept.images.array), kept.images.in_memory


@pytest.mark.parametrize("key", [None, "key"])
@pytest.mark.parametrize("masked", [False, True])
def test_pictures_come_back(*, key: str | None, masked: bool) -> None:
    """In memory and in the cache the arrays are what was written."""
    store, array, in_memory = filled(key=key, masked=masked)
    np.testing.assert_array_equal(array, images())
    assert in_memory == (key is None)
    assert not store.remarks
    assert (look_up("key") is not None) == (key is not None)


@pytest.mark.parametrize("method", ["__enter__", "write", "commit"])
@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("masked", [False, True])
def test_a_full_disk_costs_nothing_but_the_cache(
    monkeypatch: pytest.MonkeyPatch, *, method: str, after: int, masked: bool
) -> None:
    """Whenever the disk fails, pictures and masks are all there, in memory, and a remark says why."""
    original, calls = getattr(CacheWriter, method), 0

    def failing(self: CacheWriter, *given: object) -> object:
        nonlocal calls
        calls += 1
        if calls > (after if method == "write" else 0):
            raise CacheUnusable("the disk is full")
        return original(self, *given)

    monkeypatch.setattr(CacheWriter, method, failing)
    store, array, in_memory = filled(key="key", masked=masked)
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
            store.finish(TABLE).images.array[0] = 0
