"""A fit stopped anywhere and resumed is the fit that never stopped; its best weights are those of its best look."""

import copy
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from epochal.data.loader import ArrayLoader
from epochal.ensembles.averaging import EMA
from epochal.errors import CheckpointError
from epochal.losses.classification import cross_entropy
from epochal.optim import schedule
from epochal.optim.optimizer import build
from epochal.stages.fit import Best, Fit, Look, StepLosses
from epochal.tasks.classification import Classification
from epochal.training.checkpoint import previous
from epochal.training.environment import seed_everything
from epochal.training.loop import Update
from epochal.training.pace import FixedSteps, TimedSteps
from epochal.training.runtime import Runtime
from epochal.transforms.geometry import HorizontalFlip, Translate

STEPS = 11  # of 4 in an epoch: it ends in the middle of one


TASK = Classification(classes=("a", "b", "c"), counts=(11, 11, 10))


def _network() -> nn.Module:
    seed_everything(3)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(4 * 36, 3)
    )


def _fit() -> Fit:
    """A small fit with everything that has a state: momentum, averages, dropout, transforms, a schedule."""
    dice = np.random.default_rng(0)
    images, labels = dice.integers(0, 256, (40, 8, 8, 1), dtype=np.uint8), dice.integers(0, 3, 40)
    model = _network()

    def loader(rows: np.ndarray, *, shuffle: bool) -> ArrayLoader:
        return ArrayLoader(
            images, labels, rows, batch_size=8, mean=[0.5], std=[0.25], seed=1, shuffle=shuffle, drop_last=shuffle
        )

    average = EMA(model, decay=0.9)
    return Fit(
        model,
        task=TASK,
        update=Update(
            loss=cross_entropy,
            optimizer=build(model, name="sgd", lr=0.05, momentum=0.9, nesterov=True),
            schedule=schedule.linear(end=0.1),
            transforms=(HorizontalFlip(), Translate(reach=1)),
            after_update=(average,),
        ),
        average=average,
        pace=cast("TimedSteps", FixedSteps(STEPS)),
        runtime=Runtime(),
        loader=loader(np.arange(32), shuffle=True),
        validation=loader(np.arange(32, 40), shuffle=False),
    )


def _shadow(fit: Fit) -> dict[str, torch.Tensor]:
    assert isinstance(fit.average, EMA)
    return fit.average.shadow


def _state(fit: Fit) -> dict[str, torch.Tensor]:
    own = fit.model.state_dict()
    return {**own, **{f"average.{name}": value for name, value in _shadow(fit).items()}}


@pytest.mark.parametrize("stop", [1, 4, 5, 10])
def test_resuming_equals_no_interruption(tmp_path: Path, stop: int) -> None:
    """At an epoch's end or in its middle: the same losses and weights to the last bit, from a new process's objects."""
    whole, first, second = _fit(), _fit(), _fit()
    expected = [float(step.loss) for step in whole.steps()]
    losses = []
    for step in first.steps():
        losses.append(float(step.loss))
        if step.number == stop:
            first.look()
            first.save(tmp_path / "train.pt")
            break
    assert second.resume(tmp_path / "train.pt") == tmp_path / "train.pt"
    losses += [float(step.loss) for step in second.steps()]
    assert losses == expected
    assert second.best.look == first.best.look
    for name, value in _state(whole).items():
        torch.testing.assert_close(_state(second)[name], value, rtol=0, atol=0)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    """One bad file costs the steps since the last but one save."""
    fit, path = _fit(), tmp_path / "train.pt"
    for step in fit.steps():
        if step.number in (2, 6):
            fit.save(path)
    path.write_bytes(path.read_bytes()[:-7])
    again = _fit()
    assert again.resume(path) == previous(path)
    assert again.position.step == 2


def test_with_no_sound_checkpoint_it_says_so_and_stays_untouched(tmp_path: Path) -> None:
    """Neither file whole: an error that names both, and nothing half restored."""
    path = tmp_path / "train.pt"
    for each in (path, previous(path)):
        each.write_bytes(b"damaged")
    fit = _fit()
    before = copy.deepcopy(_state(fit))
    with pytest.raises(CheckpointError, match=r"train\.pt .*train\.pt\.previous"):
        fit.resume(path)
    for name, value in _state(fit).items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_without_a_checkpoint_it_begins_at_the_beginning(tmp_path: Path) -> None:
    """A first start is no error."""
    assert _fit().resume(tmp_path / "train.pt") is None


def test_the_best_weights_are_those_of_the_best_look() -> None:
    """Restoring gives back the averaged weights that were seen then, whatever came after (K4.9)."""
    fit, seen = _fit(), {}
    for step in fit.steps():
        if step.number % 3 == 0:
            look = fit.look()
            seen[look.step] = (look, {name: value.clone() for name, value in _shadow(fit).items()})
    best = fit.best.look
    assert best is not None
    assert best == max((look for look, _ in seen.values()), key=lambda look: (look.score, -look.loss))
    fit.restore_best()
    for name, value in seen[best.step][1].items():
        torch.testing.assert_close(fit.model.state_dict()[name], value, rtol=0, atol=0)


def test_looking_leaves_the_training_weights_alone() -> None:
    """A look evaluates the average and puts the network's own weights back."""
    fit = _fit()
    next(fit.steps())
    before = copy.deepcopy(_state(fit))
    fit.look()
    for name, value in _state(fit).items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert fit.model.training


def test_a_broken_network_is_never_the_best() -> None:
    """NaN logits do not win by being compared."""
    fit = _fit()
    next(fit.steps())
    with torch.no_grad():
        for value in _shadow(fit).values():
            value.fill_(float("nan")) if value.is_floating_point() else None
    fit.look()
    assert fit.best.look is None


def _seen(score: float, loss: float) -> Look:
    return Look(step=1, epoch=0.1, progress=0.1, loss=loss, score=score)


@pytest.mark.parametrize("higher", [True, False])
def test_better_is_the_score_then_a_lower_loss(*, higher: bool) -> None:
    """The score first, whichever way it points; the loss between equals; anything is better than nothing."""
    good, poor = (0.6, 0.5) if higher else (0.5, 0.6)
    assert _seen(poor, 9.0).better_than(None, higher=higher)
    assert _seen(good, 9.0).better_than(_seen(poor, 0.1), higher=higher)
    assert not _seen(poor, 0.1).better_than(_seen(good, 9.0), higher=higher)
    assert _seen(good, 0.1).better_than(_seen(good, 0.2), higher=higher)
    assert not _seen(good, 0.2).better_than(_seen(good, 0.2), higher=higher)


def test_a_best_that_was_never_seen_survives_saving() -> None:
    """An interruption before the first look restores nothing and breaks nothing."""
    best = Best()
    best.load_state_dict(Best().state_dict())
    assert best.look is None


def test_losses_are_read_once_each() -> None:
    """What was read is gone; what came since is read next time."""
    fit, losses = _fit(), StepLosses()
    said = []
    for step in fit.steps():
        losses.add(step)
        said.append(float(step.loss))
        if step.number == 5:
            assert losses.read()[:2] == ([1, 2, 3, 4, 5], said)
    assert losses.read()[1] == said[5:]
    assert losses.read() == ([], [], [])
