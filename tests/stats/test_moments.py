"""Facts about streamed moments, against numpy on everything at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from epochal.stats import moments
from epochal.stats.moments import Moments

PARTS = st.lists(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.just(2)), elements=st.floats(-1e3, 1e3)),
    min_size=1,
    max_size=5,
)


@given(PARTS)
def test_merge_equals_pooling(parts: list[np.ndarray]) -> None:
    """Moments merged part by part equal numpy's mean, spread and range of everything at once."""
    whole = np.concatenate(parts)
    merged = Moments.pooled(map(Moments.of, parts), channels=2)
    assert merged.count == len(whole)
    np.testing.assert_allclose(merged.mean, whole.mean(0), atol=1e-9)
    np.testing.assert_allclose(merged.std, whole.std(0), atol=1e-6)
    np.testing.assert_array_equal(merged.lowest, whole.min(0))
    np.testing.assert_array_equal(merged.highest, whole.max(0))


@given(PARTS)
def test_merge_does_not_depend_on_order(parts: list[np.ndarray]) -> None:
    """Parts merged forwards and backwards give the same moments to rounding."""
    forwards = Moments.pooled(map(Moments.of, parts), channels=2)
    backwards = Moments.pooled(map(Moments.of, reversed(parts)), channels=2)
    np.testing.assert_allclose(forwards.variance, backwards.variance, rtol=1e-9, atol=1e-6)


def test_large_mean_keeps_the_spread() -> None:
    """A spread of 1 around 1e9 survives, where a sum of squares in float64 loses it."""
    values = 1e9 + np.random.default_rng(0).normal(size=(1000, 1))
    halves = Moments.of(values[:300]).merge(Moments.of(values[300:]))
    naive_variance = np.mean(values**2) - np.mean(values) ** 2
    assert halves.std[0] == pytest.approx((values - 1e9).std(), rel=1e-6)
    assert abs(naive_variance - 1.0) > 0.5


def test_images_are_summed_in_float64() -> None:
    """Bytes do not overflow: a batch of white images has mean 255 and no spread."""
    white = Moments.of(np.full((4, 32, 32, 3), 255, np.uint8))
    assert white.count == 4 * 32 * 32
    assert white.mean.tolist() == [255.0] * 3
    assert white.std.tolist() == [0.0] * 3


def test_long_arrays_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays longer than one portion give the same moments as in one piece."""
    values = np.random.default_rng(0).normal(3, 2, (1000, 3))
    monkeypatch.setattr(moments, "ROWS_AT_ONCE", 64)
    cut = Moments.of(values)
    np.testing.assert_allclose(cut.mean, values.mean(0))
    np.testing.assert_allclose(cut.std, values.std(0))


def test_nothing_has_no_spread() -> None:
    """Of no rows at all the variance is unknown (NaN), and merging it changes nothing."""
    nothing = Moments.of(np.zeros((0, 2)))
    assert np.isnan(nothing.variance).all()
    some = Moments.of(np.ones((3, 2)))
    assert nothing.merge(some) is some
    assert some.merge(nothing) is some


@given(PARTS)
def test_values_are_left_alone(parts: list[np.ndarray]) -> None:
    """The caller's array is the same after its moments were taken."""
    before = [part.copy() for part in parts]
    for part in parts:
        Moments.of(part)
    for part, copy in zip(parts, before, strict=True):
        np.testing.assert_array_equal(part, copy)
