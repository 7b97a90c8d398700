"""The network is trained in the time there is, resumed where it stopped, and kept only on evidence."""

import json
from collections.abc import Iterator
from typing import Self

import numpy as np
import pytest
import torch

from epochal.ensembles.averaging import EMA
from epochal.models.head import find
from epochal.recipe.journal import Journal
from epochal.stages import train as train_module
from epochal.stages import watching
from epochal.stages.artifact import load_model
from epochal.stages.baseline import facts_for
from epochal.stages.fit import Fit
from epochal.stages.inspected import Inspected
from epochal.stages.network import make_fit
from epochal.stages.session import Session
from epochal.stages.train import train_network
from epochal.training.checkpoint import previous
from epochal.training.loop import Step
from stages.stopped import stopped_after


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
    with stopped_after(3, monkeypatch):
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
    with stopped_after(2, monkeypatch):
        train_network(session, inspected)
    session.recipe = session.recipe.replace({"budget_seconds": 0.5})
    assert train_network(session, inspected)
    assert session.journal.last("model", name="resnet") is not None


def test_a_damaged_checkpoint_falls_back_and_says_so(
    ready: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one before it is taken, and the line names both."""
    session, inspected = ready
    with stopped_after(3, monkeypatch):
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
    with stopped_after(2, monkeypatch):
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
