"""Facts about drawing samples by weight."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.loader import ArrayLoader
from epochal.data.sampling import class_weights, drawn
from epochal.errors import SettingError

SKEWED = np.repeat([0, 1, 2], [900, 90, 10])


def shares(labels: np.ndarray) -> np.ndarray:
    """The share of each class."""
    return np.bincount(labels) / len(labels)


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        (1.0, [1 / 3, 1 / 3, 1 / 3]),
        # Written out: counts times their -1/2-th power are 30, 9.487 and 3.162.
        (0.5, [30 / 42.649, 9.487 / 42.649, 3.162 / 42.649]),
        (0.0, [0.9, 0.09, 0.01]),
    ],
)
def test_classes_get_their_shares(power: float, expected: list[float]) -> None:
    """In one epoch classes come in equal shares, by the square root, or as they are; none is off by a hundredth."""
    found = SKEWED[drawn(class_weights(SKEWED, power=power), seed=1, epoch=2)]
    assert shares(found) == pytest.approx(expected, abs=0.01)


def test_equal_weights_draw_every_sample_once() -> None:
    """Without a preference, drawing with replacement still gives each sample once."""
    assert sorted(drawn(np.full(50, 0.7), seed=3, epoch=0).tolist()) == list(range(50))


@given(st.lists(st.floats(0, 10), min_size=1, max_size=40), st.integers(0, 5), st.integers(0, 5))
def test_as_often_as_the_weight_says(weights: list[float], seed: int, epoch: int) -> None:
    """Each sample comes as often as its share of the weights asks, rounded up or down, and never with weight 0."""
    given_weights = np.array(weights)
    if given_weights.sum() < 1e-6:
        return
    counts = np.bincount(drawn(given_weights, seed=seed, epoch=epoch), minlength=len(weights))
    wanted = given_weights / given_weights.sum() * len(weights)
    assert counts.sum() == len(weights)
    assert (np.abs(counts - wanted) < 1 + 1e-9).all()
    assert (counts[given_weights == 0] == 0).all()


def test_over_many_epochs_each_sample_gets_its_due() -> None:
    """A sample with a weight of 0.3 comes in three epochs of ten."""
    weights = np.array([0.3, 1.7] * 20)
    counts = sum(np.bincount(drawn(weights, seed=0, epoch=epoch), minlength=40) for epoch in range(400)) / 400
    assert np.abs(counts - weights).max() < 0.1


def test_seed_and_epoch_decide() -> None:
    """The same seed and epoch draw the same, others draw others."""
    weights = class_weights(SKEWED)
    draws = {tuple(drawn(weights, seed=seed, epoch=epoch).tolist()) for seed in (0, 1) for epoch in (0, 1)}
    assert len(draws) == 4
    assert tuple(drawn(weights, seed=0, epoch=0).tolist()) in draws


def test_copies_of_one_sample_are_spread_over_the_epoch() -> None:
    """The ten rare samples, 33 times each, come in all parts of the epoch."""
    rare = np.flatnonzero(drawn(class_weights(SKEWED), seed=0, epoch=0) >= 990)
    assert [int(((rare >= start) & (rare < start + 250)).sum()) > 50 for start in range(0, 1000, 250)] == [True] * 4


def test_samples_without_a_class_are_never_drawn() -> None:
    """A label below 0 has no weight."""
    weights = class_weights(np.array([0, -1, 1, -1]))
    assert weights.tolist() == [2, 0, 2, 0]
    assert set(drawn(weights, seed=0, epoch=0).tolist()) == {0, 2}
    assert class_weights(np.array([-1, -1])).tolist() == [0, 0]


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.0, 0.0], [1.0, np.nan], [np.inf, 1.0]])
def test_impossible_weights(weights: list[float]) -> None:
    """Negative, missing and endless weights are refused, and those that leave nothing to draw."""
    with pytest.raises(SettingError, match="Weights"):
        drawn(np.array(weights), seed=0, epoch=0)
    with pytest.raises(SettingError, match="power"):
        class_weights(np.array([0, 1]), power=1.5)


def test_nothing_to_draw() -> None:
    """No samples give no draws."""
    assert drawn(np.zeros(0), seed=0, epoch=0).tolist() == []


def test_the_loader_draws_by_weight() -> None:
    """An epoch by weights has as many samples as ever, equal shares of the classes, and can be resumed."""
    images = np.zeros((len(SKEWED), 1, 1, 1), np.uint8)
    index = np.arange(0, len(SKEWED), 2)
    loader = ArrayLoader(
        images, SKEWED, index, batch_size=50, mean=[0.0], std=[1.0], shuffle=True, weights=class_weights(SKEWED[index])
    )
    batches = list(loader.epoch(3))
    labels = np.concatenate([batch.labels.numpy() for batch in batches])
    assert len(labels) == loader.samples == 500
    assert shares(labels) == pytest.approx([1 / 3] * 3, abs=0.01)
    assert {row % 2 for batch in batches for row in batch.index.tolist()} == {0}
    rest = list(loader.epoch(3, start=7))
    assert [batch.index.tolist() for batch in rest] == [batch.index.tolist() for batch in batches[7:]]


def test_weights_without_shuffle() -> None:
    """Where samples keep their order, none can be drawn."""
    with pytest.raises(SettingError, match="shuffle"):
        ArrayLoader(
            np.zeros((2, 1, 1, 1), np.uint8), np.arange(2), np.arange(2), batch_size=2, mean=[0.0], std=[1.0],
            weights=np.ones(2),
        )  # fmt: skip


def test_one_weight_for_each_row() -> None:
    """Weights of all samples for an index of some of them are refused."""
    with pytest.raises(SettingError, match="There are 3 weights for 2 rows"):
        ArrayLoader(
            np.zeros((3, 1, 1, 1), np.uint8), np.arange(3), np.arange(2), batch_size=2, mean=[0.0], std=[1.0],
            shuffle=True, weights=np.ones(3),
        )  # fmt: skip
