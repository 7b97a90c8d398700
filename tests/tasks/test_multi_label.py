"""Facts about the task of several labels."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import nn

from epochal.errors import DataError, SettingError
from epochal.losses.multi_label import MULTI_LABEL_LOSSES
from epochal.models.head import ScaledLinear
from epochal.stats.answers import sigmoid
from epochal.tasks.multi_label import CLASS_WEIGHTS, MultiLabel
from epochal.tasks.task import Task

CLASSES = ("cat", "dog", "eel", "fox")
LABELS = (np.random.default_rng(0).random((60, 4)) < [0.6, 0.3, 0.1, 0.0]).astype(np.float32)
TASK = MultiLabel.of(CLASSES, LABELS)


def _logits(signal: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=LABELS.shape) + signal * (2 * LABELS - 1)


def test_it_is_a_task_of_logits() -> None:
    """One logit per class, judged by mean average precision; the evidence is the logits."""
    task: Task = TASK
    assert (task.name, task.outputs, task.dense, task.names) == ("multi-label", 4, False, CLASSES)
    assert (task.metric.name, task.metric.higher_is_better) == ("mean average precision", True)
    logits = torch.randn(5, 4)
    assert task.evidence(logits, torch.zeros(5, 4)) is logits
    assert isinstance(task.decoder(), nn.Identity)


def test_labels_are_counted() -> None:
    """Positives of each class, and the most common one."""
    assert TASK.counts == tuple(int(n) for n in LABELS.sum(axis=0))
    assert (TASK.samples, TASK.majority) == (60, "cat")
    np.testing.assert_allclose(TASK.prior, (LABELS.sum(axis=0) + 1) / 62)


@pytest.mark.parametrize("name", MULTI_LABEL_LOSSES)
@pytest.mark.parametrize("class_weights", CLASS_WEIGHTS)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("head", [nn.Linear(3, 4), ScaledLinear(3, 4, factor=0.125)])
def test_initial_loss_is_what_a_prepared_network_measures(
    name: str, class_weights: str, smoothing: float, head: nn.Linear
) -> None:
    """A network whose head ignores the image measures exactly the promised loss on the training labels."""
    model = nn.Sequential(nn.Linear(5, 3), head)
    TASK.prepare_(model)
    nn.init.zeros_(head.weight)
    with torch.no_grad():
        logits = model(torch.randn(60, 5))
        loss = TASK.loss(smoothing=smoothing, name=name, class_weights=class_weights)
        measured = float(loss(logits, torch.from_numpy(LABELS)).mean())
    told = TASK.initial_loss(smoothing=smoothing, name=name, class_weights=class_weights)
    assert told == pytest.approx(measured, rel=1e-5)
    torch.testing.assert_close(logits[0], TASK.constant())


def test_heads_of_another_size_are_refused() -> None:
    """A head with fewer outputs than classes is an error that says so."""
    with pytest.raises(SettingError, match="3 outputs"):
        TASK.prepare_(nn.Linear(2, 3))


def test_the_score_is_sklearns() -> None:
    """Macro average precision over the classes that have positives, held by its interval."""
    logits = _logits(0.7)
    score = TASK.score(logits, LABELS)
    expected = np.mean([average_precision_score(LABELS[:, k], logits[:, k]) for k in range(3)])
    assert score.value == pytest.approx(expected)
    assert score.low < score.value < score.high
    assert TASK.losses(logits, LABELS).shape == (60,)


def test_gain_points_upwards() -> None:
    """The better ranking gains over the other, and loses the other way round."""
    better, worse = _logits(2.0), _logits(0.1)
    gain = TASK.gain(better, worse, labels=LABELS)
    assert gain.value == pytest.approx(TASK.score(better, LABELS).value - TASK.score(worse, LABELS).value)
    assert gain.low > 0 > TASK.gain(worse, better, labels=LABELS).high


def test_saying_the_same_scores_the_share_of_positives() -> None:
    """The trivial answer's average precision is the prevalence, averaged over the classes that occur."""
    assert TASK.trivial(LABELS)["prior"].value == pytest.approx(LABELS.mean(axis=0)[:3].mean())


def test_summary_details_and_rows_survive_json() -> None:
    """Figures are plain JSON without NaN, a class without positives included, and agree with each other."""
    logits = _logits(0.7)
    summary, details, rows = TASK.summary(logits, LABELS), TASK.details(logits, LABELS), TASK.judged(logits, LABELS)
    assert json.loads(json.dumps([summary, details, rows], allow_nan=False)) == [summary, details, rows]
    per_class = details["per_class"]
    assert [row["label"] for row in per_class] == list(CLASSES)
    assert per_class[3]["average_precision"] is None
    assert summary["value"] == pytest.approx(np.mean([row["average_precision"] for row in per_class[:3]]))
    assert summary["macro_f1"] == pytest.approx(np.mean([row["f1"] for row in per_class[:3]]))
    assert summary["exact_match"] == pytest.approx(np.mean([row["right"] for row in rows]))
    assert summary["hamming_loss"] == pytest.approx(((logits > 0) != (LABELS > 0)).mean())
    assert summary["nll"] == pytest.approx(TASK.losses(logits, LABELS).mean())
    assert summary["thresholds"] == "0.5"


def test_chosen_thresholds_name_more_of_the_rare() -> None:
    """On the samples they were chosen on, F1 is no worse than at one half; they are kept in the description."""
    logits = _logits(0.5)
    chosen = TASK.with_thresholds(logits, LABELS)
    before, after = (task.summary(logits, LABELS) for task in (TASK, chosen))
    assert after["macro_f1"] > before["macro_f1"]
    assert after["thresholds"] == "validation"
    assert {key: after[key] for key in ("value", "micro_f1", "exact_match")} == {
        key: before[key] for key in ("value", "micro_f1", "exact_match")
    }
    named = [row["labels"].split(";") for row in chosen.predicted(logits)]
    assert ["cat" in each for each in named] == (sigmoid(logits[:, 0]) > chosen.thresholds[0]).tolist()
    assert chosen.details(logits, LABELS)["per_class"][1]["threshold"] == chosen.thresholds[1]


@pytest.mark.parametrize("task", [TASK, TASK.with_thresholds(_logits(0.5), LABELS)])
def test_description_makes_it_again(task: MultiLabel) -> None:
    """Through JSON and back nothing is lost, thresholds included."""
    assert MultiLabel.from_description(json.loads(json.dumps(task.describe(), allow_nan=False))) == task


def test_predictions_name_all_likely_classes() -> None:
    """Joined by semicolons, from one half on, with the probability of each; none at all is an empty cell."""
    rows = TASK.predicted(np.array([[2.0, 0.1, -1.0, -3.0], [-1.0, -1.0, 0.0, -1.0]]))
    assert [row["labels"] for row in rows] == ["cat;dog", ""]
    assert rows[1]["probability.eel"] == 0.5


def test_hardest_samples_are_wrong_ones_by_their_loss() -> None:
    """Worst first, those answered rightly throughout left out."""
    logits = _logits(1.5)
    rows, hardest = TASK.judged(logits, LABELS), TASK.hardest(logits, LABELS, count=100)
    losses = [rows[k]["loss"] for k in hardest]
    assert losses == sorted(losses, reverse=True)
    assert sorted(hardest.tolist()) == [k for k, row in enumerate(rows) if not row["right"]]
    assert TASK.hardest(logits, LABELS, count=1).tolist() == hardest[:1].tolist()


def test_captions_and_labels_are_spoken() -> None:
    """What is off in short, both answers at length; labels by name, a dash for none."""
    row = TASK.judged(np.array([[-1.0, 2.0, -2.0, -2.0]]), np.array([[1.0, 0.0, 0.0, 0.0]]))[0]
    assert TASK.caption(row) == ("− cat + dog", "labelled cat, predicted dog")
    assert TASK.spoken(np.array([[1, 0, 1, 0], [0, 0, 0, 0]])) == ["cat, eel", "–"]


def test_temperature_lowers_the_loss() -> None:
    """Logits blown up by three are divided by about what helps most, and no answer changes."""
    logits = 3 * _logits(1.0)
    found = TASK.temperature(logits, LABELS)
    assert found > 1
    best = TASK.losses(logits / found, LABELS).mean()
    for other in (0.9 * found, 1.1 * found, 1.0):
        assert best < TASK.losses(logits / other, LABELS).mean()


@pytest.mark.parametrize(
    ("classes", "labels"), [((), [[1.0]]), (("a",), [[1.0, 0.0]]), (("a",), [[0.5]]), (("a",), [[np.nan]])]
)
def test_impossible_labels_are_refused(classes: tuple[str, ...], labels: list[list[float]]) -> None:
    """No class, another number of columns, or a label between yes and no."""
    with pytest.raises(DataError, match="Expected"):
        MultiLabel.of(classes, np.array(labels, np.float32))


def test_unknown_weights_are_refused() -> None:
    """A slip of the pen is answered with what was probably meant."""
    with pytest.raises(SettingError, match="did you mean balanced"):
        TASK.loss(class_weights="balance")
