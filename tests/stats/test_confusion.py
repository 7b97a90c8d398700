"""Facts about the confusion matrix and what follows from it, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from epochal.errors import DataError
from epochal.stats.confusion import balanced_accuracy, cohen_kappa, confusion_matrix, per_class

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


def _arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([p for p, _ in pairs]), np.array([label for _, label in pairs])


@given(PAIRS)
def test_matrix_is_sklearns(pairs: list[tuple[int, int]]) -> None:
    """Counts agree with scikit-learn, rows true and columns predicted."""
    predicted, labels = _arrays(pairs)
    expected = metrics.confusion_matrix(labels, predicted, labels=range(5))
    np.testing.assert_array_equal(confusion_matrix(predicted, labels, classes=5), expected)


@given(PAIRS)
def test_class_scores_are_sklearns(pairs: list[tuple[int, int]]) -> None:
    """Precision, recall, F1 and support agree with scikit-learn for every class."""
    predicted, labels = _arrays(pairs)
    scores = per_class(confusion_matrix(predicted, labels, classes=5))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(5), zero_division=np.nan
    )
    for score in scores:
        assert score.support == support[score.label]
        assert score.recall.value == pytest.approx(recall[score.label], nan_ok=True)
        assert score.precision.value == pytest.approx(precision[score.label], nan_ok=True)
        if score.support + score.predicted:
            assert score.f1 == pytest.approx(f1[score.label])


@given(PAIRS)
def test_kappa_is_sklearns(pairs: list[tuple[int, int]]) -> None:
    """Cohen's kappa agrees with scikit-learn wherever it can be told."""
    predicted, labels = _arrays(pairs)
    ours = cohen_kappa(confusion_matrix(predicted, labels, classes=5))
    if len(set(predicted.tolist() + labels.tolist())) > 1:
        assert ours == pytest.approx(metrics.cohen_kappa_score(labels, predicted), abs=1e-12)
    else:
        assert np.isnan(ours)


@given(PAIRS)
def test_balanced_accuracy_is_sklearns(pairs: list[tuple[int, int]]) -> None:
    """Mean recall agrees with scikit-learn's macro recall over the classes that occur."""
    predicted, labels = _arrays(pairs)
    expected = metrics.recall_score(labels, predicted, labels=np.unique(labels), average="macro")
    assert balanced_accuracy(confusion_matrix(predicted, labels, classes=5)) == pytest.approx(expected)


@pytest.mark.parametrize("wrong", [-1, 2])
def test_foreign_classes_are_refused(wrong: int) -> None:
    """A class outside the matrix is an error, not a count somewhere else."""
    with pytest.raises(DataError, match=f"A prediction is {wrong}"):
        confusion_matrix(np.array([wrong]), np.array([0]), classes=2)
    with pytest.raises(DataError, match=f"A label is {wrong}"):
        confusion_matrix(np.array([0]), np.array([wrong]), classes=2)


def test_nothing_is_unknown() -> None:
    """Of no samples nothing can be told."""
    empty = np.zeros((2, 2), dtype=np.int64)
    assert np.isnan(cohen_kappa(empty))
    assert np.isnan(balanced_accuracy(empty))
    assert per_class(empty)[0].f1 == 0.0
