"""Facts about ridge regression, against scikit-learn and against n separate fits."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge, RidgeCV

from epochal.errors import DataError
from epochal.stats.ridge import STRENGTHS, block_features, fit_ridge, fit_ridge_images, left_out_errors


def _cloud(n: int = 60, d: int = 8, k: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    x = source.normal(2, 3, (n, d))
    return x, x @ source.normal(size=(d, k)) + source.normal(0, 5, (n, k)) + 7


def _penalty(x: np.ndarray, strength: float) -> float:
    total = float(np.square(x - x.mean(axis=0)).sum())
    return float(strength * total / x.shape[1])


@pytest.mark.parametrize("strength", [1e-4, 0.3, 10.0])
@pytest.mark.parametrize("shape", [(60, 8), (20, 50)])
def test_the_map_is_scikit_learns(shape: tuple[int, int], strength: float) -> None:
    """With a given penalty the map is scikit-learn's Ridge, with more samples than features and with fewer."""
    x, y = _cloud(*shape)
    ours, theirs = fit_ridge(x, y, strength=strength), Ridge(alpha=_penalty(x, strength)).fit(x, y)
    np.testing.assert_allclose(ours.weight, theirs.coef_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.logits(x), theirs.predict(x), rtol=1e-4, atol=1e-3)


def test_the_penalty_is_the_one_that_leaving_out_prefers() -> None:
    """Without a penalty given, the map is that of scikit-learn's cross-validation over the same penalties."""
    x, y = _cloud(80, 30)
    theirs = RidgeCV(alphas=[_penalty(x, strength) for strength in STRENGTHS], alpha_per_target=False).fit(x, y)
    np.testing.assert_allclose(fit_ridge(x, y).weight, theirs.coef_, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_left_out_errors_are_those_of_separate_fits(strength: float) -> None:
    """One decomposition gives what fitting n times, each time without one sample, gives."""
    x, y = _cloud(25, 4)
    alpha = _penalty(x, strength)
    for i, error in enumerate(left_out_errors(x, y, strength=strength)):
        rest = np.arange(len(x)) != i
        alone = y[i] - Ridge(alpha=alpha).fit(x[rest], y[rest]).predict(x[i : i + 1])[0]
        np.testing.assert_allclose(error, alone, rtol=1e-6)


def test_noise_gives_the_mean() -> None:
    """Where features say nothing, the answers stay near the mean of the targets."""
    source = np.random.default_rng(0)
    fitted = fit_ridge(source.normal(size=(400, 30)), 5 + source.normal(size=(400, 1)))
    assert np.abs(fitted.logits(source.normal(size=(400, 30))) - 5).max() < 0.5


@pytest.mark.parametrize(("n", "d"), [(1, 3), (5, 3)])
def test_features_that_never_change_give_the_mean(n: int, d: int) -> None:
    """Without any spread there is nothing to fit, and nothing is divided by it."""
    y = np.arange(float(n))[:, None]
    np.testing.assert_allclose(fit_ridge(np.ones((n, d)), y).logits(np.ones((2, d))), np.full((2, 1), y.mean()))


def test_an_image_map_is_the_map_of_its_blocks() -> None:
    """Applied to whole pixels, the spread map answers as the map of block means does on block means."""
    source = np.random.default_rng(0)
    images, y = source.uniform(size=(50, 3, 16, 16)), source.normal(size=(50, 2))
    whole = fit_ridge_images(images, y, at_most=48)
    blocks = block_features(images, at_most=48)
    assert (whole.weight.shape, blocks.shape) == ((2, 768), (50, 48))
    np.testing.assert_allclose(whole.logits(images.reshape(50, -1)), fit_ridge(blocks, y).logits(blocks), atol=1e-4)
    np.testing.assert_allclose(
        blocks.reshape(50, 3, 4, 4), images.reshape(50, 3, 4, 4, 4, 4).mean(axis=(3, 5)), atol=1e-6
    )


def test_digits_are_explained_as_well_as_by_scikit_learn() -> None:
    """On held-out digits, seen as numbers, the error is at most 2 % above that of scikit-learn's own choice."""
    images, values = load_digits(return_X_y=True)
    x, y = images / 16, values[:, None].astype(float)
    ours = np.abs(fit_ridge(x[:1200], y[:1200]).logits(x[1200:]) - y[1200:]).mean()
    theirs = RidgeCV(alphas=np.logspace(-4, 4, 17)).fit(x[:1200], y[:1200]).predict(x[1200:])
    assert ours < 1.02 * np.abs(theirs - y[1200:]).mean()


@pytest.mark.parametrize("where", ["features", "targets", "none"])
def test_numbers_that_are_not_finite_are_refused(where: str) -> None:
    """NaN among features or targets, or no sample at all, is an error that says how many."""
    x, y = _cloud()
    if where == "none":
        x, y = x[:0], y[:0]
    else:
        (x if where == "features" else y)[3, 0] = np.nan
    with pytest.raises(DataError, match="Expected"):
        fit_ridge(x, y)
