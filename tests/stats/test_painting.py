"""Facts about the colours of masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.stats import painting
from epochal.stats.painting import FIRST, overlay, painted, palette


def test_a_class_keeps_its_colour() -> None:
    """However many classes there are, the first ones look the same, and begin with Okabe and Ito's."""
    np.testing.assert_array_equal(palette(255)[:11], palette(11))
    assert [tuple(color) for color in palette(7).tolist()] == list(FIRST)


def test_no_two_classes_share_a_colour() -> None:
    """All 255 differ from each other and from the black of pixels without label."""
    colors = np.concatenate([palette(255), np.zeros((1, 3), np.uint8)])
    assert len(np.unique(colors, axis=0)) == 256


@pytest.mark.parametrize(("classes", "apart"), [(11, 0.07), (20, 0.07), (32, 0.05)])
def test_every_kind_of_eye_tells_them_apart(classes: int, apart: float) -> None:
    """With all cones or one missing, no two colours are nearer than the two nearest of Okabe and Ito, up to 20."""
    for seen in painting._seen(palette(classes)):
        distance = np.sqrt(np.square(seen[:, None] - seen[None]).sum(axis=-1)) + 9 * np.eye(classes)
        assert distance.min() > apart


def test_eyes_see_what_the_papers_say() -> None:
    """Greys stay grey for all eyes; red and green come near for those without the second kind of cone."""
    greys = np.repeat(np.array([[0], [90], [200]], np.uint8), 3, axis=1)
    for seen in painting._seen(greys):
        np.testing.assert_allclose(seen[:, 1:], 0, atol=2e-3)
    full, _, deutan, _ = painting._seen(np.array([[200, 60, 40], [110, 120, 20]], np.uint8))
    assert np.linalg.norm(deutan[0] - deutan[1]) < 0.5 * np.linalg.norm(full[0] - full[1])
    white = painting._seen(np.full((1, 3), 255, np.uint8))[0, 0]
    np.testing.assert_allclose(white, [1, 0, 0], atol=1e-3)  # Ottosson 2020: L of white is 1


def test_the_kept_palette_cannot_be_changed() -> None:
    """It is made once and shared, and so read-only."""
    with pytest.raises(ValueError, match="read-only"):
        palette(4)[0, 0] = 1


@given(st.integers(0, 2**31))
def test_paint_looks_up_each_pixel(seed: int) -> None:
    """The picture is the palette at each label, black where there is none, for bytes and wider numbers alike."""
    mask = np.random.default_rng(seed).choice(np.array([0, 1, 2, 255], np.uint8), (4, 5))
    expected = np.array([[palette(3)[k] if k < 3 else (0, 0, 0) for k in row] for row in mask])
    np.testing.assert_array_equal(painted(mask, palette(3)), expected)
    np.testing.assert_array_equal(painted(mask.astype(np.int64), palette(3)), expected)


@given(st.integers(0, 2**31), st.floats(0, 1))
def test_overlays_mix_by_opacity(seed: int, opacity: float) -> None:
    """Each labelled pixel is the mean of photograph and colour, weighted by opacity; the others are the photograph."""
    source = np.random.default_rng(seed)
    pixels, mask = source.integers(0, 256, (3, 4, 3)).astype(np.uint8), source.integers(0, 3, (3, 4)).astype(np.uint8)
    mask[0] = 255
    got = overlay(pixels, mask, opacity=opacity)
    np.testing.assert_array_equal(got[0], pixels[0])
    mixed = (1 - opacity) * pixels[1:] + opacity * palette(3)[mask[1:]]
    np.testing.assert_allclose(got[1:], mixed, atol=0.51)


def test_grey_photographs_take_colour() -> None:
    """A photograph of one channel becomes a picture of three; opacity 1 hides it, 0 shows it alone."""
    grey, mask = np.full((2, 2, 1), 77, np.uint8), np.zeros((2, 2), np.uint8)
    assert (overlay(grey, mask, opacity=0) == 77).all()
    np.testing.assert_array_equal(overlay(grey, mask, opacity=1), painted(mask, palette(1)))


def test_impossible_pictures_are_refused() -> None:
    """Too many classes, another size or an opacity beyond 1 is told in three parts."""
    for classes in (0, 256):
        with pytest.raises(SettingError, match="Expected"):
            palette(classes)
    pixels = np.zeros((2, 2, 3), np.uint8)
    with pytest.raises(SettingError, match="same height"):
        overlay(pixels, np.zeros((2, 3), np.uint8))
    with pytest.raises(SettingError, match="opacity"):
        overlay(pixels, np.zeros((2, 2), np.uint8), opacity=1.5)
