"""Facts about working ahead."""

import threading
import time
from collections.abc import Iterator

import pytest

from epochal.data.ahead import ahead


def threads() -> list[threading.Thread]:
    """Threads of ours that still live."""
    return [thread for thread in threading.enumerate() if thread.name == "ahead"]


@pytest.mark.parametrize("depth", [1, 2, 10])
def test_same_values_same_order(depth: int) -> None:
    """Nothing is lost or turned round, and the thread ends with the values."""
    assert list(ahead(iter(range(50)), depth=depth)) == list(range(50))
    assert not threads()


def test_error_comes_at_its_place() -> None:
    """Values made before the error arrive, then the error itself."""

    def values() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    found = ahead(values(), depth=5)
    assert next(found) == 1
    with pytest.raises(OSError, match="gone"):
        next(found)
    assert not threads()


def test_stopping_early_ends_the_thread() -> None:
    """A consumer that breaks off leaves no thread behind, also where values would never end."""

    def endless() -> Iterator[int]:
        while True:
            yield 0

    found = ahead(endless(), depth=2)
    next(found)
    found.close()  # type: ignore[attr-defined]  # a generator
    assert not threads()


def test_no_more_than_asked_is_made() -> None:
    """Only `depth` values wait, and one is in the making."""
    made = []

    def values() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    found = ahead(values(), depth=2)
    next(found)
    time.sleep(0.3)
    assert len(made) <= 4
    found.close()  # type: ignore[attr-defined]  # a generator
