"""Facts about the classification task."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from epochal.errors import DataError
from epochal.tasks.classification import Classification

TASK = Classification.of(["cat", "dog", "eel"], np.array([0] * 90 + [1] * 8 + [2] * 2))


def test_labels_are_counted() -> None:
    """Counts follow the class order, and a class without samples counts nought."""
    assert TASK.counts == (90, 8, 2)
    assert TASK.majority == "cat"
    assert Classification.of(["a", "b"], np.array([1])).counts == (0, 1)
    assert TASK.prior.sum() == pytest.approx(1)


@pytest.mark.parametrize(("classes", "labels"), [(["a"], [0]), (["a", "b"], [0, 2]), (["a", "b"], [-1])])
def test_impossible_labels_are_refused(classes: list[str], labels: list[int]) -> None:
    """One class alone, or a label without a class, is an error that says what was expected."""
    with pytest.raises(DataError, match="Expected"):
        Classification.of(classes, np.array(labels))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("prior_bias", [True, False])
def test_initial_loss_is_what_a_prepared_network_measures(*, smoothing: float, prior_bias: bool) -> None:
    """A network whose head ignores the input measures exactly the promised loss on the training labels."""
    model = nn.Linear(4, 3)
    if prior_bias:
        TASK.prepare_(model)
    else:
        nn.init.zeros_(model.bias)
    nn.init.zeros_(model.weight)
    labels = torch.tensor([0] * 90 + [1] * 8 + [2] * 2)
    with torch.no_grad():
        measured = TASK.loss(smoothing=smoothing)(model(torch.randn(100, 4)), labels).mean()
    assert TASK.initial_loss(smoothing=smoothing, prior_bias=prior_bias) == pytest.approx(float(measured), rel=1e-4)


def test_trivial_baselines_are_shares() -> None:
    """The majority scores its share of the judged labels, the guess one over the classes."""
    labels = np.array([0, 0, 1, 2])
    trivial = TASK.trivial(labels)
    assert trivial["majority"].value == 0.5
    assert trivial["guess"].value == pytest.approx(1 / 3)


def test_summary_and_details_survive_json() -> None:
    """Figures are plain JSON, without NaN even where a class has no sample, and agree with each other."""
    source = np.random.default_rng(0)
    logits, labels = source.normal(size=(40, 3)).astype(np.float32), source.integers(0, 2, 40)
    summary, details = TASK.summary(logits, labels), TASK.details(logits, labels)
    assert json.loads(json.dumps([summary, details], allow_nan=False)) == [summary, details]
    counts = np.array(details["confusion"]["counts"])
    assert counts.trace() / counts.sum() == pytest.approx(summary["value"])
    assert details["per_class"][2]["recall"] is None
    assert sum(each["count"] for each in details["calibration"]) == 40
    assert summary["low"] <= summary["value"] <= summary["high"]


def test_predictions_name_class_and_probability() -> None:
    """Each image gets its likeliest class, with the share that softmax gives it."""
    logits = np.array([[0.0, 3.0, 0.0], [1.0, 0.0, 0.0]])
    said = TASK.predicted(logits)
    assert [row["predicted"] for row in said] == ["dog", "cat"]
    assert said[0]["probability"] == pytest.approx(np.exp(3) / (np.exp(3) + 2), abs=1e-6)


def test_wrong_answers_given_with_conviction_are_the_hardest() -> None:
    """Right answers are left out, and the surest of the wrong ones stands first, with both sides in its caption."""
    logits, labels = np.array([[9.0, 0, 0], [9.0, 0, 0], [0, 1.0, 0]]), np.array([0, 1, 2])
    assert TASK.hardest(logits, labels, count=3).tolist() == [1, 2]
    rows = TASK.judged(logits, labels)
    assert [row["right"] for row in rows] == [1, 0, 0]
    assert TASK.caption(rows[1])[0] == "dog → cat"


def test_gain_is_the_difference_of_the_scores() -> None:
    """The paired gain has the value of the scores' difference, and swapping the two turns its sign."""
    source = np.random.default_rng(1)
    one, other, labels = source.normal(size=(50, 3)), source.normal(size=(50, 3)), source.integers(0, 3, 50)
    gain = TASK.gain(one, other, labels=labels)
    assert gain.value == pytest.approx(TASK.score(one, labels).value - TASK.score(other, labels).value)
    assert TASK.gain(other, one, labels=labels).value == pytest.approx(-gain.value)
    assert gain.low <= gain.value <= gain.high


def test_a_description_survives_json() -> None:
    """The task read back from its description through JSON is the same."""
    assert Classification.from_description(json.loads(json.dumps(TASK.describe()))) == TASK
