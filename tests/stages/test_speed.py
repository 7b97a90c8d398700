"""How fast the network trains is measured, once."""

import pytest

from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from epochal.stages.speed import images_per_second


def test_speed_is_measured_once(begun: tuple[Session, Inspected]) -> None:
    """A later question, and a later start, get the first answer: a resumed run plans as before."""
    session, inspected = begun
    speed = images_per_second(session, inspected)
    assert speed > 0
    assert images_per_second(session, inspected) == pytest.approx(speed, abs=0.1)
    assert len(list(session.journal.select("measurement", name="train.images_per_second"))) == 1
