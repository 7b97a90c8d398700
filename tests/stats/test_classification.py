"""Facts about scores of class predictions, against scikit-learn and closed forms."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics

from epochal.errors import DataError, SettingError
from epochal.stats.classification import (
    accuracy,
    brier,
    log_softmax,
    most_disputed,
    nll,
    prior,
    right,
    sample_nll,
    softmax,
    top_k,
)

Scored = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@st.composite
def scored(draw: st.DrawFn) -> Scored:
    """Logits of up to 30 samples over 2 to 6 classes, with labels."""
    n, classes = draw(st.integers(1, 30)), draw(st.integers(2, 6))
    logits = draw(hnp.arrays(np.float32, (n, classes), elements=st.floats(-20, 20, width=32)))
    labels = draw(hnp.arrays(np.int64, n, elements=st.integers(0, classes - 1)))
    return logits, labels


@given(scored())
def test_nll_is_sklearns(data: Scored) -> None:
    """Negative log likelihood is scikit-learn's log loss of the probabilities."""
    logits, labels = data[0] * 0.75, data[1]  # scikit-learn clips probabilities below 2e-16
    expected = metrics.log_loss(labels, softmax(logits), labels=list(range(logits.shape[1])))
    assert nll(logits, labels) == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(scored(), st.floats(-500, 500))
def test_probabilities_ignore_a_shift(data: Scored, shift: float) -> None:
    """Rows add up to 1, and adding a constant to all logits changes nothing."""
    logits = data[0].astype(np.float64)
    np.testing.assert_allclose(softmax(logits).sum(axis=1), 1)
    np.testing.assert_allclose(softmax(logits + shift), softmax(logits), atol=1e-9)


def test_extreme_logits_stay_finite() -> None:
    """float16 logits at the end of their range give the exact cost, neither infinity nor NaN."""
    logits = np.array([[60000.0, -60000.0]], dtype=np.float16)
    assert sample_nll(logits, np.array([1]))[0] == pytest.approx(120_000)
    assert sample_nll(logits, np.array([0]))[0] == 0.0
    assert log_softmax(logits).dtype == np.float64


@given(scored())
def test_accuracy_is_sklearns(data: Scored) -> None:
    """Share right agrees with scikit-learn, and the interval holds it."""
    logits, labels = data
    share = accuracy(logits, labels)
    assert share.value == pytest.approx(metrics.accuracy_score(labels, logits.argmax(axis=1)))
    assert share.low <= share.value <= share.high
    assert right(logits, labels).sum() == round(share.value * len(labels))


@given(scored())
def test_top_k_grows_to_one(data: Scored) -> None:
    """With more guesses more are right; with all classes as guesses, all."""
    logits, labels = data
    shares = [top_k(logits, labels, k=k).value for k in range(1, logits.shape[1] + 1)]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert shares[0] <= accuracy(logits, labels).value


def test_top_k_is_sklearns_without_ties() -> None:
    """On distinct logits the share agrees with scikit-learn."""
    source = np.random.default_rng(0)
    logits, labels = source.normal(size=(200, 7)), source.integers(0, 7, 200)
    expected = metrics.top_k_accuracy_score(labels, logits, k=3)
    assert top_k(logits, labels, k=3).value == pytest.approx(expected)


def test_constant_logits_are_no_success() -> None:
    """A network that says the same of every class is not in the top 2 of anything by luck."""
    assert top_k(np.zeros((4, 3)), np.array([0, 1, 2, 0]), k=2).value == 0.0


@pytest.mark.parametrize("k", [0, 4])
def test_impossible_k_is_refused(k: int) -> None:
    """A k outside 1 to the number of classes is the caller's mistake."""
    with pytest.raises(SettingError, match="number of classes"):
        top_k(np.zeros((1, 3)), np.array([0]), k=k)


@given(scored())
def test_brier_is_the_sum_over_classes(data: Scored) -> None:
    """The score equals a plain loop over samples and classes."""
    logits, labels = data
    probabilities = softmax(logits)
    total = 0.0
    for row, label in zip(probabilities, labels, strict=True):
        for place, p in enumerate(row):
            total += (p - (place == label)) ** 2
    assert brier(logits, labels) == pytest.approx(total / len(labels))


@given(scored(), st.integers(1, 40))
def test_most_disputed_is_sorted(data: Scored, count: int) -> None:
    """Cost falls along the ranking, and nothing left out costs more than what is in."""
    logits, labels = data
    rows = most_disputed(logits, labels, count=count)
    cost = sample_nll(logits, labels)
    assert len(rows) == min(count, len(labels))
    assert (np.diff(cost[rows]) <= 0).all()
    left_out = np.setdiff1d(np.arange(len(labels)), rows)
    assert not len(left_out) or cost[left_out].max() <= cost[rows].min()


@pytest.mark.parametrize("label", [-1, 3])
@pytest.mark.parametrize("score", [nll, accuracy, brier, right])
def test_foreign_labels_are_named(score: Any, label: int) -> None:
    """A label outside the classes is an error that names its row."""
    with pytest.raises(DataError, match=f"Label {label} in row 1"):
        score(np.zeros((2, 3)), np.array([0, label]))


def test_prior_of_a_missing_class_is_not_zero() -> None:
    """A class that never occurs stays possible, and the shares add up to 1."""
    shares = prior(np.array([0, 0, 2]), classes=4)
    assert shares.sum() == pytest.approx(1)
    assert shares[1] == pytest.approx(0.25 / 4)
    np.testing.assert_allclose(prior(np.array([0, 0, 1]), classes=2, smoothing=0), [2 / 3, 1 / 3])
