"""The network is joined with all that trains it, as the recipe says."""

import pytest
import torch

from epochal.ensembles.averaging import EMA
from epochal.models.resnet import ResNet
from epochal.stages.baseline import facts_for
from epochal.stages.inspected import Inspected
from epochal.stages.network import make_fit
from epochal.stages.session import Session
from epochal.transforms.geometry import HorizontalFlip, Translate


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
