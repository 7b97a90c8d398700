"""The network is trained in the time there is, resumed where it stopped, and kept only on evidence."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch

from epochal.ensembles.averaging import EMA
from epochal.models.head import find
from epochal.optim.plateau import PlateauRule, plateau_factor
from epochal.optim.regularization import sparsity
from epochal.recipe.journal import Journal
from epochal.stages import network, watching
from epochal.stages import train as train_module
from epochal.stages.artifact import load_model
from epochal.stages.baseline import facts_for, fit_baselines
from epochal.stages.fit import Fit
from epochal.stages.inspected import Inspected
from epochal.stages.network import make_fit
from epochal.stages.session import Session
from epochal.stages.train import train_network
from epochal.training.checkpoint import previous
from epochal.training.loop import Step
from stages.conftest import Prepared
from stages.counted import Counted
from stages.whole import copied, inspected_on


class Stopped(Exception):
    """Stands for a kill: raised between two steps, it leaves the files as they are."""


@pytest.fixture
def ready(begun: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch) -> tuple[Session, Inspected]:
    """Baselines are on disk; training takes 25 steps, five epochs, each of which is saved."""
    monkeypatch.setattr(watching, "_SAVE_SECONDS", 0.0)
    monkeypatch.setattr(watching, "_GIVE_UP", 2.0)
    monkeypatch.setattr(network, "TimedSteps", lambda _seconds: Counted(25))
    session, inspected = begun
    fit_baselines(session, inspected)
    return session, inspected


@contextmanager
def _stopped_after(saves: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the training end abruptly after so many saves."""
    whole, done = Fit.save, []

    def save(self: Fit, path: object) -> None:
        whole(self, path)  # type: ignore[arg-type]
        done.append(path)
        if len(done) == saves:
            raise Stopped

    with monkeypatch.context() as patched, pytest.raises(Stopped):  # noqa: PT012 - the body is what stops
        patched.setattr(Fit, "save", save)
        yield


def _told(session: Session, name: str) -> object:
    return Journal(session.folder.journal).measured(name)


def test_the_network_is_trained_and_judged(ready: tuple[Session, Inspected]) -> None:
    """Epochs, rates, predictions on the fixed batch and filters are in the journal; the candidate is on disk."""
    session, inspected = ready
    assert train_network(session, inspected)
    journal = session.journal
    assert journal.finished("train")
    epochs = list(journal.select("epoch"))
    assert [event["steps"] for event in epochs] == sorted({event["steps"] for event in epochs})
    assert {len(event["probabilities"]) for event in journal.select("dynamics")} == {16}
    assert journal.last("picture", name="filters") is not None
    assert next(journal.select("model", name="resnet"))["value"] == max(event["val_score"] for event in epochs)
    assert load_model(session.folder.baseline("resnet"))[1].network == "resnet"
    assert train_network(session, inspected)  # done already: nothing is done again
    assert list(journal.select("epoch")) == epochs


def test_without_time_it_is_skipped_and_says_so(ready: tuple[Session, Inspected]) -> None:
    """The model on disk stays, and the journal has the reason."""
    session, inspected = ready
    session.recipe = session.recipe.replace({"budget_seconds": 0.5})
    before = session.folder.model.read_bytes()
    assert not train_network(session, inspected)
    skipped = session.journal.last("stage", stage="train", event="skipped")
    assert skipped is not None
    assert "too little" in skipped["reason"]
    assert session.folder.model.read_bytes() == before


def test_an_interrupted_training_goes_on(ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch) -> None:
    """It resumes at the saved step, and the steps before it are not counted again."""
    session, inspected = ready
    with _stopped_after(3, monkeypatch):
        train_network(session, inspected)
    saved = session.journal.last("epoch")
    assert saved is not None
    assert train_network(session, inspected)
    resumed = _told(session, "train.resumed_at")
    assert isinstance(resumed, int)
    assert resumed > 0
    rows = [json.loads(line) for line in session.folder.history.read_text().splitlines()]
    steps = [row["step"] for row in rows if "loss" in row]
    assert steps == list(range(1, steps[-1] + 1))


def test_what_was_learnt_is_used_even_when_the_time_is_up(
    ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint is finished in a second rather than thrown away."""
    session, inspected = ready
    with _stopped_after(2, monkeypatch):
        train_network(session, inspected)
    session.recipe = session.recipe.replace({"budget_seconds": 0.5})
    assert train_network(session, inspected)
    assert session.journal.last("model", name="resnet") is not None


def test_a_damaged_checkpoint_falls_back_and_says_so(
    ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one before it is taken, and the line names both."""
    session, inspected = ready
    with _stopped_after(3, monkeypatch):
        train_network(session, inspected)
    checkpoint = session.folder.checkpoint
    checkpoint.write_bytes(checkpoint.read_bytes()[:-50])
    said: list[str] = []
    monkeypatch.setattr(session.progress, "line", said.append, raising=False)
    assert train_network(session, inspected)
    assert any("train.pt.previous" in line and "damaged" in line for line in said)
    event = Journal(session.folder.journal).last("measurement", name="train.resumed_at")
    assert event is not None
    assert event["note"] == previous(checkpoint).name


def test_with_every_checkpoint_damaged_it_begins_anew(
    ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training starts from the beginning in the time that is left, and the journal says why."""
    session, inspected = ready
    with _stopped_after(2, monkeypatch):
        train_network(session, inspected)
    for path in (session.folder.checkpoint, previous(session.folder.checkpoint)):
        path.write_bytes(b"damaged")
    assert train_network(session, inspected)
    assert "train.pt" in str(_told(session, "train.damaged_checkpoint"))
    assert _told(session, "train.resumed_at") is None
    assert session.journal.last("model", name="resnet") is not None


def test_a_diverging_loss_begins_again_slower(
    ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rate is divided by four, the reason written down, and training succeeds at the lower one."""
    session, inspected = ready
    looked: list[int] = []
    whole = watching.Watcher.look

    def look(self: watching.Watcher) -> bool:
        looked.append(1)
        return whole(self) and len(looked) > 1

    monkeypatch.setattr(watching.Watcher, "look", look)
    assert train_network(session, inspected)
    first, second = (event["value"] for event in session.journal.select("decision", key="optimizer.lr"))
    assert second == pytest.approx(first / 4)
    assert session.recipe.optimizer.lr == second


def test_hopeless_divergence_leaves_the_baseline(
    ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no rate works the run ends with the model that it has, not with an error."""
    session, inspected = ready
    before = session.folder.model.read_bytes()

    def broken(self: Fit) -> Iterator[Step]:
        assert isinstance(self.average, EMA)
        with torch.no_grad():
            for value in [*self.model.parameters(), *self.average.shadow.values()]:
                value.fill_(float("nan")) if value.is_floating_point() else None
        yield from Fit_steps(self)

    Fit_steps = Fit.steps
    monkeypatch.setattr(Fit, "steps", broken)
    assert train_network(session, inspected)
    assert session.folder.model.read_bytes() == before
    assert session.journal.last("model", name="resnet") is None


def test_ctrl_c_saves_the_step_that_was_just_done(
    ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A polite end loses nothing: the checkpoint holds the very last step."""
    session, inspected = ready
    monkeypatch.setattr(watching, "_SAVE_SECONDS", 1e9)
    seen: list[int] = []

    class Asked:
        """Ctrl-C in the seventh step."""

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_raised: object) -> None:
            return None

        @property
        def asked(self) -> bool:
            seen.append(1)
            return len(seen) >= 13  # asked twice in each step

    monkeypatch.setattr(train_module, "Interruption", Asked)
    with pytest.raises(KeyboardInterrupt):
        train_network(session, inspected)
    facts = facts_for(inspected, "resnet", width=16)
    fit = make_fit(session, inspected, facts=facts, seconds=1.0)
    assert fit.resume(session.folder.checkpoint) == session.folder.checkpoint
    assert fit.position.step == 7


def test_calibration_changes_no_prediction(ready: tuple[Session, Inspected]) -> None:
    """The head is divided by one temperature: the same classes, and a likelihood that is no worse."""
    session, inspected = ready
    train_network(session, inspected)
    found = session.journal.last("measurement", name="train.temperature")
    assert found is not None
    before, after = (float(word.strip(",")) for word in found["note"].split() if word[0].isdigit())
    assert after <= before + 1e-3
    model = load_model(session.folder.baseline("resnet"))[0]
    assert np.isfinite(find(model).weight.detach().numpy()).all()


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
            with _stopped_after(3, monkeypatch):
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
    with _stopped_after(2, monkeypatch):
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
    assert _told(session, "train.sparsity") == pytest.approx(share, abs=2e-3)
