"""Facts about the linear support vector machine, against scikit-learn and the condition of its minimum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.svm import LinearSVC

from epochal.errors import DataError, SettingError
from epochal.stats.svm import COSTS, fit_svm, stratified_folds


def _clouds(n: int, classes: int, *, features: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = source.normal(0, 1.2, (classes, features))
    return centres[labels] + source.normal(0, 1, (n, features)), labels


@pytest.mark.parametrize("cost", [1e-3, 1e-2, 1.0])
def test_weights_are_sklearns(cost: float) -> None:
    """On standardised digits weight and bias are those of LinearSVC, whose penalty on the bias is made negligible."""
    x, y = load_digits(return_X_y=True)
    x = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1)
    x = x[:600, x.std(0) > 0] / x[:600, x.std(0) > 0].std(0).clip(1e-9)
    x = x[:, np.isfinite(x).all(0) & (x.std(0) > 0.5)]
    x = (x - x.mean(0)) / x.std(0)
    ours = fit_svm(x, y[:600], classes=10, cost=cost)
    theirs = LinearSVC(C=cost, dual=False, intercept_scaling=100, tol=1e-8, max_iter=50_000).fit(x, y[:600])
    scale = np.abs(theirs.coef_).max()
    assert np.abs(ours.weight - theirs.coef_).max() < 0.01 * scale
    assert np.abs(ours.bias - theirs.intercept_).max() < 0.01
    assert (ours.logits(x).argmax(1) == theirs.predict(x)).mean() > 0.995


@pytest.mark.parametrize(("n", "features"), [(80, 5), (30, 200)])
def test_gradient_is_zero_at_the_minimum(n: int, features: int) -> None:
    """For each class the sum of the samples within the margin balances the weight, with few features and with many."""
    x, y = _clouds(n, 3, features=features)
    cost = 0.1
    fitted = fit_svm(x, y, classes=3, cost=cost)
    z = (x - x.mean(0)) / x.std(0)
    weight = fitted.weight.astype(np.float64) * x.std(0)
    bias = fitted.bias + fitted.weight @ x.mean(0)
    signs = np.where(y[:, None] == np.arange(3), 1.0, -1.0)
    slack = np.maximum(0, 1 - signs * (z @ weight.T + bias))
    gradient = weight - 2 * cost * (signs * slack).T @ z
    assert np.abs(gradient).max() < 1e-3 * np.abs(2 * cost * signs.T @ z).max()
    assert np.abs((signs * slack).sum(0)).max() < 1e-3 * n


def test_digits_are_read() -> None:
    """With its own cost the machine is as good as scikit-learn's best of the same costs."""
    x, y = load_digits(return_X_y=True)
    ours = (fit_svm(x[:1000], y[:1000], classes=10).logits(x[1000:]).argmax(1) == y[1000:]).mean()
    z = (x - x[:1000].mean(0)) / np.where(x[:1000].std(0) > 0, x[:1000].std(0), 1)
    theirs = max(LinearSVC(C=cost, dual=False).fit(z[:1000], y[:1000]).score(z[1000:], y[1000:]) for cost in COSTS)
    assert ours > theirs - 0.01


def test_few_samples_in_many_dimensions() -> None:
    """With 40 samples in 1,000 dimensions, two of which matter, fresh samples are told apart."""
    source = np.random.default_rng(0)
    x, y = source.normal(size=(240, 1000)), np.arange(240) % 2
    x[:, :20] += 1.5 * (2 * y[:, None] - 1)
    fitted = fit_svm(x[:40], y[:40], classes=2)
    assert (fitted.logits(x[40:]).argmax(1) == y[40:]).mean() > 0.95


def test_scale_and_shift_of_features_do_not_matter() -> None:
    """Features in other units give the same scores."""
    x, y = _clouds(60, 3)
    one = fit_svm(x, y, classes=3, cost=0.1).logits(x)
    other = x * np.array([1e3, 1e-3, 1, 5, 0.2, 1]) + 7
    np.testing.assert_allclose(fit_svm(other, y, classes=3, cost=0.1).logits(other), one, atol=2e-2)


def test_constant_features_have_no_say() -> None:
    """A feature that never changes gets no weight, and nothing becomes infinite."""
    x, y = _clouds(40, 2)
    fitted = fit_svm(np.hstack([x, np.full((40, 1), 3.0)]), y, classes=2)
    assert np.isfinite(fitted.weight).all()
    assert not fitted.weight[:, -1].any()


def test_an_absent_class_is_never_named() -> None:
    """A class without a sample gets the lowest score everywhere."""
    x, y = _clouds(40, 2)
    assert fit_svm(x, y, classes=3).logits(x).argmin(1).tolist() == [2] * 40


@pytest.mark.parametrize("labels", [[1], [1, 1, 1]])
def test_one_class_gives_the_prior(labels: list[int]) -> None:
    """With nothing to tell apart the answer is the class that is there."""
    fitted = fit_svm(np.ones((len(labels), 3)), np.array(labels), classes=2)
    assert fitted.logits(np.zeros((1, 3))).argmax() == 1


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(2, 6))
def test_folds_share_every_class(labels: list[int], folds: int) -> None:
    """Of each class no fold has two more than another, and of all samples neither."""
    y = np.array(labels)
    fold = stratified_folds(y, folds=folds)
    for chosen in [np.ones(len(y), bool), *(y == label for label in set(labels))]:
        counts = np.bincount(fold[chosen], minlength=folds)
        assert counts.max() - counts.min() <= 1


def test_bad_input_is_refused() -> None:
    """A cost that is not positive, and a label that is no class, are told."""
    x, y = _clouds(10, 2)
    with pytest.raises(SettingError, match="costs"):
        fit_svm(x, y, classes=2, cost=0.0)
    with pytest.raises(DataError, match="0 to 1"):
        fit_svm(x, y, classes=1)
