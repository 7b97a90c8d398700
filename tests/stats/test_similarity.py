"""Facts about what a linear reading knows of samples left out, against fits that really leave them out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from epochal.errors import DataError
from epochal.stats.ridge import left_out_errors
from epochal.stats.similarity import PENALTIES, knowledge, left_out, similarity


@pytest.mark.parametrize(("n", "features"), [(25, 4), (12, 40)])
@pytest.mark.parametrize("penalty", [1e-2, 1.0])
def test_leaving_out_is_exact(n: int, features: int, penalty: float) -> None:
    """Each prediction is that of scikit-learn's ridge regression on all other samples, features scaled over all."""
    source = np.random.default_rng(0)
    x, y = source.normal(size=(n, features)), source.normal(size=(n, 2))
    z = (x - x.mean(0)) / x.std(0)
    got = left_out(x, y, penalties=[penalty]).predicted
    for i in range(n):
        rest = np.arange(n) != i
        # ours centres over all samples but keeps the intercept free: the same plane
        expected = Ridge(alpha=penalty * n).fit(z[rest], y[rest]).predict(z[[i]])[0]
        np.testing.assert_allclose(got[i], expected, rtol=1e-6, atol=1e-8)


def test_the_baselines_ridge_agrees() -> None:
    """The errors are those that the ridge regression of the baselines finds at the same penalty."""
    source = np.random.default_rng(1)
    x, y = source.normal(size=(30, 5)), source.normal(size=(30, 1))
    z = (x - x.mean(0)) / x.std(0)
    ours = y - left_out(x, y, penalties=[0.3]).predicted
    np.testing.assert_allclose(ours, left_out_errors(z, y, strength=0.3), rtol=1e-9)


def test_the_best_penalty_is_taken() -> None:
    """Of all penalties the one with the least squared error on samples left out is kept."""
    source = np.random.default_rng(2)
    x = source.normal(size=(40, 30))
    y = x[:, :1] + source.normal(size=(40, 1))
    tried = {p: np.square(y - left_out(x, y, penalties=[p]).predicted).sum() for p in PENALTIES}
    assert left_out(x, y).penalty == min(tried, key=tried.__getitem__)


def test_noise_is_not_known() -> None:
    """Features that say nothing explain nothing of the labels, nor of values."""
    source = np.random.default_rng(3)
    x, labels = source.normal(size=(400, 50)), source.integers(0, 4, 400)
    assert knowledge(x, labels).mean() < 0.02
    assert knowledge(x, source.normal(size=(400, 1))).mean() < 0.02


@given(st.integers(2, 5), st.integers(0, 5))
def test_names_of_classes_do_not_matter(classes: int, seed: int) -> None:
    """Numbering the classes otherwise, with gaps, changes nothing."""
    source = np.random.default_rng(seed)
    labels = np.arange(40) % classes
    x = source.normal(size=(40, 6)) + 2 * np.eye(6)[labels]
    names = source.permutation(100)[:classes]
    np.testing.assert_allclose(knowledge(x, labels), knowledge(x, names[labels]), rtol=1e-9, atol=1e-12)


def test_values_are_known_by_the_variance_explained() -> None:
    """A value that is half signal and half noise is known by half, whatever its unit."""
    source = np.random.default_rng(4)
    x = source.normal(size=(3000, 1))
    y = 1e3 * (x + source.normal(size=(3000, 1)))
    assert knowledge(x, y).mean() == pytest.approx(0.5, abs=0.04)


def test_units_of_values_do_not_matter() -> None:
    """Each of several values counts alike, whatever its unit."""
    source = np.random.default_rng(6)
    x = source.normal(size=(200, 3))
    y = np.stack([x[:, 0], source.normal(size=200)], axis=1)
    np.testing.assert_allclose(knowledge(x, y), knowledge(x, y * [1e-3, 1e3]), atol=1e-9)
    assert knowledge(x, y).mean() == pytest.approx(0.5, abs=0.05)


def test_constant_features_know_the_mean_alone() -> None:
    """Without any spread nothing is explained and nothing fails."""
    assert knowledge(np.ones((10, 3)), np.arange(10.0)[:, None]).mean() <= 0


def test_the_later_stage_is_judged_against_the_best_earlier_one() -> None:
    """The gain is the difference on the same samples, with the stage that it was measured against."""
    source = np.random.default_rng(5)
    labels = np.arange(200) % 4
    signal = np.eye(4)[labels]
    stages = {
        "first": source.normal(size=(200, 4)),
        "second": signal + 0.2 * source.normal(size=(200, 4)),
        "last": signal + 1.5 * source.normal(size=(200, 4)),
    }
    found = similarity(stages, labels, pixels=stages["first"])
    assert found.stage == "second"
    assert found.gain.high < 0
    assert found.gain.value == pytest.approx(found.last.value - found.earlier.value)
    assert found.pixels.value < 0.5


def test_too_little_is_refused() -> None:
    """Fewer than three samples, or a single stage, cannot be compared."""
    with pytest.raises(DataError, match="2 samples"):
        left_out(np.ones((2, 1)), np.ones((2, 1)))
    with pytest.raises(DataError, match="1 stages"):
        similarity({"last": np.ones((5, 1))}, np.arange(5), pixels=np.ones((5, 1)))
