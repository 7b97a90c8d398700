"""Facts about the linear classifier, against scikit-learn and closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from epochal.errors import DataError
from epochal.stats.classification import accuracy, nll, prior, softmax
from epochal.stats.linear import LinearMap, block_means, constant_map, fit_images, fit_logistic


def _clouds(n: int, classes: int, features: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = source.normal(0, 1.5, (classes, features))
    return (centres[labels] + source.normal(0, 1, (n, features))).astype(np.float32), labels


@pytest.mark.parametrize("strength", [1.0, 30.0])
def test_probabilities_are_sklearns(strength: float) -> None:
    """With a given penalty the fit is scikit-learn's logistic regression."""
    x, y = _clouds(300, 4)
    ours = fit_logistic(x, y, classes=4, strength=strength, steps=2000)
    variance = x.var(axis=0).mean()
    theirs = LogisticRegression(C=1 / (strength * float(variance)), tol=1e-8, max_iter=2000).fit(x, y)
    assert nll(ours.logits(x), y) == pytest.approx(nll(theirs.decision_function(x), y), rel=0.01)
    assert np.abs(softmax(ours.logits(x)) - theirs.predict_proba(x)).max() < 0.05


def test_digits_are_read() -> None:
    """On scikit-learn's digits the fit with its own penalty is as good as scikit-learn's best guess."""
    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32)
    fitted = fit_logistic(images[:1200], labels[:1200], classes=10)
    theirs = LogisticRegression(max_iter=500).fit(images[:1200], labels[:1200])
    ours = accuracy(fitted.logits(images[1200:]), labels[1200:])
    assert ours.value > 0.88
    assert ours.value > theirs.score(images[1200:], labels[1200:]) - 0.02


def test_noise_gives_the_prior() -> None:
    """Where nothing can be learnt the chosen penalty keeps the answer near the class shares."""
    source = np.random.default_rng(0)
    x, y = source.normal(size=(600, 40)), source.integers(0, 3, 600)
    fitted = fit_logistic(x, y, classes=3)
    fresh = source.normal(size=(600, 40))
    assert np.abs(softmax(fitted.logits(fresh)) - prior(y, classes=3)).max() < 0.15


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40))
def test_constant_map_is_the_prior(labels: list[int]) -> None:
    """The prior baseline answers every input with the smoothed class shares."""
    y = np.array(labels)
    always = constant_map(y, classes=3, features=2)
    got = softmax(always.logits(np.random.default_rng(0).normal(size=(4, 2))))
    np.testing.assert_allclose(got, np.tile(prior(y, classes=3), (4, 1)), rtol=1e-5)


@pytest.mark.parametrize("labels", [[1], [1, 1, 1]])
def test_one_class_gives_the_prior(labels: list[int]) -> None:
    """With a single class, or a single sample, there is nothing to fit and nothing fails."""
    fitted = fit_logistic(np.ones((len(labels), 3)), np.array(labels), classes=2)
    assert not fitted.weight.any()
    assert fitted.bias.argmax() == 1


def test_constant_features_do_no_harm() -> None:
    """Features without spread leave the class shares, finite."""
    fitted = fit_logistic(np.full((20, 4), 7.0), np.arange(20) % 4 // 3, classes=2)
    np.testing.assert_allclose(softmax(fitted.logits(np.full((1, 4), 7.0)))[0], [0.75, 0.25], atol=0.02)


def test_scale_of_features_does_not_matter() -> None:
    """The penalty follows the spread of the features: bytes and unit range give the same answers."""
    x, y = _clouds(200, 3)
    small, large = fit_logistic(x, y, classes=3), fit_logistic(x * 255 + 99, y, classes=3)
    assert np.abs(softmax(small.logits(x)) - softmax(large.logits(x * 255 + 99))).max() < 0.02


def test_images_fit_on_blocks_and_apply_to_pixels() -> None:
    """A map fitted on block means gives, on whole images, what it gives on their means."""
    source = np.random.default_rng(0)
    images, labels = source.normal(size=(50, 3, 12, 10)).astype(np.float32), np.arange(50) % 2
    images[labels == 1, 0, :6] += 1
    fitted = fit_images(images, labels, classes=2, at_most=90, strength=10.0)
    rows, columns = block_means(12, 6), block_means(10, 5)
    small = np.einsum("ih,nchw,jw->ncij", rows, images, columns).reshape(50, -1)
    by_hand = fit_logistic(small, labels, classes=2, strength=10.0)
    np.testing.assert_allclose(fitted.logits(images.reshape(50, -1)), by_hand.logits(small), rtol=1e-3, atol=1e-4)
    assert accuracy(fitted.logits(images.reshape(50, -1)), labels).value > 0.9


@given(st.integers(1, 40), st.integers(1, 40))
def test_block_means_average(size: int, cells: int) -> None:
    """Each cell is the plain mean of its stretch, and a constant stays the same."""
    cells = min(size, cells)
    matrix = block_means(size, cells)
    np.testing.assert_allclose(matrix @ np.full(size, 3.0), 3.0, rtol=1e-5)
    values = np.arange(size, dtype=np.float64)
    for cell in range(cells):
        stretch = values[cell * size // cells : -(-(cell + 1) * size // cells)]
        assert matrix[cell] @ values == pytest.approx(stretch.mean(), rel=1e-5)


def test_foreign_labels_are_refused() -> None:
    """A label outside the classes is an error before any work."""
    with pytest.raises(DataError, match="Label 5"):
        fit_logistic(np.ones((2, 3)), np.array([0, 5]), classes=2)


def test_torch_can_carry_it() -> None:
    """Weight and bias in a torch Linear behind a Flatten give the same logits."""
    torch = pytest.importorskip("torch")
    images = np.random.default_rng(0).normal(size=(8, 1, 4, 4)).astype(np.float32)
    fitted: LinearMap = fit_images(images, np.arange(8) % 2, classes=2)
    layer = torch.nn.Linear(16, 2)
    layer.load_state_dict({"weight": torch.tensor(fitted.weight), "bias": torch.tensor(fitted.bias)})
    logits = layer(torch.tensor(images).flatten(1)).detach().numpy()
    np.testing.assert_allclose(logits, fitted.logits(images.reshape(8, -1)), rtol=1e-4, atol=1e-6)
