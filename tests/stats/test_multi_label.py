"""Facts about average precision and its intervals, against scikit-learn and populations of known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from epochal.stats import resampling
from epochal.stats.multi_label import (
    average_precision,
    average_precision_intervals,
    mean_average_precision,
    mean_average_precision_gain,
    mean_average_precision_interval,
)

seeds = st.integers(0, 2**31)


def _answers(seed: int, *, n: int = 30, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    labels = source.random((n, 4)) < [0.5, 0.3, 0.1, 0.05]
    scores = source.normal(size=labels.shape) + 1.5 * labels
    return (scores.round() if ties else scores), labels.astype(np.float32)


@given(seeds, st.booleans(), st.integers(1, 40))
def test_average_precision_is_sklearns(seed: int, ties: bool, n: int) -> None:
    """Class by class, with equal scores too; a class without positives is unknown and left out of the mean."""
    scores, labels = _answers(seed, n=n, ties=ties)
    ours, there = average_precision(scores, labels), labels.any(axis=0)
    theirs = [average_precision_score(labels[:, k], scores[:, k]) for k in np.flatnonzero(there)]
    np.testing.assert_allclose(ours[there], theirs)
    assert np.isnan(ours[~there]).all()
    if there.any():
        assert mean_average_precision(scores, labels) == pytest.approx(np.mean(theirs))


def test_a_constant_score_gets_the_share_of_positives() -> None:
    """What says the same of every sample ranks nothing."""
    _, labels = _answers(0, n=200)
    np.testing.assert_allclose(average_precision(np.zeros(labels.shape), labels), labels.mean(axis=0))


@given(seeds)
def test_drawn_samples_are_repeated_samples(seed: int) -> None:
    """Counting a sample three times gives what three copies of it give, with equal scores too."""
    from epochal.stats.multi_label import _precisions

    scores, labels = _answers(seed, n=12, ties=True)
    portion = next(resampling.times_drawn(12, draws=5, seed=seed))
    for k in range(4):
        got = _precisions(scores[:, k], labels[:, k] > 0, times=portion)
        for times, found in zip(portion.T, got, strict=True):
            rows = np.repeat(np.arange(12), times.astype(int))
            expected = average_precision_score(labels[rows, k], scores[rows, k]) if labels[rows, k].any() else np.nan
            assert found == pytest.approx(expected, nan_ok=True)


def test_portions_of_draws_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is short, draws come in portions, and the interval is about the same."""
    scores, labels = _answers(0, n=200)
    whole = mean_average_precision_interval(scores, labels)
    monkeypatch.setattr(resampling, "DRAWS_AT_ONCE", 5000)
    parts = mean_average_precision_interval(scores, labels)
    assert parts.value == whole.value
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), abs=0.01)


@pytest.mark.parametrize("n", [60, 250])
def test_intervals_hold_the_truth_though_few_positives_flatter(n: int) -> None:
    """Of 100 splits of a known population seven in eight or more hold it, where the values lie above it on average."""
    truth = mean_average_precision(*_answers(1, n=100_000))
    found = [mean_average_precision_interval(*_answers(seed, n=n), draws=400) for seed in range(100)]
    assert np.mean([each.value for each in found]) > truth
    assert np.mean([not each.excludes(truth) for each in found]) >= 0.87


def test_class_intervals_surround_their_values() -> None:
    """One for each class; without positives it says nothing."""
    scores, labels = _answers(3, n=300)
    labels[:, 3] = 0
    found = average_precision_intervals(scores, labels)
    for each, value in zip(found, average_precision(scores, labels), strict=True):
        assert each.value == pytest.approx(value, nan_ok=True)
    assert all(each.low < each.value < each.high for each in found[:3])
    assert (found[3].low, found[3].high) == (0, 1)


def test_gain_is_paired() -> None:
    """Two scorings that agree but for a little noise differ by little for sure, though each alone is uncertain."""
    scores, labels = _answers(5, n=300)
    worse = scores + np.random.default_rng(0).normal(0, 1.5, scores.shape)
    gain, loss = (mean_average_precision_gain(*pair, labels=labels) for pair in ((scores, worse), (worse, scores)))
    assert 0 < gain.low < gain.value < gain.high
    assert (loss.low, loss.value, loss.high) == pytest.approx((-gain.high, -gain.value, -gain.low))
    nothing = mean_average_precision_gain(scores, scores, labels=labels)
    assert nothing.low == nothing.value == nothing.high == 0


def test_no_positive_at_all_is_unknown() -> None:
    """Without any positive there is no figure, no warning, and an interval that says nothing."""
    found = mean_average_precision_interval(np.ones((5, 2)), np.zeros((5, 2)))
    assert np.isnan(found.value)
    assert (found.low, found.high) == (0, 1)
