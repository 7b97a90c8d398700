"""Facts about the rows that tables and reports show of several labels."""

import json

import numpy as np

from epochal.stats.answer_rows import caption_of_sample, joined, rows_of_classes, rows_of_samples
from epochal.stats.answers import answer_counts
from epochal.stats.multi_label import average_precision, average_precision_intervals

CLASSES = ["cat", "dog", "eel"]
SCORES = np.array([[2.0, -1.0, -3.0], [1.0, 2.0, -3.0], [-1.0, -2.0, -3.0], [-2.0, 1.0, -3.0]])
LABELS = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]])


def test_rows_of_classes_agree_with_their_parts() -> None:
    """Counts become precision, recall and F1; what is unknown is null, and all is plain JSON."""
    counts, precisions = answer_counts(SCORES > 0, LABELS), average_precision_intervals(SCORES, LABELS)
    rows = rows_of_classes(counts, precisions, classes=CLASSES, thresholds=[0.5, 0.4, 0.5])
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    cat, dog, eel = rows
    assert cat["average_precision"] == average_precision(SCORES, LABELS)[0]
    assert (cat["precision"], cat["recall"], cat["f1"], cat["support"]) == (0.5, 0.5, 0.5, 2)
    assert (dog["precision"], dog["recall"], dog["threshold"]) == (1.0, 1.0, 0.4)
    assert eel["average_precision"] is eel["precision"] is eel["recall"] is None
    assert (eel["support"], eel["f1"], eel["low"], eel["high"]) == (0, 0.0, 0.0, 1.0)


def test_rows_of_samples_tell_given_from_named() -> None:
    """What was given and not named is missed, what was named and not given is extra."""
    named, truth = SCORES > 0, LABELS > 0
    rows = rows_of_samples(named, truth, losses=np.array([0.1, 0.6, 0.7, 0.1]), classes=CLASSES)
    assert [row["right"] for row in rows] == [1, 0, 0, 1]
    assert (rows[1]["labels"], rows[1]["predicted"], rows[1]["extra"], rows[1]["missed"]) == (
        "dog",
        "cat;dog",
        "cat",
        "",
    )
    assert (rows[2]["missed"], rows[2]["predicted"]) == ("cat", "")


def test_captions_name_what_is_off() -> None:
    """Missed and extra classes in short, labels and prediction at length; nothing is called nothing."""
    rows = rows_of_samples(SCORES > 0, LABELS > 0, losses=np.zeros(4), classes=CLASSES)
    assert caption_of_sample(rows[0]) == ("cat", "labelled cat, predicted cat")
    assert caption_of_sample(rows[1]) == ("+ cat", "labelled dog, predicted cat, dog")
    assert caption_of_sample(rows[2]) == ("− cat", "labelled cat, predicted nothing")


def test_names_are_joined() -> None:
    """By semicolons in tables, by commas for people; none gives an empty cell."""
    assert joined(np.array([True, True, False]), classes=CLASSES) == "cat;dog"
    assert joined(np.array([True, True, False]), classes=CLASSES, by=", ") == "cat, dog"
    assert joined(np.zeros(3, bool), classes=CLASSES) == ""
