"""The skeleton is proven before it is used: what passes is told, what makes training a waste stops."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from epochal.checks.batch import describe_batch
from epochal.checks.construction import ARCHITECTURE_RULES
from epochal.errors import CheckFailed
from epochal.stages import skeleton
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from epochal.stages.skeleton import check_skeleton


def test_a_healthy_program_passes_and_says_what_was_not_checked(begun: tuple[Session, Inspected]) -> None:
    """Each rule of K2 leaves its PASS, the batch is drawn as the network receives it, gaps are named."""
    session, inspected = begun
    check_skeleton(session, inspected)
    checks = [event for event in session.journal.select("check", stage="skeleton") if "rule" in event]
    assert len(checks) >= 8
    found = list(session.journal.select("finding", stage="skeleton"))
    assert not [event["rule"] for event in found if event["severity"] in {"error", "stop"}]
    gaps = [event["not_checked"] for event in session.journal.select("check") if "not_checked" in event]
    assert gaps[-1]
    assert session.journal.last("picture", name="batch") is not None
    first = session.journal.last("measurement", name="skeleton.initial_loss")
    assert first is not None
    assert first["value"] > 0
    assert session.journal.finished("skeleton")


def test_it_is_done_once(begun: tuple[Session, Inspected]) -> None:
    """A later start believes the earlier one."""
    session, inspected = begun
    check_skeleton(session, inspected)
    before = len(session.journal.events)
    check_skeleton(session, inspected)
    assert len(session.journal.events) == before


def test_without_time_the_first_model_goes_before(begun: tuple[Session, Inspected]) -> None:
    """Experiments that would take the last seconds are left out, which the journal says: unchecked is not passed."""
    session, inspected = begun
    session.recipe = session.recipe.replace({"budget_seconds": session.journal.spent + 1.0})
    check_skeleton(session, inspected)
    assert list(session.journal.select("check", stage="skeleton")) == []
    skipped = session.journal.last("stage", stage="skeleton", event="skipped")
    assert skipped is not None
    assert "first model" in skipped["reason"]


def test_a_batch_that_is_broken_stops_the_run(
    begun: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN in what the network receives ends the run with exit code 3 before any time is spent on training."""
    session, inspected = begun

    def broken(images: Tensor, labels: Tensor, **known: object) -> object:
        return describe_batch(torch.full_like(images, float("nan")), labels, **known)  # type: ignore[arg-type]

    monkeypatch.setattr(skeleton, "describe_batch", broken)
    with pytest.raises(CheckFailed) as caught:
        check_skeleton(session, inspected)
    assert caught.value.exit_code == 3
    assert caught.value.remedy
    assert not session.journal.finished("skeleton")


def test_the_architecture_is_judged(begun: tuple[Session, Inspected]) -> None:
    """The untrained network is looked over: our own passes each rule, a batch of 4 over batch statistics does not."""
    session, inspected = begun
    session.recipe = session.recipe.replace({"optimizer.batch_size": 4})
    check_skeleton(session, inspected)
    verdicts = {event["rule"]: event["passed"] for event in session.journal.select("check") if "rule" in event}
    judged = {rule.name: verdicts[rule.name] for rule in ARCHITECTURE_RULES}
    assert [name for name, passed in judged.items() if not passed] == ["small-batch-norm"]


class _Blind(nn.Module):
    """A network that looks away: its answer is its bias."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(1, classes)

    def forward(self, images: Tensor) -> Tensor:
        said: Tensor = self.head(images.new_zeros(len(images), 1))
        return said


def test_a_network_that_ignores_its_input_is_found(
    begun: tuple[Session, Inspected], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No gradient reaches the image, no batch can be learnt by heart: three experiments say so, each in its way."""
    session, inspected = begun
    make: Callable[[object], nn.Module] = lambda _facts: _Blind(len(inspected.task.names))  # noqa: E731
    monkeypatch.setattr(skeleton, "build_network", make)
    check_skeleton(session, inspected)
    found = {event["rule"] for event in session.journal.select("finding", stage="skeleton")}
    assert found >= {"input-unreached", "input-ignored", "batch-not-learnt"}
