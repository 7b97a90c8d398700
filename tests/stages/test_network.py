"""The network to be fitted follows from the images, the time and a measured speed, and from nothing else."""

import pytest
import torch

from epochal.ensembles.averaging import EMA
from epochal.models.resnet import ResNet
from epochal.stages.baseline import facts_for
from epochal.stages.inspect import Inspected
from epochal.stages.network import images_per_second, make_fit, size_network
from epochal.stages.session import Session
from epochal.transforms.geometry import HorizontalFlip, Translate


def test_too_little_time_gives_no_plan(begun: tuple[Session, Inspected]) -> None:
    """Below a second nothing is planned; the stage is then skipped."""
    session, inspected = begun
    assert size_network(session, inspected, seconds=0.2) is None
    assert size_network(session, inspected, seconds=-5.0) is None


def test_the_plan_is_settled_and_explained(begun: tuple[Session, Inspected]) -> None:
    """Batch, rate, average and shift are decided with reasons; what the user chose stays; time is not exceeded."""
    session, inspected = begun
    planned = size_network(session, inspected, seconds=5.0)
    assert planned is not None
    assert planned.seconds <= 5.0
    assert planned.options == {"width": 16}
    keys = ("optimizer.batch_size", "optimizer.lr", "transforms.crop_padding", "averaging.decay")
    for key in keys:
        event = session.journal.last("decision", key=key)
        assert event is not None
        assert event["reason"]
        assert session.recipe[key] == event["value"]


def test_speed_is_measured_once(begun: tuple[Session, Inspected]) -> None:
    """A later question, and a later start, get the first answer: a resumed run plans as before."""
    session, inspected = begun
    speed = images_per_second(session, inspected)
    assert speed > 0
    assert images_per_second(session, inspected) == pytest.approx(speed, abs=0.1)
    assert len(list(session.journal.select("measurement", name="train.images_per_second"))) == 1


def test_the_same_seed_makes_the_same_fit(begun: tuple[Session, Inspected]) -> None:
    """Weights at the start follow from the seed and the training images; the head begins at the class shares."""
    session, inspected = begun
    facts = facts_for(inspected, "resnet", width=8)
    one, other = (make_fit(session, inspected, facts=facts, seconds=1.0) for _ in range(2))
    assert isinstance(one.model, ResNet)
    for name, value in one.model.state_dict().items():
        torch.testing.assert_close(other.model.state_dict()[name], value, rtol=0, atol=0)


def test_the_recipe_reaches_every_part(begun: tuple[Session, Inspected]) -> None:
    """Rate, momentum, decay, transforms and average are those that the recipe names."""
    session, inspected = begun
    changes = {
        "optimizer.lr": 0.3, "optimizer.momentum": 0.7, "optimizer.weight_decay": 0.01, "optimizer.batch_size": 8,
        "transforms.flip": True, "transforms.crop_padding": 3, "averaging.decay": 0.75, "schedule.start": 0.5,
    }  # fmt: skip
    session.recipe = session.recipe.replace(changes)
    fit = make_fit(session, inspected, facts=facts_for(inspected, "resnet", width=8), seconds=1.0)
    groups = fit.update.optimizer.param_groups
    assert {group["weight_decay"] for group in groups} == {0.0, 0.01}
    assert {group["momentum"] for group in groups} == {0.7}
    assert min(group["lr"] for group in groups) == pytest.approx(0.3)
    assert fit.update.schedule(0.0) == pytest.approx(0.5)
    flip, shift = fit.update.transforms
    assert isinstance(flip, HorizontalFlip)
    assert isinstance(shift, Translate)
    assert shift.reach == 3
    (average,) = fit.update.after_update
    assert isinstance(average, EMA)
    assert average.decay == 0.75
    assert len(fit.loader) == len(inspected.train) // 8


@pytest.mark.parametrize("name", ["linear", "cosine", "constant"])
def test_every_schedule_of_the_recipe_rises_then_falls_to_its_end(begun: tuple[Session, Inspected], name: str) -> None:
    """Warm-up from the first factor to 1, then the named fall; constant stays."""
    session, inspected = begun
    session.recipe = session.recipe.replace(
        {"schedule.name": name, "schedule.warmup": 0.25, "schedule.start": 0.1, "schedule.final": 0.05}
    )
    schedule = make_fit(session, inspected, facts=facts_for(inspected, "resnet", width=8), seconds=1.0).update.schedule
    assert schedule(0.0) == pytest.approx(0.1)
    assert schedule(0.25) == pytest.approx(1.0)
    assert schedule(1.0) == pytest.approx(1.0 if name == "constant" else 0.05)


def test_without_transforms_images_stay_as_they_are(begun: tuple[Session, Inspected]) -> None:
    """Switched off in the recipe, nothing is applied."""
    session, inspected = begun
    session.recipe = session.recipe.replace({"transforms.flip": False, "transforms.crop_padding": 0})
    fit = make_fit(session, inspected, facts=facts_for(inspected, "resnet", width=8), seconds=1.0)
    assert fit.update.transforms == ()
