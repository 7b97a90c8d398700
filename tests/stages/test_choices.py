"""Every name of the recipe reaches what trains, and a few steps of it learn."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from epochal.ensembles.average import LastWeights, PathAverage, WithStatistics
from epochal.ensembles.averaging import EMA
from epochal.errors import SettingError
from epochal.losses.by_name import FITTING
from epochal.optim import optimizer as optimizers
from epochal.optim import shapes
from epochal.optim.muon import Muon
from epochal.optim.plateau import Plateau
from epochal.optim.regularization import MaxNorm, ProximalL1
from epochal.optim.schedule_free import ScheduleFreeAdamW
from epochal.recipe.recipe import Recipe
from epochal.stages.choices import (
    average_for,
    clip_norm,
    initial_loss_for,
    loss_for,
    optimizer_for,
    penalties_for,
    planned_rates,
    sample_weights,
    schedule_for,
    write_plan,
    write_sparsity,
)
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from epochal.tasks.classification import Classification
from epochal.tasks.multi_label import MultiLabel
from epochal.tasks.regression import Regression
from epochal.tasks.segmentation import Segmentation

TASK = Classification(classes=("cat", "dog"), counts=(7, 1))
CLASSES = {
    "sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "nadam": torch.optim.NAdam,
    "rmsprop": torch.optim.RMSprop, "adagrad": torch.optim.Adagrad, "adadelta": torch.optim.Adadelta, "muon": Muon,
    "schedule-free": ScheduleFreeAdamW,
}  # fmt: skip


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 6), nn.Linear(6, 2))


def _recipe(**changes: Any) -> Recipe:
    return Recipe().replace({key.replace("__", "."): value for key, value in changes.items()})


@pytest.mark.parametrize("name", optimizers.NAMES)
def test_every_optimizer_has_the_recipes_settings(name: str) -> None:
    """Rate and decay in every one; momentum where the method has such a thing, under its own name."""
    recipe = _recipe(
        optimizer__name=name, optimizer__lr=0.02, optimizer__momentum=0.7, optimizer__weight_decay=0.03,
        optimizer__norm_bias_lr=2.0,
    )  # fmt: skip
    made = optimizer_for(recipe, _network())
    assert type(made) is CLASSES[name]
    first, last = made.param_groups[0], made.param_groups[-1]
    assert (first["initial_lr"], first["weight_decay"], last["weight_decay"]) == (0.02, 0.03, 0.0)
    if name in {"sgd", "muon", "rmsprop"}:
        assert first["momentum"] == 0.7
    elif name not in {"adagrad", "adadelta"}:
        assert first["betas"] == (0.7, 0.999)
    if name in {"sgd", "muon"}:
        assert first["nesterov"] is True


def test_sgd_without_momentum_has_no_nesterov() -> None:
    """Torch refuses Nesterov's form of no momentum."""
    assert optimizer_for(_recipe(optimizer__momentum=0.0), _network()).param_groups[0]["nesterov"] is False


def test_no_bound_is_no_clipping() -> None:
    """Zero is none, not a bound of zero."""
    assert clip_norm(Recipe()) is None
    assert clip_norm(_recipe(optimizer__clip_norm=0.5)) == 0.5


@pytest.mark.parametrize("name", shapes.NAMES)
def test_every_schedule_is_planned_before_the_run(name: str) -> None:
    """The plan is the schedule times the rate, from the first share to the last (K3.4)."""
    recipe = _recipe(schedule__name=name, optimizer__lr=0.5)
    shares, rates = planned_rates(recipe, points=11)
    assert shares == [round(i / 10, 6) for i in range(11)]
    assert rates == pytest.approx([0.5 * schedule_for(recipe)(share) for share in shares], rel=1e-5)


def test_every_figure_of_the_schedule_reaches_it() -> None:
    """Power, points, divisor, distance and patience are those of the recipe."""
    polynomial = _recipe(schedule__name="polynomial", schedule__power=3.0, schedule__warmup=0.0, schedule__final=0.0)
    assert schedule_for(polynomial)(0.5) == pytest.approx(0.125)
    points = _recipe(schedule__name="multi-step", schedule__at=(0.2,), schedule__divide_by=2.0, schedule__warmup=0.0)
    assert [schedule_for(points)(at) for at in (0.1, 0.3)] == [1.0, 0.5]
    step = _recipe(schedule__name="step", schedule__every=0.4, schedule__divide_by=10.0, schedule__warmup=0.0)
    assert [schedule_for(step)(at) for at in (0.3, 0.5, 0.9)] == pytest.approx([1.0, 0.1, 0.01])
    plateau = schedule_for(_recipe(schedule__name="plateau", schedule__patience=7, schedule__final=0.2))
    assert isinstance(plateau, Plateau)
    assert (plateau.rule.patience, plateau.rule.smallest, plateau.since) == (7, 0.2, 0.23)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss__name": "focal", "loss__gamma": 1.0, "loss__label_smoothing": 0.0},
        {"loss__class_weights": "balanced"},
        {"loss__class_weights": "effective-number", "loss__effective_beta": 0.9},
        {"loss__prior_correction": 1.0},
    ],
)
def test_the_loss_and_its_first_value_are_of_one_kind(changes: dict[str, Any]) -> None:
    """A network that says the prior to all has the loss that is expected before the first step (K2.4)."""
    recipe = _recipe(**changes)
    labels = torch.tensor([0] * 7 + [1])
    said = TASK.constant().expand(8, -1)
    assert loss_for(recipe, TASK)(said, labels).mean().item() == pytest.approx(initial_loss_for(recipe, TASK), rel=1e-5)


def test_a_key_that_the_task_does_not_know_is_refused() -> None:
    """A setting without effect is a mistake of the user's, told in three parts."""
    with pytest.raises(SettingError, match=r"loss\.beta is 0\.5, and the task is classification"):
        loss_for(_recipe(loss__beta=0.5), TASK)
    with pytest.raises(SettingError, match="for regression"):
        loss_for(_recipe(loss__name="absolute"), TASK)


TASKS: dict[str, Any] = {
    "classification": TASK,
    "multi-label": MultiLabel(classes=("cat", "dog"), counts=(7, 1), samples=8),
    "segmentation": Segmentation(classes=("road", "sky"), pixels=(7, 1)),
    "regression": Regression.of(["age"], np.array([[10.0], [20.0], [60.0]], np.float32)),
}
BATCHES = {
    "classification": (torch.zeros(2, 2), torch.tensor([0, 1])),
    "multi-label": (torch.zeros(2, 2), torch.tensor([[1.0, 0.0], [0.0, 1.0]])),
    "segmentation": (torch.zeros(2, 2, 4, 4), torch.tensor([0, 1]).view(2, 1, 1).expand(2, 4, 4)),
    "regression": (torch.zeros(2, 1), torch.tensor([[10.0], [50.0]])),
}


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in FITTING.items() for name in names])
def test_every_loss_that_fits_a_task_is_its_own(kind: str, name: str) -> None:
    """One value for each sample, and a first value to expect, for every task and each of its losses by name."""
    recipe = _recipe(loss__name=name, loss__label_smoothing=0.0)
    losses = loss_for(recipe, TASKS[kind])(*BATCHES[kind])
    assert losses.shape == (2,)
    assert bool(losses.isfinite().all())
    assert np.isfinite(initial_loss_for(recipe, TASKS[kind]))
    assert "auto" not in FITTING[kind]


@pytest.mark.parametrize("kind", FITTING)
def test_every_task_has_a_loss_where_none_is_named(kind: str) -> None:
    """The recipe as it comes works for every task, smoothing left out where none is known."""
    losses = loss_for(_recipe(loss__label_smoothing=0.0), TASKS[kind])(*BATCHES[kind])
    assert losses.shape == (2,)


def _average(recipe: Recipe) -> object:
    model = _network()
    return average_for(
        recipe, model, optimizer=optimizer_for(recipe, model), progress=lambda: 1.0, images=lambda: [torch.ones(2, 4)]
    )


def test_every_average_by_its_name() -> None:
    """EMA with the recipe's decay, a late mean with statistics of its own, or the last weights."""
    ema = _average(_recipe(averaging__decay=0.8))
    assert isinstance(ema, EMA)
    assert ema.decay == 0.8
    assert isinstance(_average(_recipe(averaging__name="swa")), WithStatistics)
    assert isinstance(_average(_recipe(averaging__name="none")), LastWeights)
    assert isinstance(_average(_recipe(averaging__decay=0.0)), LastWeights)


def test_schedule_free_is_judged_by_its_own_average() -> None:
    """No second average stands over it, whatever the table says."""
    average = _average(_recipe(optimizer__name="schedule-free"))
    assert isinstance(average, WithStatistics)
    assert isinstance(average._average, PathAverage)


def test_penalties_are_those_of_the_recipe() -> None:
    """By default none; else terms of the loss and projections, with the strengths named."""
    model = _network()
    optimizer = optimizer_for(Recipe(), model)
    none = penalties_for(Recipe(), model, optimizer=optimizer)
    assert (none.terms, none.after_update) == ((), ())
    recipe = _recipe(penalty__l1=0.1, penalty__l2=0.2, penalty__max_norm=3.0)
    some = penalties_for(recipe, model, optimizer=optimizer)
    assert some.after_update == (ProximalL1(strength=0.1, optimizer=optimizer), MaxNorm(3.0))
    assert len(some.terms) == 1


def test_sampling_weighs_rare_classes(begun: tuple[Session, Inspected]) -> None:
    """None, all classes alike, or half-way between (W9)."""
    _, inspected = begun
    train = inspected.train
    assert sample_weights(Recipe(), train) is None
    weights = sample_weights(_recipe(data__sampling="balanced"), train)
    assert weights is not None
    sums = np.bincount(train.targets, weights=weights)
    assert sums[0] == pytest.approx(sums[1])


def test_the_plan_is_a_series_of_the_journal(begun: tuple[Session, Inspected]) -> None:
    """Shares of the stage and rates, ready to be drawn beside the actual rate."""
    session, _ = begun
    write_plan(session)
    event = session.journal.last("series", name="train.lr_planned")
    assert event is not None
    assert event["over"] == "progress"
    assert (event["x"], event["y"]) == planned_rates(session.recipe)
    assert max(event["y"]) == pytest.approx(session.recipe.optimizer.lr, rel=0.02)


def test_sparsity_is_written_where_l1_was_asked_for(begun: tuple[Session, Inspected]) -> None:
    """The share of weights that are 0, and nothing where nobody asked."""
    session, _ = begun
    model = nn.Linear(4, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0.0, 0.0, 1.0]]))
    write_sparsity(session, model)
    assert session.journal.measured("train.sparsity") is None
    session.recipe = session.recipe.replace({"penalty.l1": 1e-4})
    write_sparsity(session, model)
    assert session.journal.measured("train.sparsity") == 0.75
