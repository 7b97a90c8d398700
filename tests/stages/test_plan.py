"""Width, length and rates follow from the images, the time and a measured speed, and from nothing else."""

from epochal.stages.inspected import Inspected
from epochal.stages.plan import plan_training
from epochal.stages.session import Session


def test_too_little_time_gives_no_plan(begun: tuple[Session, Inspected]) -> None:
    """Below a second nothing is planned; the stage is then skipped."""
    session, inspected = begun
    assert plan_training(session, inspected, seconds=0.2) is None
    assert plan_training(session, inspected, seconds=-5.0) is None


def test_the_plan_is_settled_and_explained(begun: tuple[Session, Inspected]) -> None:
    """Batch, rate, average and shift are decided with reasons; what the user chose stays; time is not exceeded."""
    session, inspected = begun
    planned = plan_training(session, inspected, seconds=5.0)
    assert planned is not None
    assert planned.seconds <= 5.0
    assert planned.options == {"width": 16}
    keys = ("optimizer.batch_size", "optimizer.lr", "transforms.crop_padding", "averaging.decay")
    for key in keys:
        event = session.journal.last("decision", key=key)
        assert event is not None
        assert event["reason"]
        assert session.recipe[key] == event["value"]
