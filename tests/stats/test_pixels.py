"""Facts about the linear classifier of pixels, against loops and scikit-learn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from epochal.errors import DataError
from epochal.stats.classification import nll
from epochal.stats.pixels import feature_count, fit_pixels, pixel_features


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(1, 9))
def test_features_are_those_of_a_loop(seed: int, height: int, width: int) -> None:
    """Colour, the plain means of what a window holds of the picture, and the place from -1 to 1."""
    image = np.random.default_rng(seed).normal(size=(height, width, 2)).astype(np.float32)
    rows, columns = (each.ravel() for each in np.mgrid[:height, :width])
    got = pixel_features(image, rows=rows, columns=columns)
    assert got.shape == (height * width, feature_count(2))
    for row, column, found in zip(rows, columns, got, strict=True):
        means = [
            image[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1].mean(axis=(0, 1))
            for half in (1, 3)
        ]
        x, y = (column + 0.5) / width * 2 - 1, (row + 0.5) / height * 2 - 1
        expected = [*image[row, column], *means[0], *means[1], x, y, x * x, y * y, x * y]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def _scenes(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Blue sky above, brown ground below, with noise and gaps in the labels."""
    source = np.random.default_rng(seed)
    masks = np.zeros((12, 16, 20), np.uint8)
    masks[:, 9:] = 1
    colors = np.array([[90, 120, 200], [120, 90, 60]])
    pixels = np.clip(colors[masks] + source.normal(0, 60, (12, 16, 20, 3)), 0, 255).astype(np.uint8)
    masks[source.random(masks.shape) < 0.2] = 255
    return pixels, masks


def test_fit_is_sklearns() -> None:
    """On all pixels the fit is as likely as scikit-learn's on the same features."""
    pixels, masks = _scenes()
    fitted = fit_pixels(pixels, masks, classes=2, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.3))
    image = (pixels / 255 - [0.5, 0.4, 0.3]) / [0.2, 0.2, 0.3]
    places = [np.nonzero(mask != 255) for mask in masks]
    features = np.concatenate(
        [
            pixel_features(each.astype(np.float32), rows=rows, columns=columns)
            for each, (rows, columns) in zip(image, places, strict=True)
        ]
    )
    labels = masks[masks != 255].astype(np.int64)
    theirs = LogisticRegression(max_iter=2000).fit(features, labels)
    best = -np.log(theirs.predict_proba(features)[np.arange(len(labels)), labels]).mean()
    assert nll(fitted.logits(features), labels) < best + 0.03


def test_a_few_pixels_of_each_image_suffice() -> None:
    """No more are taken than asked for, spread over all images, and the answer is nearly the same."""
    pixels, masks = _scenes()
    few = fit_pixels(pixels, masks, classes=2, mean=(0.5,) * 3, std=(0.25,) * 3, at_most=600)
    fresh, truth = _scenes(1)
    rows, columns = np.nonzero(truth[0] != 255)
    features = pixel_features(((fresh[0] / 255 - 0.5) / 0.25).astype(np.float32), rows=rows, columns=columns)
    assert (few.logits(features).argmax(axis=1) == truth[0][rows, columns]).mean() > 0.95


def test_nothing_labelled_is_refused() -> None:
    """Masks of 255 alone leave nothing to fit; a mask without label among others is passed over."""
    pixels, masks = _scenes()
    blank = np.full_like(masks, 255)
    with pytest.raises(DataError, match="None of the pixels"):
        fit_pixels(pixels, blank, classes=2, mean=(0.5,) * 3, std=(0.25,) * 3)
    blank[3] = masks[3]
    assert fit_pixels(pixels, blank, classes=2, mean=(0.5,) * 3, std=(0.25,) * 3).weight.any()


def test_street_scenes_are_told_apart_better_than_by_majority() -> None:
    """Where the answer is never the same class, the fit is far more likely than the class shares."""
    pixels, masks = _scenes()
    fitted = fit_pixels(pixels, masks, classes=3, mean=(0.5,) * 3, std=(0.25,) * 3)
    assert fitted.bias.shape == (3,)
    rows, columns = np.mgrid[:16, :20].reshape(2, -1)
    features = pixel_features(((pixels[0] / 255 - 0.5) / 0.25).astype(np.float32), rows=rows, columns=columns)
    assert set(fitted.logits(features).argmax(axis=1).tolist()) == {0, 1}
