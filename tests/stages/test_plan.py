"""Width, length and rates follow from the images, the time and a measured speed, and from nothing else."""

from pathlib import Path

import pytest

from epochal.stages.folder import RunFolder
from epochal.stages.inspected import Inspected
from epochal.stages.plan import plan_training
from epochal.stages.session import Session
from stages.targets import folder_with
from stages.whole import inspected_on


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


@pytest.mark.parametrize(("kind", "optimizer"), [("regression", "adamw"), ("segmentation", "muon")])
def test_each_task_has_its_own_plan_which_the_user_may_change(kind: str, optimizer: str, tmp_path: Path) -> None:
    """Values and masks are learnt by what was measured to suit them, unless the user says otherwise."""
    data = folder_with(kind, tmp_path / "data")
    session, inspected = inspected_on(data, RunFolder(tmp_path / "run"))
    assert plan_training(session, inspected, seconds=5.0) is not None
    assert session.recipe.optimizer.name == optimizer
    session, inspected = inspected_on(data, RunFolder(tmp_path / "other"), optimizer__name="sgd")
    assert plan_training(session, inspected, seconds=5.0) is not None
    assert session.recipe.optimizer.name == "sgd"
    assert session.recipe.optimizer.weight_decay < 0.01
