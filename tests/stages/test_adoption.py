"""A model gives way only to one that the same samples show to be better."""

from pathlib import Path

import numpy as np
import pytest
import torch

from epochal.models.head import find
from epochal.recipe.journal import Journal
from epochal.stages.adoption import compare, consider, mend
from epochal.stages.artifact import build_network, load_model, save_model
from epochal.stages.baseline import facts_for
from epochal.stages.inspected import Inspected
from epochal.stages.progress import Quiet
from epochal.stages.session import Session
from epochal.tasks.classification import Classification

TASK = Classification(classes=("lengthwise", "across"), counts=(1, 1))


def _logits(right: np.ndarray, *, sure: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Two-class logits that are right where `right` says so, and the labels."""
    labels = np.arange(len(right)) % 2
    return np.eye(2)[np.where(right, labels, 1 - labels)] * sure, labels


def test_clearly_better_is_adopted_and_the_other_way_round_is_not() -> None:
    """95 against 80 of 100 on the same samples is beyond the noise, in one direction only."""
    good, labels = _logits(np.arange(100) >= 5)
    poor, _ = _logits(np.arange(100) >= 20)
    assert compare(TASK, good, present=poor, labels=labels).adopted
    back = compare(TASK, poor, present=good, labels=labels)
    assert not back.adopted
    assert back.gain.value == pytest.approx(-0.15)
    assert "100 validation samples: not better beyond the noise" in back.reason


def test_one_sample_more_is_no_evidence() -> None:
    """A single lucky sample does not replace a model."""
    good, labels = _logits(np.arange(40) != 3)
    poor, _ = _logits(~np.isin(np.arange(40), [3, 4]))
    assert not compare(TASK, good, present=poor, labels=labels).adopted


def test_equally_right_but_surer_is_adopted() -> None:
    """At equal accuracy the likelihood of the labels decides."""
    right = np.arange(60) >= 3
    sure, labels = _logits(right, sure=2.0)
    vague, _ = _logits(right, sure=0.1)
    assert compare(TASK, sure, present=vague, labels=labels).adopted
    assert not compare(TASK, vague, present=sure, labels=labels).adopted


def test_surer_but_less_often_right_is_not_adopted() -> None:
    """Likelihood never outweighs a loss of accuracy."""
    often, labels = _logits(np.arange(100) >= 10, sure=0.05)
    sure, _ = _logits(np.arange(100) >= 12, sure=1.5)
    outcome = compare(TASK, sure, present=often, labels=labels)
    assert outcome.likelihood.low > 0
    assert not outcome.adopted


def _candidate(inspected: Inspected, path: Path, *, bias: float) -> Path:
    """A model that names class 0 the more the larger `bias` is: right on half of the stripes."""
    facts = facts_for(inspected, "linear")
    model = build_network(facts)
    with torch.no_grad():
        for values in find(model).parameters():
            values.zero_()
        model.get_parameter("head.bias").copy_(torch.tensor([bias, 0.0]))
    save_model(path, model, facts=facts)
    return path


def test_the_first_model_is_put_on_disk(begun: tuple[Session, Inspected]) -> None:
    """Something usable is there from the first candidate on, however poor, and the journal says so."""
    session, inspected = begun
    path = _candidate(inspected, session.folder.baseline("linear"), bias=9.0)
    assert consider(session, inspected, name="linear", path=path)
    assert session.folder.model.read_bytes() == path.read_bytes()
    event = session.journal.last("model")
    assert event is not None
    assert (event["name"], event["adopted"], event["replaced"], event["value"]) == ("linear", True, None, 0.5)


def test_an_equal_candidate_leaves_the_model_alone(begun: tuple[Session, Inspected]) -> None:
    """Without evidence the file on disk is not touched, and that is written down too."""
    session, inspected = begun
    consider(session, inspected, name="linear", path=_candidate(inspected, session.folder.baseline("linear"), bias=1.0))
    before = session.folder.model.read_bytes()
    other = _candidate(inspected, session.folder.baseline("small"), bias=1.5)
    assert not consider(session, inspected, name="small", path=other)
    assert session.folder.model.read_bytes() == before
    event = session.journal.last("model")
    assert event is not None
    assert (event["name"], event["adopted"], event["replaced"]) == ("small", False, "linear")


def test_a_surer_candidate_replaces_the_model(begun: tuple[Session, Inspected]) -> None:
    """Equally right and far more modest where it is wrong: the likelihood shows it, and the file changes."""
    session, inspected = begun
    consider(session, inspected, name="linear", path=_candidate(inspected, session.folder.baseline("linear"), bias=9.0))
    facts = facts_for(inspected, "linear")
    labels = inspected.val.targets
    better = _candidate(inspected, session.folder.baseline("small"), bias=0.0)
    assert consider(session, inspected, name="small", path=better, said=np.eye(2)[labels] * 3.0)
    assert load_model(session.folder.model)[1] == facts
    assert session.folder.model.read_bytes() == better.read_bytes()
    later = _candidate(inspected, session.folder.baseline("resnet"), bias=0.0)
    assert not consider(session, inspected, name="resnet", path=later, said=np.eye(2)[labels] * 3.0)


def test_a_damaged_model_is_replaced_by_any_sound_one(begun: tuple[Session, Inspected]) -> None:
    """A file that cannot be read cannot win a comparison."""
    session, inspected = begun
    consider(session, inspected, name="linear", path=_candidate(inspected, session.folder.baseline("linear"), bias=0.1))
    session.folder.model.write_bytes(b"damaged")
    session.present_evidence = None
    other = _candidate(inspected, session.folder.baseline("small"), bias=9.0)
    assert consider(session, inspected, name="small", path=other)
    assert session.folder.model.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("gone", [True, False])
def test_a_lost_model_is_restored_from_its_copy(begun: tuple[Session, Inspected], *, gone: bool) -> None:
    """The adopted model is kept twice; a damaged or deleted file is put back."""
    session, inspected = begun
    consider(session, inspected, name="linear", path=_candidate(inspected, session.folder.baseline("linear"), bias=0.1))
    whole = session.folder.model.read_bytes()
    if gone:
        session.folder.model.unlink()
    else:
        session.folder.model.write_bytes(whole[:50])
    mend(session.folder, Journal(session.folder.journal), progress=Quiet())
    assert session.folder.model.read_bytes() == whole


def test_without_a_sound_copy_nothing_is_made_up(begun: tuple[Session, Inspected]) -> None:
    """Where both files are damaged the stage that needs the model says so; mending adds nothing."""
    session, inspected = begun
    path = _candidate(inspected, session.folder.baseline("linear"), bias=0.1)
    consider(session, inspected, name="linear", path=path)
    for each in (path, session.folder.model):
        each.write_bytes(b"damaged")
    mend(session.folder, session.journal, progress=Quiet())
    assert session.folder.model.read_bytes() == b"damaged"
