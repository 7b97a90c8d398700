"""Simple things first: each baseline is measured, kept, and never fitted twice."""

import pytest

from epochal.models.head import find
from epochal.stages.artifact import build_network, is_sound, load_model
from epochal.stages.baseline import facts_for, fit_baselines
from epochal.stages.inspected import Inspected
from epochal.stages.roles import LINEAR, SMALL
from epochal.stages.session import Session


def test_each_is_measured_and_the_best_is_on_disk(begun: tuple[Session, Inspected]) -> None:
    """Prior, linear model and small network in this order; the file of the adopted one is the model."""
    session, inspected = begun
    fit_baselines(session, inspected)
    assert session.journal.measured("baseline.prior") == 0.5
    assert [event["name"] for event in session.journal.select("model")] == [LINEAR, SMALL]
    adopted = session.journal.last("model", adopted=True)
    assert adopted is not None
    assert session.folder.model.read_bytes() == session.folder.baseline(adopted["name"]).read_bytes()
    assert session.journal.finished("baseline")


def test_mirroring_is_decided_by_a_measurement(begun: tuple[Session, Inspected]) -> None:
    """The evidence for or against flips stands beside the decision, and the recipe follows it."""
    session, inspected = begun
    fit_baselines(session, inspected)
    event = session.journal.last("decision", key="transforms.flip")
    assert event is not None
    assert event["evidence"].keys() >= {"straight", "mirrored", "trivial"}
    assert session.recipe.transforms.flip is event["value"]


def test_done_once_it_is_not_done_again(begun: tuple[Session, Inspected]) -> None:
    """A later start finds the files and leaves them as they are."""
    session, inspected = begun
    fit_baselines(session, inspected)
    before = {name: session.folder.baseline(name).stat().st_mtime_ns for name in (LINEAR, SMALL)}
    fit_baselines(session, inspected)
    assert {name: session.folder.baseline(name).stat().st_mtime_ns for name in before} == before
    assert len(list(session.journal.select("model"))) == 2


@pytest.mark.parametrize("name", [LINEAR, SMALL])
def test_a_damaged_baseline_is_fitted_anew(begun: tuple[Session, Inspected], name: str) -> None:
    """The final score needs it beside its own; only the damaged one is fitted again."""
    session, inspected = begun
    fit_baselines(session, inspected)
    other = session.folder.baseline(SMALL if name == LINEAR else LINEAR)
    kept = other.read_bytes()
    session.folder.baseline(name).write_bytes(b"damaged")
    fit_baselines(session, inspected)
    assert is_sound(session.folder.baseline(name))
    assert other.read_bytes() == kept


def test_the_small_network_begins_at_the_class_shares(begun: tuple[Session, Inspected]) -> None:
    """With weights of zero its first probabilities would be the shares of the classes (K2.5)."""
    _, inspected = begun
    model = build_network(facts_for(inspected, SMALL))
    inspected.task.prepare_(model)
    bias = find(model).bias
    assert bias is not None
    assert bias.softmax(0).tolist() == pytest.approx(inspected.task.constant().softmax(0).tolist())


def test_facts_tell_all_that_prediction_needs(begun: tuple[Session, Inspected]) -> None:
    """Classes, size and normalisation of the model file are those of the data."""
    session, inspected = begun
    fit_baselines(session, inspected)
    facts = load_model(session.folder.model)[1]
    assert facts.kind == inspected.task
    assert (facts.size, facts.channels) == (inspected.size, inspected.channels)
    assert (facts.mean, facts.std) == (inspected.mean, inspected.std)
