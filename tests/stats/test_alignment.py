"""Facts about the correlation of pictures that were shifted."""

import numpy as np
import pytest

from epochal.stats.alignment import aligned_correlation


def _noise(seed: int, count: int = 4, side: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).random((count, side, side, 3), dtype=np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_equals_a_loop_over_shifts(seed: int) -> None:
    """The best of all shifts, each correlated by numpy, is what the transform finds."""
    ones, others = _noise(seed), _noise(seed + 10)
    found, shifts = aligned_correlation(ones, others, reach=3)
    for one, other, alike, shift in zip(ones, others, found, shifts, strict=True):
        middle = one[3:17, 3:17] - one[3:17, 3:17].mean((0, 1))
        best = {}
        for down in range(-3, 4):
            for across in range(-3, 4):
                window = other[3 + down : 17 + down, 3 + across : 17 + across]
                window = window - window.mean((0, 1))
                norm = np.linalg.norm(middle) * np.linalg.norm(window)
                best[down, across] = float((middle * window).sum() / norm)
        assert alike == pytest.approx(max(best.values()), abs=1e-5)
        assert tuple(shift.tolist()) == max(best, key=lambda at: best[at])


def test_brightness_and_contrast_do_not_matter() -> None:
    """A darker, paler copy correlates fully with the original."""
    ones = _noise(1)
    assert aligned_correlation(ones, 0.3 * ones + 0.4)[0] == pytest.approx(np.ones(4), abs=1e-5)


def test_flat_and_unrelated_pictures_do_not_correlate() -> None:
    """A picture of one colour correlates with nothing, and noise with other noise hardly."""
    ones = _noise(2)
    assert (aligned_correlation(ones, np.full_like(ones, 0.5))[0] == 0).all()
    assert (aligned_correlation(ones, _noise(3))[0] < 0.4).all()
