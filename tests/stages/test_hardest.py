"""The samples on which model and label disagree most."""

from pathlib import Path

import numpy as np

from epochal.stages.baseline import facts_for
from epochal.stages.folder import RunFolder
from epochal.stages.hardest import show_hardest
from epochal.stages.inspected import Inspected
from epochal.stages.roles import SMALL, network_for
from epochal.stages.session import Session
from stages.models import run_with
from stages.targets import folder_with
from stages.whole import inspected_on


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


def test_masks_are_shown_beside_those_given(tmp_path: Path) -> None:
    """Ten rows at most, each the image, the labels given and what the run's model says of it now."""
    session, inspected = inspected_on(folder_with("segmentation", tmp_path / "data"), RunFolder(tmp_path / "run"))
    run_with(session.folder.path, facts_for(inspected, network_for(inspected.task, SMALL), flip=False))
    rows = [{"mean_iou": 0.5, "pixel_accuracy": 0.9, "worst": "red", "worst_iou": 0.2}] * len(inspected.val)
    worst = np.arange(len(inspected.val))
    show_hardest(session, inspected, samples=inspected.val, worst=worst, rows=rows)
    event = session.journal.last("picture", name="errors")
    assert event is not None
    height, width = inspected.size
    assert len(event["cells"]) == min(len(inspected.val), 10)
    assert (event["columns"], event["width"]) == (2, 2 * (3 * width + 8))
    assert event["height"] == 5 * height
    assert event["cells"][0]["label"] == "IoU 50%, red 20%"
