"""Ctrl-C waits for the end of a step, and not for longer than the user wants."""

import signal
import threading

import pytest

from epochal.stages.interruption import Interruption


def test_the_first_is_noted_and_the_second_acts() -> None:
    """A step is finished before a polite end; who insists is obeyed."""
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:  # noqa: PT012 - both signals are the point
        signal.raise_signal(signal.SIGINT)
        assert interruption.asked
        signal.raise_signal(signal.SIGINT)


def test_afterwards_everything_is_as_before() -> None:
    """The handler that was there is there again, also after an error."""
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ZeroDivisionError), Interruption():
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is before


def test_in_another_thread_it_changes_nothing() -> None:
    """Where signals cannot be handled, as in a notebook's worker, training still works."""
    seen = []

    def work() -> None:
        with Interruption() as interruption:
            seen.append(interruption.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
