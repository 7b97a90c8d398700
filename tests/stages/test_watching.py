"""Between two steps: when to look, when to save, when to give up."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from epochal.findings import Severity, rule
from epochal.history import History
from epochal.models.resnet import resnet
from epochal.stages import watching
from epochal.stages.baseline import facts_for
from epochal.stages.fit import Fit, Look
from epochal.stages.inspected import Inspected
from epochal.stages.network import make_fit
from epochal.stages.session import Session
from epochal.stages.watching import Watcher, show_filters


@pytest.fixture
def watched(begun: tuple[Session, Inspected]) -> tuple[Session, Fit, Watcher]:
    """A fit that is about to begin, and its watcher."""
    session, inspected = begun
    session.recipe = session.recipe.replace({"optimizer.batch_size": 8})
    fit = make_fit(session, inspected, facts=facts_for(inspected, "resnet", width=8), seconds=600.0)
    return session, fit, Watcher(session, inspected, fit=fit)


def _step(**more: Any) -> Any:
    """As much of a step as the questions read."""
    return SimpleNamespace(number=1, ends_epoch=False, progress=0.0, lr=0.1, loss=torch.tensor(1.0), **more)


def _paced(watcher: Watcher, progress: float, *, finished: bool = False) -> None:
    watcher._fit.pace = SimpleNamespace(progress=progress, finished=finished)  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("progress", "ends_epoch", "finished", "due"),
    [
        (0.01, False, False, False),
        (0.01, True, False, False),  # short epochs share a look
        (0.03, True, False, True),
        (0.03, False, False, False),
        (0.11, False, False, True),  # long epochs are looked into
        (0.001, False, True, True),  # never an end without a look
    ],
)
def test_a_look_is_due_at_epochs_and_after_long_stretches(
    watched: tuple[Session, Fit, Watcher], progress: float, ends_epoch: bool, finished: bool, due: bool
) -> None:
    """Neither too often nor too seldom, and always at the end."""
    _, _, watcher = watched
    _paced(watcher, progress, finished=finished)
    step = _step()
    step.ends_epoch = ends_epoch
    assert watcher.look_is_due(step) is due
    watcher.close()


@pytest.mark.parametrize(
    ("best_at", "progress", "fruitless", "hopeless"),
    [(0.1, 0.5, 9, False), (0.1, 0.61, 3, True), (0.1, 0.61, 2, False), (None, 0.9, 9, False)],
)
def test_it_gives_up_after_a_long_time_without_progress(
    watched: tuple[Session, Fit, Watcher], best_at: float | None, progress: float, fruitless: int, hopeless: bool
) -> None:
    """Early stopping (K4.9): half of the schedule and three looks without a better one, and it is written down."""
    session, fit, watcher = watched
    if best_at is not None:
        fit.best.look = Look(step=1, epoch=0.1, progress=best_at, loss=1.0, score=0.5)
    _paced(watcher, progress)
    watcher._looked_at, watcher._fruitless = progress, fruitless
    assert watcher.hopeless() is hopeless
    assert (session.journal.measured("train.stopped_early_at") is not None) is hopeless
    watcher.close()


def test_a_look_is_told_in_full(watched: tuple[Session, Fit, Watcher]) -> None:
    """Losses of the steps since the last look, the validation score, and the mind on sixteen fixed samples."""
    session, fit, watcher = watched
    losses = []
    for step in fit.steps():
        watcher.saw(step)
        losses.append(float(step.loss))
        if step.number == 7:
            break
    assert watcher.look()
    watcher.close()
    event = session.journal.last("epoch")
    assert event is not None
    assert event["train_loss"] == pytest.approx(np.mean(losses), rel=1e-6)
    assert (event["steps"], event["best"]) == (7, True)
    (series,) = session.journal.select("series", name="train.loss")
    assert series["x"] == list(range(1, 8))
    np.testing.assert_allclose(series["y"], losses, atol=1e-5)
    dynamics = session.journal.last("dynamics")
    assert dynamics is not None
    np.testing.assert_allclose(np.sum(dynamics["probabilities"], axis=1), 1, atol=1e-3)
    labels = session.journal.measured("dynamics.labels")
    assert len(labels) == len(dynamics["probabilities"]) == 16
    assert History.read(session.folder.history).values("loss") == pytest.approx(losses)


def test_the_fixed_batch_is_the_same_after_a_restart(
    watched: tuple[Session, Fit, Watcher], begun: tuple[Session, Inspected]
) -> None:
    """A resumed run follows the samples that it followed before, and names them once."""
    session, inspected = begun
    _, fit, watcher = watched
    again = Watcher(session, inspected, fit=fit)
    assert again._probe is not None
    assert watcher._probe is not None
    torch.testing.assert_close(again._probe.images, watcher._probe.images, rtol=0, atol=0)
    assert len(list(session.journal.select("measurement", name="dynamics.labels"))) == 1
    for each in (watcher, again):
        each.close()


def test_a_live_rule_speaks_once_and_may_stop(
    watched: tuple[Session, Fit, Watcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its finding goes to the journal the first time; STOP ends the training each time."""
    session, fit, watcher = watched
    from epochal.findings import Observation

    @rule("always-there", code="EP997", severity=Severity.STOP)
    def always_there(history: History) -> Any:
        """It is there whenever one looks."""
        yield Observation("loss", str(len(history.values("loss"))), expected="none", remedy="none")

    monkeypatch.setattr(watching, "RULES", (always_there,))
    for step in fit.steps():
        watcher.saw(step)
        if step.number == 2:
            break
    assert not watcher.look()
    assert not watcher.look()
    assert len(list(session.journal.select("finding", rule="always-there"))) == 1
    watcher.close()


@pytest.mark.parametrize(("ends_epoch", "since", "due"), [(True, 5.0, True), (True, 0.5, False), (False, 5.0, False)])
def test_saving_waits_for_an_epoch_and_for_two_seconds(
    watched: tuple[Session, Fit, Watcher], ends_epoch: bool, since: float, due: bool
) -> None:
    """An unfinished epoch is the most that a kill can cost, and short epochs share a save."""
    _, _, watcher = watched
    watcher._saved_at -= since
    step = _step()
    step.ends_epoch = ends_epoch
    assert watcher.save_is_due(step) is due
    watcher.close()


def test_filters_are_drawn_where_there_are_any(begun: tuple[Session, Inspected]) -> None:
    """A network with a first convolution shows at most 64 of its filters; a linear one shows nothing."""
    session, _ = begun
    show_filters(session, torch.nn.Linear(2, 2))
    assert session.journal.last("picture", name="filters") is None
    show_filters(session, resnet(channels_in=3, classes=2, image_size=12, width=16))
    event = session.journal.last("picture", name="filters")
    assert event is not None
    assert 0 < len(event["cells"]) <= 64
