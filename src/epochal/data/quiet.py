"""Pillow's warnings about strangers' files are turned into remarks about those files, never into noise."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside = 0
_kept: "warnings.catch_warnings[None] | None" = None


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Keep warnings from leaking out of a decoder, in any number of threads at once.

    The filters of the `warnings` module belong to the whole process: the first to enter sets them aside, the last to
    leave puts them back.

    >>> with warnings.catch_warnings(), quiet_pillow():
    ...     warnings.warn("Corrupt EXIF data")
    """
    global _inside, _kept  # noqa: PLW0603 - the filters that are set aside are the process's own
    with _lock:
        if _inside == 0:
            _kept = warnings.catch_warnings()
            _kept.__enter__()
            warnings.simplefilter("ignore")
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0 and _kept is not None:
                _kept.__exit__(None, None, None)
                _kept = None
