"""Facts about the linear model of several labels, against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from epochal.errors import DataError
from epochal.stats.answers import answer_nll, sigmoid
from epochal.stats.linear import block_means
from epochal.stats.linear_answers import fit_answers, fit_multi_label_images
from epochal.stats.multi_label import mean_average_precision


def _clouds(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    labels = source.random((n, 3)) < [0.5, 0.2, 0.05]
    push = np.random.default_rng(9).normal(0, 1.2, (3, 6))
    return (labels @ push + source.normal(0, 1, (n, 6))).astype(np.float32), labels.astype(np.float32)


@pytest.mark.parametrize("strength", [1.0, 30.0])
def test_each_class_is_sklearns_regression(strength: float) -> None:
    """With a given penalty the probabilities are those of one logistic regression per class."""
    x, y = _clouds(500)
    ours = sigmoid(fit_answers(x, y, strength=strength, steps=3000).logits(x))
    variance = float(x.var(axis=0).mean())
    for k in range(3):
        theirs = LogisticRegression(C=1 / (strength * variance), tol=1e-8, max_iter=3000).fit(x, y[:, k])
        assert np.abs(ours[:, k] - theirs.predict_proba(x)[:, 1]).max() < 0.05


def test_a_chosen_penalty_generalises() -> None:
    """On fresh samples the fit is nearly as likely as the best of scikit-learn's."""
    x, y = _clouds(2000)
    fresh, truth = _clouds(2000, seed=1)
    ours = answer_nll(fit_answers(x, y).logits(fresh), truth).mean()
    theirs = [LogisticRegression(max_iter=500).fit(x, y[:, k]).decision_function(fresh) for k in range(3)]
    assert ours < answer_nll(np.stack(theirs, axis=1), truth).mean() + 0.01


def test_noise_gives_the_shares() -> None:
    """Where nothing can be learnt every sample gets nearly the share of its class."""
    source = np.random.default_rng(0)
    x, y = source.normal(size=(800, 30)), source.random((800, 2)) < [0.5, 0.1]
    said = sigmoid(fit_answers(x, y.astype(np.float32)).logits(source.normal(size=(500, 30))))
    assert np.abs(said - y.mean(axis=0)).mean() < 0.06


@pytest.mark.parametrize("labels", [np.zeros((20, 2)), np.ones((20, 2)), np.ones((1, 2))])
def test_a_class_that_never_changes_is_taken_as_it_is(labels: np.ndarray) -> None:
    """All yes, all no, or a single sample: finite, and on the right side."""
    x = np.random.default_rng(0).normal(size=(len(labels), 4))
    said = fit_answers(x, labels).logits(x)
    assert np.isfinite(said).all()
    assert ((said > 0) == (labels > 0)).all()


def test_images_fit_on_blocks_and_apply_to_pixels() -> None:
    """A map fitted on block means gives, on whole images, what it gives on their means, and ranks them well."""
    source = np.random.default_rng(0)
    images, labels = source.normal(size=(120, 3, 12, 10)).astype(np.float32), source.random((120, 2)) < 0.4
    images[labels[:, 0], 0, :6] += 1
    images[labels[:, 1], 2, :, 5:] += 1
    wanted = labels.astype(np.float32)
    fitted = fit_multi_label_images(images, wanted, at_most=90, strength=10.0)
    rows, columns = block_means(12, 6), block_means(10, 5)
    small = np.einsum("ih,nchw,jw->ncij", rows, images, columns).reshape(120, -1)
    by_hand = fit_answers(small, wanted, strength=10.0)
    np.testing.assert_allclose(fitted.logits(images.reshape(120, -1)), by_hand.logits(small), rtol=1e-3, atol=1e-3)
    assert mean_average_precision(by_hand.logits(small), wanted) > 0.95


def test_shares_are_refused() -> None:
    """A label besides 0 and 1 is an error before any work."""
    with pytest.raises(DataError, match=r"A label is 0\.5"):
        fit_answers(np.ones((2, 3)), np.array([[0.5], [1.0]]))
