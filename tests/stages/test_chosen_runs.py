"""Trainings by every name of the recipe: they learn, survive a stop, and go from data to verdict."""

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from epochal.errors import SettingError
from epochal.models import sizing
from epochal.optim import optimizer as optimizers
from epochal.optim import shapes
from epochal.optim.plateau import PlateauRule, plateau_factor
from epochal.optim.regularization import sparsity
from epochal.optim.schedule_free import ScheduleFreeAdamW
from epochal.recipe.config import settle
from epochal.recipe.journal import Journal
from epochal.stages import network, watching
from epochal.stages.artifact import load_model
from epochal.stages.baseline import facts_for
from epochal.stages.fit import Fit
from epochal.stages.inspected import Inspected
from epochal.stages.network import make_fit
from epochal.stages.session import Session
from epochal.stages.settling import settle_learning, settle_rate
from epochal.stages.train import train_network
from epochal.stages.walk import start
from stages.conftest import Prepared
from stages.counted import Counted
from stages.stopped import stopped_after
from stages.striped import striped_folder
from stages.whole import SETTINGS, copied, inspected_on


def _settled(begun: tuple[Session, Inspected], **changes: Any) -> tuple[Session, Inspected]:
    session, inspected = begun
    session.recipe = session.recipe.replace({key.replace("__", "."): value for key, value in changes.items()})
    settle_learning(session, inspected.task)
    settle_rate(session, sgd_lr=0.05, batch_size=16)
    return session, inspected


def _fit(begun: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Fit:
    monkeypatch.setattr(network, "TimedSteps", lambda _seconds: Counted(30))
    session, inspected = _settled(begun, optimizer__batch_size=16, **changes)
    return make_fit(session, inspected, facts=facts_for(inspected, "resnet", width=8), seconds=1.0)


COMBINATIONS: list[dict[str, Any]] = [
    *({"optimizer__name": name} for name in optimizers.NAMES),
    *({"schedule__name": name} for name in shapes.NAMES),
    {"averaging__name": "swa", "averaging__start": 0.5},
    {"averaging__name": "none"},
    {"optimizer__clip_norm": 1.0},
    {"loss__name": "focal"},
    {"loss__class_weights": "balanced"},
    {"loss__prior_correction": 1.0},
    {"data__sampling": "balanced"},
    {"penalty__l1": 1e-4},
    {"penalty__l1": 1e-5, "penalty__l2": 1e-4, "penalty__proximal": False},
    {"penalty__max_norm": 3.0},
]


@pytest.mark.parametrize("changes", COMBINATIONS, ids=lambda each: "-".join(map(str, each.values())))
def test_every_name_trains_and_is_looked_at(
    begun: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """Thirty steps with the settled settings lower the loss, and a look sees finite values."""
    fit = _fit(begun, monkeypatch, **changes)
    losses = [float(step.loss) for step in fit.steps()]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert np.isfinite(fit.look().loss)
    assert fit.best.look is not None


STATEFUL: list[dict[str, Any]] = [
    {"optimizer__name": "schedule-free"},
    {"optimizer__name": "muon"},
    {"averaging__name": "swa", "averaging__start": 0.2},
    {"averaging__name": "none", "penalty__l1": 1e-4},
    {"schedule__name": "plateau", "schedule__patience": 0},
]


@pytest.mark.parametrize("changes", STATEFUL, ids=lambda each: str(next(iter(each.values()))))
def test_every_state_survives_a_stop(
    begun: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch, tmp_path: Any, changes: dict[str, Any]
) -> None:
    """Stopped after a look and taken up by new objects: the same losses, rates and looks to the last bit."""
    whole, first, second = (_fit(begun, monkeypatch, **changes) for _ in range(3))
    ends = []
    for fit, rest in ((whole, None), (first, second)):
        seen: list[tuple[float, float]] = []
        current = fit
        for step in fit.steps():
            seen.append((float(step.loss), step.lr))
            if step.number % 6 == 0:
                current.look()
            if rest is not None and step.number == 12:
                fit.save(tmp_path / "train.pt")
                rest.resume(tmp_path / "train.pt")
                current = rest
                break
        if rest is not None:
            for step in rest.steps():
                seen.append((float(step.loss), step.lr))
                if step.number % 6 == 0:
                    rest.look()
        ends.append((seen, current.look()))
    assert ends[0] == ends[1]


def test_what_schedule_free_keeps_is_its_average(
    begun: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best weights are those that the optimizer averaged, with statistics gathered for them."""
    fit = _fit(begun, monkeypatch, optimizer__name="schedule-free")
    for _ in fit.steps():
        pass
    fit.look()
    optimizer = fit.update.optimizer
    assert isinstance(optimizer, ScheduleFreeAdamW)
    optimizer.eval()
    for name, value in fit.model.named_parameters():
        assert torch.equal(fit.best.weights[name], value.detach())
    statistics = [name for name in fit.best.weights if name.endswith("running_mean")]
    own = fit.model.state_dict()
    assert statistics
    assert not all(torch.equal(fit.best.weights[name], own[name]) for name in statistics)


def _plateau(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the rate after each look that is no better, from a high one; looks after each epoch, whatever the clock."""
    monkeypatch.setattr(watching, "_LOOK_COST", float("inf"))
    chosen = {
        "optimizer.lr": 0.15, "schedule.name": "plateau", "schedule.patience": 0, "schedule.divide_by": 2.0,
        "schedule.warmup": 0.0, "schedule.final": 0.0,
    }  # fmt: skip
    session.chosen |= set(chosen)
    session.recipe = session.recipe.replace(chosen)


def test_a_plateau_divides_the_rate_by_what_the_looks_saw(
    ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rate of each stretch follows from the validation losses before it, told in the journal (W4.3)."""
    session, inspected = ready
    _plateau(session, monkeypatch)
    monkeypatch.setattr(network, "TimedSteps", lambda _seconds: Counted(60))
    assert train_network(session, inspected)
    epochs = list(session.journal.select("epoch"))
    losses, rates = [event["val_loss"] for event in epochs], [event["lr"] for event in epochs]
    rule = PlateauRule(divide_by=2.0, patience=0)
    expected = [session.recipe.optimizer.lr * plateau_factor(losses[:i], rule=rule) for i in range(len(losses))]
    assert rates == pytest.approx(expected)
    assert rates[-1] < rates[0]


def test_an_interrupted_plateau_goes_on_as_if_it_had_not_been(
    ready: tuple[Session, Inspected], prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rates, losses and scores of all looks equal those of a training that nobody stopped."""
    told = []
    for number in range(2):
        session, inspected = inspected_on(prepared.data, copied(ready[0].folder, tmp_path / f"again{number}"))
        _plateau(session, monkeypatch)
        if number:
            with stopped_after(3, monkeypatch):
                train_network(session, inspected)
            session, inspected = inspected_on(prepared.data, session.folder)
            _plateau(session, monkeypatch)
        assert train_network(session, inspected)
        last = {event["number"]: event for event in session.journal.select("epoch")}
        told.append([(each["lr"], each["val_loss"], each["val_score"]) for _, each in sorted(last.items())])
    assert told[0] == told[1]
    assert len({lr for lr, _, _ in told[0]}) > 1


def test_the_plan_of_the_rate_is_written_when_training_begins(
    ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, before the first step, and not again by a resumed training (K3.4)."""
    session, inspected = ready
    with stopped_after(2, monkeypatch):
        train_network(session, inspected)
    assert train_network(session, inspected)
    (event,) = session.journal.select("series", name="train.lr_planned")
    first = session.journal.last("epoch")
    assert first is not None
    assert event["x"][0] == 0
    assert event["x"][-1] == 1
    assert max(event["y"]) == pytest.approx(session.recipe.optimizer.lr, rel=0.02)


def test_zeros_of_l1_are_reported_of_the_model_that_is_kept(ready: tuple[Session, Inspected]) -> None:
    """The share in the journal is that of the file (W6.2)."""
    session, inspected = ready
    session.recipe = session.recipe.replace({"penalty.l1": 3e-3})
    assert train_network(session, inspected)
    model, _ = load_model(session.folder.baseline("resnet"))
    found = sparsity(model).values()
    share = sum(each.zeros for each in found) / sum(each.weights for each in found)
    assert share > 0.01
    assert session.journal.measured("train.sparsity") == pytest.approx(share, abs=2e-3)


def test_a_whole_run_by_other_names(tmp_path: Path) -> None:
    """From data to verdict with a plateau, another optimizer and another loss; the plan and the rate are on record."""
    names = {"schedule.name": "plateau", "schedule.patience": 1, "optimizer.name": "nadam", "loss.name": "focal"}
    data = striped_folder(tmp_path / "stripes")
    with mock.patch.object(sizing, "MOST_EPOCHS", 8):
        outcome = start(data, settle(options={**SETTINGS, **names}), out=tmp_path / "run")
    journal = Journal(outcome.folder.journal)
    assert journal.last("result") is not None
    model = journal.last("model", name="resnet")
    assert model is not None
    planned = journal.last("series", name="train.lr_planned")
    assert planned is not None
    assert max(planned["y"]) == pytest.approx(0.002 * (8 / 256) ** 0.5, rel=1e-3)  # batches of 8, the root rule
    settled = {event["key"]: event["value"] for event in journal.select("decision")}
    assert {key: settled[key] for key in names} == names
    assert settled["loss.label_smoothing"] == 0
    assert (settled["schedule.warmup"], settled["optimizer.batch_size"]) == (0.05, 8)
    written = settle(file=outcome.folder.recipe).recipe
    assert written.schedule.name == "plateau"


def test_a_contradiction_ends_a_run_before_it_costs_time(tmp_path: Path) -> None:
    """After the data are read and before anything is trained."""
    data = striped_folder(tmp_path / "stripes")
    with pytest.raises(SettingError, match="for regression, and the task is classification"):
        start(data, settle(options={**SETTINGS, "loss.name": "huber"}), out=tmp_path / "run")
    journal = Journal(tmp_path / "run" / "journal.jsonl")
    assert not journal.finished("skeleton")
