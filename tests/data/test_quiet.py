"""Facts about keeping Pillow's warnings in."""

import threading
import warnings

import pytest

from epochal.data.quiet import quiet_pillow


def test_warnings_are_heard_again_afterwards() -> None:
    """Inside nothing is raised; afterwards the filters are the user's own again, also after an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with quiet_pillow():
            warnings.warn("inside", stacklevel=1)
        with pytest.raises(ZeroDivisionError), quiet_pillow():
            raise ZeroDivisionError
        with pytest.raises(UserWarning, match="outside"):
            warnings.warn("outside", stacklevel=1)


def test_threads_that_overlap() -> None:
    """One thread leaving does not make another loud that is still inside."""
    failures: list[Warning] = []
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with quiet_pillow():
            inside.set()
            leave.wait()
            try:
                warnings.warn("still inside", stacklevel=1)
            except UserWarning as warning:
                failures.append(warning)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = warnings.filters[:]
        thread = threading.Thread(target=hold)
        thread.start()
        inside.wait()
        with quiet_pillow():
            pass
        leave.set()
        thread.join()
        assert not failures
        assert warnings.filters == before
