"""Facts about the regression task, on a line, on a circle and on several columns at once."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from epochal.errors import DataError
from epochal.models.head import ScaledLinear
from epochal.stats.circular import Circle
from epochal.tasks.regression import Regression
from epochal.tasks.task import Task

SOURCE = np.random.default_rng(0)
LINE = (SOURCE.gamma(4, 9, (300, 1))).round(1).astype(np.float32)
DIAL = (SOURCE.integers(0, 100, (300, 1)) / 10).astype(np.float32)
BOTH = np.concatenate([LINE, DIAL], axis=1)
TASKS = {
    "line": (Regression.of(["age"], LINE), LINE),
    "dial": (Regression.of(["dial"], DIAL, periods=[10.0]), DIAL),
    "both": (Regression.of(["age", "dial"], BOTH, periods=[None, Circle(period=10.0)]), BOTH),
}
every_task = pytest.mark.parametrize(("task", "labels"), TASKS.values(), ids=TASKS)


def _evidence(task: Regression, labels: np.ndarray, noise: float = 0.1) -> np.ndarray:
    encoded = task.encode(labels)
    return (encoded + noise * np.random.default_rng(1).normal(size=encoded.shape)).astype(np.float32)


@every_task
def test_it_is_a_task(task: Regression, labels: np.ndarray) -> None:
    """The class says all that the protocol asks, and its figures fit together."""
    agreed: Task = task
    assert (agreed.name, agreed.dense, agreed.metric.higher_is_better) == ("regression", False, False)
    assert agreed.outputs == task.encode(labels).shape[1] == len(agreed.constant())
    assert len(agreed.names) == labels.shape[1]
    assert agreed.metric.unit == ("deviations" if labels.shape[1] > 1 else "")


@every_task
def test_description_survives_json(task: Regression, labels: np.ndarray) -> None:
    """Read back from JSON the task is the same."""
    told = json.loads(json.dumps(task.describe(), allow_nan=False))
    assert told["name"] == "regression"
    assert Regression.from_description(told) == task
    assert len(labels) == sum(task.values[0].counts)


@pytest.mark.parametrize(
    ("names", "labels", "periods"),
    [
        (["a"], np.zeros((0, 1)), None),
        (["a"], np.ones((5, 1)), None),
        (["a"], np.array([[1.0], [np.nan]]), None),
        (["a"], np.array([[1.0], [np.inf]]), None),
        (["a", "b"], np.array([[1.0], [2.0]]), None),
        (["a"], np.array([1.0, 2.0]), None),
        (["a"], np.array([[1.0], [2.0]]), [1.0, 2.0]),
        ([], np.zeros((5, 0)), None),
    ],
)
def test_labels_that_teach_nothing_are_refused(
    names: list[str], labels: np.ndarray, periods: list[float] | None
) -> None:
    """No label, a constant, a number that is not finite, or columns that do not match: each an error in three parts."""
    with pytest.raises(DataError, match=r"Expected.*What to do"):
        Regression.of(names, labels, periods=periods)


def test_a_broken_label_is_found_by_row_and_column() -> None:
    """The error names the column, the row and how many there are."""
    labels = BOTH.copy()
    labels[7, 1] = labels[9, 0] = np.nan
    with pytest.raises(DataError, match=r"dial is nan in row 7 \(2 such values\)"):
        Regression.of(["age", "dial"], labels)


@every_task
@pytest.mark.parametrize("head", [nn.Linear, lambda i, o: ScaledLinear(i, o, factor=1 / 9)])
@pytest.mark.parametrize("options", [{}, {"name": "squared"}, {"name": "smooth-l1", "beta": 0.2}, {"smoothing": 0.2}])
def test_initial_loss_is_what_a_prepared_network_measures(
    task: Regression, labels: np.ndarray, head: Callable[[int, int], nn.Module], options: dict[str, Any]
) -> None:
    """A prepared network measures exactly the promised loss on the training labels, and smoothing changes nothing."""
    model = nn.Sequential(nn.Flatten(), head(12, task.outputs))
    task.prepare_(model)
    with torch.no_grad():
        measured = task.loss(**options)(model(torch.randn(300, 3, 2, 2)), torch.from_numpy(labels)).mean()
    assert task.initial_loss(**options) == pytest.approx(float(measured), rel=1e-5)


def test_initial_loss_of_fine_values_is_right_to_a_thousandth() -> None:
    """Where all 20,000 labels differ, the promised loss comes from a sketch and is right all the same."""
    labels = np.random.default_rng(3).lognormal(size=(20_000, 1))
    task = Regression.of(["size"], labels)
    said = task.constant().double().expand(20_000, -1)
    measured = task.loss()(said, torch.from_numpy(labels)).mean().item()
    assert task.initial_loss() == pytest.approx(measured, rel=1e-3)


@every_task
def test_a_perfect_answer_has_no_error(task: Regression, labels: np.ndarray) -> None:
    """Encoded labels score 0, lose nothing, and leave no hard sample."""
    exact = task.encode(labels)
    assert task.score(exact, labels).value == pytest.approx(0, abs=1e-6)
    assert task.losses(exact, labels).max() < 1e-9
    assert len(task.hardest(exact, labels, count=5)) == 0
    assert task.summary(exact, labels)["r2"] == pytest.approx(1)


@every_task
def test_decoder_and_numpy_say_the_same(task: Regression, labels: np.ndarray) -> None:
    """Values from the exported decoder are those that are judged."""
    said = _evidence(task, labels)
    in_torch = task.decoder()(torch.from_numpy(said)).numpy()
    for k, value in enumerate(task.values):
        assert np.abs(value.errors(in_torch[:, k], task.decode(said)[:, k])).max() < 1e-4


def test_score_is_the_mean_absolute_error_in_the_users_units() -> None:
    """One column: plain mean distance, around the seam on a dial."""
    task, labels = TASKS["dial"]
    said = task.encode((labels + 0.5) % 10)
    assert task.score(said, labels).value == pytest.approx(0.5, abs=1e-5)
    line, ages = TASKS["line"]
    assert line.score(line.encode(ages - 3), ages).value == pytest.approx(3, abs=1e-5)


def test_several_columns_score_in_deviations() -> None:
    """Off by one deviation in the first of two columns is half a deviation on average."""
    task, labels = TASKS["both"]
    off = labels + np.array([[task.values[0].deviation, 0]])
    assert task.score(task.encode(off), labels).value == pytest.approx(0.5, abs=1e-5)


@every_task
def test_median_is_the_best_constant(task: Regression, labels: np.ndarray) -> None:
    """On the training labels the median is beaten by no constant, the mean among them; it comes first."""
    trivial = task.trivial(labels)
    assert list(trivial) == ["median", "mean"]
    assert trivial["median"].value <= trivial["mean"].value + 1e-9
    if labels.shape[1] == 1:
        tried = [np.abs(task.values[0].errors(np.full(300, at), labels[:, 0])).mean() for at in np.linspace(0, 99, 991)]
        assert trivial["median"].value <= min(tried) + 1e-6


@every_task
def test_gain_is_the_difference_of_the_scores(task: Regression, labels: np.ndarray) -> None:
    """Above 0 where the candidate errs less, the interval narrower than the scores' own."""
    good, bad = _evidence(task, labels, 0.1), _evidence(task, labels, 0.3)
    gain = task.gain(good, bad, labels=labels)
    assert gain.value == pytest.approx(task.score(bad, labels).value - task.score(good, labels).value)
    assert gain.low > 0
    assert task.gain(bad, good, labels=labels).value == pytest.approx(-gain.value)


@every_task
def test_losses_are_those_of_training_in_float64(task: Regression, labels: np.ndarray) -> None:
    """Per sample, the loss of the loop and the loss for judging are the same number."""
    said = _evidence(task, labels)
    in_training = task.loss()(torch.from_numpy(said), torch.from_numpy(labels))
    judged = task.losses(said, labels)
    assert judged.dtype == np.float64
    assert in_training.dtype == torch.float32
    np.testing.assert_allclose(judged, in_training.numpy(), rtol=1e-4, atol=1e-6)


@every_task
def test_tables_survive_json_and_agree(task: Regression, labels: np.ndarray) -> None:
    """Summary, details and rows are plain JSON without NaN, and say the same of each column."""
    said = _evidence(task, labels)
    summary, details = task.summary(said, labels), task.details(said, labels)
    judged, predicted = task.judged(said, labels), task.predicted(said)
    everything = [summary, details, judged, predicted]
    assert json.loads(json.dumps(everything, allow_nan=False)) == everything
    assert summary["low"] <= summary["value"] <= summary["high"]
    assert (summary["samples"], summary["task"], summary["metric"]) == (300, "regression", "mean absolute error")
    for each in details["per_value"]:
        assert each["mae"] == summary["values"][each["name"]]["mae"]
    key = "error" if labels.shape[1] == 1 else f"error.{task.names[0]}"
    assert np.mean([abs(row[key]) for row in judged]) == pytest.approx(details["per_value"][0]["mae"], rel=1e-5)
    assert [set(row) for row in predicted[:1]] == [set(task.names)]
    assert details["period"] == (10.0 if task is TASKS["dial"][0] else None)


@every_task
def test_hardest_are_those_furthest_off(task: Regression, labels: np.ndarray) -> None:
    """Worst first; a sample without a sound prediction is the hardest of all."""
    said = _evidence(task, labels)
    said[17] = np.nan
    worst = task.hardest(said, labels, count=6)
    away = task.distances(said, labels)
    assert worst[0] == 17
    assert (np.diff(away[worst[1:]]) <= 0).all()
    assert away[worst[1]] == np.nanmax(away)


def test_values_are_spoken_and_captioned() -> None:
    """Labels under pictures are short; a caption says both values and the way between them."""
    task, labels = TASKS["dial"]
    assert task.spoken(np.array([[3.4]], np.float32)) == ["3.4"]
    (row,) = task.judged(task.encode(np.array([[0.1]])), np.array([[9.9]], np.float32))
    short, long = task.caption(row)
    assert (short, long) == ("9.9 → 0.1", "dial: given 9.9, predicted 0.1, off by +0.2")
    assert task.temperature(_evidence(task, labels), labels) == 1.0
    assert TASKS["both"][0].spoken(np.array([[31.0, 0.5]])) == ["31, 0.5"]


def test_a_period_finds_its_origin() -> None:
    """A bare length begins where the labels read as they were written: 0, half a turn below, or their lowest."""
    for low, high, period, origin in ((0, 9.9, 10.0, 0.0), (-180, 179, 360.0, -180.0), (1, 12, 12.0, 1.0)):
        labels = np.linspace(low, high, 50)[:, None]
        circle = Regression.of(["v"], labels, periods=[period]).values[0].circle
        assert circle is not None
        assert circle.origin == origin


def test_a_small_network_learns_across_the_seam() -> None:
    """Angles seen as vectors with noise are learnt on a circle, and those beside the seam no worse than others."""
    source = torch.Generator().manual_seed(0)
    angle = torch.rand(400, 1, generator=source) * 10
    turn = angle * (2 * torch.pi / 10)
    images = torch.cat([turn.cos(), turn.sin(), torch.randn(400, 3, generator=source)], 1)
    task = Regression.of(["dial"], angle.numpy(), periods=[10.0])
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 2))
    task.prepare_(model)
    optimizer, loss = torch.optim.Adam(model.parameters(), lr=0.01), task.loss()
    for _ in range(150):
        optimizer.zero_grad()
        loss(model(images), angle).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        said = model(images).numpy()
    away = task.distances(said, angle.numpy())
    seam = ((angle < 0.5) | (angle > 9.5)).numpy()[:, 0]
    assert away.mean() < 0.1
    assert away[seam].mean() < 0.2
