"""What `epochal doctor` proves about averaging."""

from epochal.ensembles.selftest import PROMISES
from epochal.training.selftest import prove


def test_every_promise_holds() -> None:
    """The average kept in training equals its formula on this machine."""
    for proof in prove(PROMISES):
        assert proof.held, proof
