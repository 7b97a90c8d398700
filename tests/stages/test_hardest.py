"""The samples on which model and label disagree most."""

import numpy as np

from epochal.stages.hardest import show_hardest
from epochal.stages.inspect import Inspected
from epochal.stages.session import Session


def test_each_picture_tells_its_file_and_both_sides(begun: tuple[Session, Inspected]) -> None:
    """A sheet in the journal: label → prediction under each picture, the file and the probabilities on request."""
    session, inspected = begun
    samples, task = inspected.val, inspected.task
    wrong = np.eye(2)[1 - samples.targets] * 2.0
    worst = task.hardest(wrong, samples.targets, count=3)
    show_hardest(session, inspected, samples=samples, worst=worst, rows=task.judged(wrong, samples.targets))
    event = session.journal.last("picture", name="errors")
    assert event is not None
    assert len(event["cells"]) == 3
    first, key = event["cells"][0], inspected.table.keys[samples.index[worst[0]]]
    assert first["text"].startswith(f"{key}: labelled ")
    assert " → " in first["label"]


def test_where_all_is_right_nothing_is_shown(begun: tuple[Session, Inspected]) -> None:
    """No sheet of errors without errors."""
    session, inspected = begun
    none = np.zeros(0, dtype=np.int64)
    show_hardest(session, inspected, samples=inspected.val, worst=none, rows=[])
    assert session.journal.last("picture", name="errors") is None
