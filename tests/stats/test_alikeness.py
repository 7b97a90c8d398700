"""Facts about how alike images are: chance on noise, 1 on a circle, 0 on a line, and what the mirror shows."""

import numpy as np
import pytest

from epochal.stats.alikeness import measure


def _seen(place: np.ndarray, *, closed: bool, noise: float = 0.3, seed: int = 0) -> np.ndarray:
    """A bump of light that moves along 24 places, around or from end to end."""
    away = np.abs(place[:, None] - np.arange(24) / 24)
    away = np.minimum(away, 1 - away) if closed else away
    return np.exp(-((away / 0.06) ** 2)) + np.random.default_rng(seed).normal(0, noise, (len(place), 24))


def _values(n: int = 500, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, n)


def test_on_a_circle_the_ends_are_neighbours() -> None:
    """Where light runs around, the likeness of the ends is 1 within two and a half errors."""
    found = measure(_seen(_values(), closed=True), _values())
    assert found.signal > 10
    assert abs(found.likeness - 1) < 2.5 * found.error
    assert found.error < 0.4
    assert found.mirrored < 0.2


def test_on_a_line_the_ends_are_strangers() -> None:
    """Where light runs from end to end, the likeness of the ends is about 0, and its error small."""
    found = measure(_seen(_values(), closed=False), _values())
    assert found.signal > 10
    assert abs(found.likeness) < 0.15


def test_noise_shows_nothing() -> None:
    """Where images say nothing about values, all multiples are those of chance."""
    found = measure(np.random.default_rng(0).normal(size=(500, 24)), _values())
    assert [found.near, found.seam, found.far] == pytest.approx([1, 1, 1], abs=0.25)
    assert found.signal < 4


def test_mirrored_values_show_in_the_mirror() -> None:
    """Where images show the square of a value alone, its mirror image is as near as a neighbour."""
    found = measure(_seen(np.abs(_values() - 0.5) * 2, closed=False), _values())
    assert found.mirrored > 0.7


@pytest.mark.parametrize("closed", [True, False])
def test_how_values_are_spread_does_not_matter(closed: bool) -> None:
    """Ranks decide: a growing function of the values changes nothing at all."""
    images = _seen(_values(), closed=closed)
    assert measure(images, _values()) == measure(images, np.exp(3 * _values()))


def test_brightness_and_contrast_do_not_matter() -> None:
    """Each image made brighter and stronger by itself is as near to the others as before."""
    images, source = _seen(_values(), closed=True), np.random.default_rng(2)
    lit = images * source.uniform(0.5, 2, (500, 1)) + source.normal(0, 5, (500, 1))
    one, other = measure(images, _values()), measure(lit, _values())
    assert one.likeness == pytest.approx(other.likeness, abs=1e-3)


@pytest.mark.parametrize("steps", [12, 14, 24])
@pytest.mark.parametrize("closed", [True, False])
def test_coarse_scales_are_told_apart_too(steps: int, closed: bool) -> None:
    """With as few as twelve distinct values a circle is three errors above a line, which is about 0."""
    values = np.random.default_rng(3).integers(0, steps, 800) / steps
    found = measure(_seen(values, closed=closed), values)
    if closed:
        assert found.likeness > 3 * found.error
        assert found.likeness > 0.6
    else:
        assert found.likeness < 0.3


def test_values_of_which_half_are_the_same_raise_nothing() -> None:
    """Kinds of pairs that such values do not have are left out without a warning."""
    values = np.where(_values() < 0.5, 0.0, _values())
    found = measure(_seen(values, closed=False), values)
    assert not found.likeness > 0.5
