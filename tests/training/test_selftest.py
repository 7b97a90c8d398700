"""What `epochal doctor` proves on the user's machine, proven here too."""

import pytest

from epochal.training.selftest import PROMISES, Promise, prove


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_every_promise_holds(promise: Promise) -> None:
    """The measured difference is within rounding; for resuming it is exactly zero."""
    (proof,) = prove([promise])
    assert proof.held, proof


def test_a_broken_promise_is_told() -> None:
    """A difference beyond rounding, or not a number, does not pass."""
    broken = [
        Promise(name="a", measure=lambda: 0.1, allowed=0.01),
        Promise(name="b", measure=lambda: float("nan"), allowed=1),
    ]
    assert [proof.held for proof in prove(broken)] == [False, False]


def test_a_failing_proof_does_not_stop_the_rest() -> None:
    """What raises is reported in its own line."""

    def fails() -> float:
        raise OSError("no network")

    failed, fine = prove(
        [Promise(name="a", measure=fails, allowed=1), Promise(name="b", measure=lambda: 0.0, allowed=0)]
    )
    assert (failed.held, failed.error, fine.held) == (False, "OSError: no network", True)
