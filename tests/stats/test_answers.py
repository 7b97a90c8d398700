"""Facts about yes-or-no answers, against scikit-learn and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, log_loss, multilabel_confusion_matrix

from epochal.stats.answers import (
    answer_counts,
    answer_nll,
    answer_temperature,
    best_thresholds,
    f1,
    macro_f1,
    micro_f1,
    sigmoid,
)

seeds = st.integers(0, 2**31)


def _case(seed: int, *, n: int = 25) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    labels = source.random((n, 3)) < [0.5, 0.2, 0.1]
    return (source.normal(size=labels.shape) * 2 + labels).round(1), labels.astype(np.float32)


@given(st.floats(-1e4, 1e4))
def test_sigmoid_is_finite_and_symmetric(logit: float) -> None:
    """Yes and no add up to 1 at any logit, without a warning."""
    assert sigmoid(np.array([logit, -logit])).sum() == pytest.approx(1)
    if abs(logit) < 30:
        assert sigmoid(np.array([logit]))[0] == pytest.approx(1 / (1 + np.exp(-logit)))


@given(seeds)
def test_likelihood_is_sklearns(seed: int) -> None:
    """The mean over classes of each sample's log loss."""
    logits, labels = _case(seed)
    for z, y, got in zip(logits, labels, answer_nll(logits, labels), strict=True):
        assert got == pytest.approx(log_loss(y, sigmoid(z), labels=[0, 1]))


def test_extreme_logits_cost_what_they_say() -> None:
    """A sure mistake costs its logit, a sure truth nothing."""
    np.testing.assert_allclose(answer_nll(np.array([[800.0], [800.0]]), np.array([[0], [1]])), [800, 0])


@given(seeds)
def test_counts_and_f1_are_sklearns(seed: int) -> None:
    """Hits, wrong and missed of each class; F1 of each, their mean over classes with positives, and of all together."""
    logits, labels = _case(seed)
    said = logits > 0
    counts = answer_counts(said, labels)
    for (hits, wrong, missed), matrix in zip(counts, multilabel_confusion_matrix(labels, said), strict=True):
        assert [[wrong], [missed, hits]] == [[matrix[0, 1]], [matrix[1, 0], matrix[1, 1]]]
    np.testing.assert_allclose(f1(counts), f1_score(labels, said, average=None, zero_division=0))
    there = labels.any(axis=0)
    if there.any():
        expected = f1_score(labels[:, there], said[:, there], average="macro", zero_division=0)
        assert macro_f1(counts) == pytest.approx(expected)
    assert micro_f1(counts) == pytest.approx(f1_score(labels, said, average="micro", zero_division=0))


def test_f1_without_positives_is_unknown() -> None:
    """The mean over no class is NaN, silently."""
    assert np.isnan(macro_f1(np.array([[0, 4, 0], [0, 0, 0]])))


@given(seeds)
def test_no_threshold_is_better_than_the_best(seed: int) -> None:
    """Trying every probability that occurs, and those between, gives no higher F1 on these samples."""
    logits, labels = _case(seed)
    chances, found = sigmoid(logits), best_thresholds(logits, labels)
    for k in range(3):
        own = f1(answer_counts((chances > found)[:, [k]], labels[:, [k]]))[0]
        if not labels[:, k].any():
            assert found[k] == 0.5
            continue
        tried = [f1(answer_counts((chances[:, [k]] >= at), labels[:, [k]]))[0] for at in (0.0, *chances[:, k], 1.0)]
        assert own == pytest.approx(max(tried))


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_temperature_undoes_a_scale(factor: float) -> None:
    """Logits that are right but multiplied need exactly that factor taken out."""
    source = np.random.default_rng(0)
    logits = source.normal(size=(20_000, 2)) * 2
    labels = source.random(logits.shape) < sigmoid(logits)
    assert answer_temperature(logits * factor, labels) == pytest.approx(factor, rel=0.03)


def test_no_logit_needs_no_temperature() -> None:
    """Where all logits are 0, or there is no sample, it is 1; where all is right, the coldest that is looked at."""
    assert answer_temperature(np.zeros((4, 2)), np.ones((4, 2))) == 1
    assert answer_temperature(np.zeros((0, 2)), np.ones((0, 2))) == 1
    assert answer_temperature(np.array([[3.0], [-3.0]]), np.array([[1], [0]])) == pytest.approx(0.01)
