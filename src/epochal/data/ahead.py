"""Working ahead in a thread: the next values are made while the last ones are used."""

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

# How long the thread waits before it looks whether anyone still wants its values.
PATIENCE_SECONDS = 0.1


class _End:
    """The last thing in the queue: nothing more comes, or an error that must surface where values are used."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(values: Iterator[T], *, depth: int) -> Iterator[T]:
    """Give the same values in the same order, up to `depth` of them made before they are asked for.

    An error of `values` is raised at its place; a consumer that stops early ends the thread.

    >>> list(ahead(iter(range(4)), depth=2))
    [0, 1, 2, 3]
    """
    made: queue.Queue[T | _End] = queue.Queue(depth)
    stopped = threading.Event()
    worker = threading.Thread(target=_make, args=(values, made), kwargs={"stopped": stopped}, name="ahead", daemon=True)
    worker.start()
    try:
        while True:
            value = made.get()
            if isinstance(value, _End):
                if value.error is not None:
                    raise value.error
                return
            yield value
    finally:
        stopped.set()
        worker.join()


def _make(values: Iterator[T], made: "queue.Queue[T | _End]", *, stopped: threading.Event) -> None:
    end = _End(None)
    try:
        for value in values:
            if not _put(made, value, stopped=stopped):
                return
    except BaseException as error:  # noqa: BLE001 - raised again where the values are used
        end = _End(error)
    _put(made, end, stopped=stopped)


def _put(made: "queue.Queue[T | _End]", value: "T | _End", *, stopped: threading.Event) -> bool:
    while not stopped.is_set():
        try:
            made.put(value, timeout=PATIENCE_SECONDS)
        except queue.Full:
            continue
        return True
    return False
