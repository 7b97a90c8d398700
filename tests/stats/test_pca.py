"""Streamed covariance against everything at once, and what whitening promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from epochal.errors import SettingError
from epochal.stats import pca as module
from epochal.stats.pca import Covariance, Kind, principal_components, whitening

seeds = st.integers(0, 2**31)


def _rows(seed: int, *, n: int = 40, d: int = 5, rank: int | None = None) -> np.ndarray:
    rng = np.random.default_rng(seed)
    inner = rank or d
    return np.asarray(rng.normal(size=(n, inner)) @ rng.normal(size=(inner, d)) + 100 * rng.normal(size=d))


@given(seeds, st.lists(st.integers(0, 40), max_size=5))
def test_any_chunking_gives_the_same(seed: int, cuts: list[int]) -> None:
    """Parts of any size, empty ones too, in any order, give what numpy gives for everything at once (W2.3)."""
    rows = _rows(seed)
    parts = np.split(rows, sorted(cuts))
    np.random.default_rng(seed).shuffle(parts)
    found = Covariance.pooled(map(Covariance.of, parts), size=5)
    assert found.count == 40
    np.testing.assert_allclose(found.mean, rows.mean(0))
    np.testing.assert_allclose(found.matrix, np.cov(rows.T, bias=True), rtol=1e-9, atol=1e-9)


def test_long_tables_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Block size changes nothing but memory, and the caller's values stay as they are."""
    rows = _rows(0)
    kept, whole = rows.copy(), Covariance.of(rows)
    monkeypatch.setattr(module, "VALUES_AT_ONCE", 17)
    np.testing.assert_allclose(Covariance.of(rows).matrix, whole.matrix, rtol=1e-10)
    np.testing.assert_array_equal(rows, kept)


def test_a_large_mean_costs_no_digits() -> None:
    """With a mean a billion times the spread, the variance keeps its digits; sums of products would lose them all."""
    rows = 1e9 + np.random.default_rng(0).normal(size=(1000, 2))
    parts = Covariance.pooled(map(Covariance.of, np.split(rows, 10)), size=2)
    np.testing.assert_allclose(parts.matrix, np.cov((rows - 1e9).T, bias=True), atol=1e-6)


@given(seeds)
def test_bytes_and_fractions_agree(seed: int) -> None:
    """Statistics of bytes divided by 255 are those of 0 to 1: variances are 65,025 times smaller (W1.3)."""
    pixels = np.random.default_rng(seed).integers(0, 256, size=(50, 3), dtype=np.uint8)
    scaled, direct = Covariance.of(pixels).scaled(1 / 255), Covariance.of(pixels / 255)
    np.testing.assert_allclose(scaled.matrix, direct.matrix, atol=1e-12)
    np.testing.assert_allclose(scaled.mean, direct.mean)


@given(seeds, st.integers(1, 5))
def test_directions_are_scikit_learns(seed: int, keep: int) -> None:
    """The same directions up to sign, variances up to the divisor, shares exactly; back and forth is lossless."""
    rows = _rows(seed)
    ours, theirs = principal_components(Covariance.of(rows), keep=keep), PCA(keep).fit(rows)
    np.testing.assert_allclose(np.abs(ours.directions @ theirs.components_.T), np.eye(keep), atol=1e-5)
    np.testing.assert_allclose(ours.variances, theirs.explained_variance_ * 39 / 40, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ours.restore(ours.project(rows)), theirs.inverse_transform(theirs.transform(rows)))
    assert (ours.directions[np.arange(keep), np.abs(ours.directions).argmax(1)] > 0).all()


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_rank_is_found(rank: int) -> None:
    """Directions that hold only rounding are not counted, whatever the units."""
    for size in (1e-6, 1.0, 1e6):
        assert principal_components(Covariance.of(size * _rows(0, rank=rank))).rank == rank
    assert principal_components(Covariance.of(np.ones((4, 3)))).rank == 0
    assert principal_components(Covariance.of(_rows(0, n=3))).rank == 2


@pytest.mark.parametrize("kind", ["pca", "zca"])
@given(seed=seeds)
def test_whitened_rows_are_uncorrelated(kind: Kind, seed: int) -> None:
    """Without a floor the covariance becomes the identity, and undoing gives the rows again."""
    rows = _rows(seed, n=60)
    found = whitening(principal_components(Covariance.of(rows)), kind=kind, eps=0.0)
    white = found.apply(rows)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(5), atol=1e-4)
    np.testing.assert_allclose(white.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(found.undo(white), rows, rtol=1e-6, atol=1e-6)


def test_zca_is_the_nearest_whitening() -> None:
    """Its matrix is the inverse root of the covariance: symmetric, and closer to the data than the PCA's."""
    rows = _rows(3, n=200)
    components = principal_components(Covariance.of(rows))
    pca, zca = (whitening(components, kind=kind, eps=0.0) for kind in ("pca", "zca"))
    np.testing.assert_allclose(zca.matrix, zca.matrix.T, atol=1e-9)
    np.testing.assert_allclose(zca.matrix @ zca.matrix @ np.cov(rows.T, bias=True), np.eye(5), atol=1e-6)
    centred = rows - rows.mean(0)
    assert ((zca.apply(rows) - centred) ** 2).sum() < ((pca.apply(rows) - centred) ** 2).sum()


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_the_floor_goes_with_the_units(kind: Kind) -> None:
    """Rescaled data come out the same; with an absolute floor, as kornia has it, small units are hardly whitened."""
    rows = _rows(1, n=80)
    rows = rows - rows.mean(0)

    def strength(size: float, *, relative: bool) -> np.ndarray:
        components = principal_components(Covariance.of(size * rows))
        return np.asarray(whitening(components, kind=kind, eps=1e-6, relative=relative).apply(size * rows))

    np.testing.assert_allclose(strength(1e-4, relative=True), strength(1.0, relative=True), atol=1e-8)
    assert strength(1e-4, relative=False).var() < 0.5 < strength(1.0, relative=False).var()


def test_noise_amplification_is_told() -> None:
    """A direction a thousand times quieter is lifted a thousand times more, up to what the floor allows."""
    rows = np.random.default_rng(0).normal(size=(5000, 2)) * np.array([1.0, 1e-3])
    components = principal_components(Covariance.of(rows))
    assert whitening(components, eps=0.0).amplification == pytest.approx(1000, rel=0.05)
    assert whitening(components, eps=0.0).floored == 0
    bounded = whitening(components, eps=1e-4)
    assert bounded.amplification == pytest.approx(100, rel=0.02)
    assert bounded.floored == 1


@pytest.mark.parametrize("kind", ["pca", "zca"])
@pytest.mark.parametrize("eps", [0.0, 1e-5])
def test_flat_directions_stay_finite(kind: Kind, eps: float) -> None:
    """Repeated columns and data without any spread give finite numbers, zeros where there is nothing."""
    column = np.random.default_rng(0).normal(size=(50, 1))
    doubled = whitening(principal_components(Covariance.of(np.hstack([column, column]))), kind=kind, eps=eps)
    white = doubled.apply(np.hstack([column, column]))
    assert np.isfinite(white).all()
    assert white.var(0).sum() == pytest.approx(1, rel=1e-3)
    constant = whitening(principal_components(Covariance.of(np.full((5, 2), 7.0))), kind=kind, eps=eps)
    assert not constant.apply(np.full((5, 2), 7.0)).any()
    assert constant.amplification == 1.0
    np.testing.assert_array_equal(constant.undo(np.zeros((1, 2))), [[7.0, 7.0]])


def test_photographs_are_refused_with_their_size() -> None:
    """A covariance of 224x224x3 numbers would be 181 GB: said before any memory is asked for."""
    with pytest.raises(SettingError, match=r"150,528 numbers takes 181\.3 GB.*patches"):
        Covariance.empty(224 * 224 * 3)
    with pytest.raises(SettingError, match="GB"):
        Covariance.of(np.zeros((2, 224 * 224 * 3), dtype=np.uint8))
    with pytest.raises(SettingError, match="GB"):
        Covariance.of(np.zeros((2, 10)), most_bytes=799)
    assert Covariance.of(np.zeros((2, 10)), most_bytes=800).count == 2


def test_impossible_requests_are_refused() -> None:
    """No rows, rows with NaN, other numbers of directions, and a floor below 0 are told in three parts."""
    for bad in (Covariance.empty(2), Covariance.of(np.array([[1.0], [np.nan]]))):
        with pytest.raises(SettingError, match="finite"):
            principal_components(bad)
    fine = Covariance.of(np.eye(3))
    for keep in (0, 4):
        with pytest.raises(SettingError, match="kept"):
            principal_components(fine, keep=keep)
    for eps in (-1.0, float("nan")):
        with pytest.raises(SettingError, match="eps"):
            whitening(principal_components(fine), eps=eps)


def test_nothing_has_no_covariance() -> None:
    """The matrix of no rows is NaN, not 0; rows without columns are nothing as well."""
    assert np.isnan(Covariance.empty(2).matrix).all()
    assert Covariance.of(np.zeros((0, 3))).count == 0
    assert np.isnan(Covariance.empty(3).merge(Covariance.empty(3)).matrix).all()
