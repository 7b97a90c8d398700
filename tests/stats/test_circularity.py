"""Facts about deciding whether a scale is a circle, on made images, on digits, and on real dials where they are."""

import csv
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from epochal.stats.circular import Circle
from epochal.stats.circularity import find_circle, scale_of
from epochal.stats.ridge import block_features

SHARED = Path(os.environ.get("EPOCHAL_SHARED_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def _images(angle: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """A bright ray from the middle of 12x12 pixels, with noise."""
    y, x = np.mgrid[0:12, 0:12] / 5.5 - 1
    along = x * np.sin(angle)[:, None, None] - y * np.cos(angle)[:, None, None]
    aside = x * np.cos(angle)[:, None, None] + y * np.sin(angle)[:, None, None]
    ray = np.exp(-((aside / 0.25) ** 2)) * (along > 0)
    seen: np.ndarray = (ray + np.random.default_rng(seed).normal(0, 0.3, ray.shape)).reshape(len(angle), -1)
    return seen


@pytest.mark.parametrize(("scale", "period"), [(np.arange(100) / 10, 10.0), (np.arange(24.0), 24.0)])
def test_a_ray_that_turns_is_a_circle(scale: np.ndarray, period: float) -> None:
    """A full turn in equal steps is seen as a circle, one step longer than its range, with a reason that says so."""
    values = np.random.default_rng(0).choice(scale, 600)
    found = find_circle(_images(values / period * 2 * np.pi), values)
    assert found.period == pytest.approx(period)
    assert "from the two ends" in found.reason
    assert found.evidence is not None
    assert found.evidence.closing > 2


def test_values_in_float32_close_to_the_same_circle() -> None:
    """Tenths as float32 are not exact, and the circle is 10 long all the same."""
    values = np.random.default_rng(0).integers(0, 100, 600).astype(np.float32) / np.float32(10)
    assert find_circle(_images(values / 10 * 2 * np.pi), values).circle == Circle(period=10.0)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_ray_over_part_of_a_turn_is_a_line(degrees: float) -> None:
    """A gauge that stops before its beginning has two ends."""
    values = np.random.default_rng(1).uniform(0, degrees, 600)
    found = find_circle(_images(np.radians(values)), values)
    assert found.circle is None
    assert "do not meet" in found.reason


def test_a_ray_that_goes_there_and_back_is_no_circle() -> None:
    """Where -30 looks like 30, equal ends show no circle."""
    values = np.random.default_rng(2).uniform(-90, 90, 800)
    found = find_circle(_images(np.radians(2 * np.abs(values))), values)
    assert found.circle is None
    assert "mirrored" in found.reason


@pytest.mark.parametrize("seed", range(3))
def test_brightness_is_a_line(seed: int) -> None:
    """How bright a picture is has no circle."""
    source = np.random.default_rng(seed)
    images = source.uniform(0, 1, (400, 1)) * source.uniform(0.5, 1, (400, 144))
    assert find_circle(images, images.mean(axis=1)).circle is None


@pytest.mark.parametrize("blur", [0.0, 1.0])
def test_the_number_of_a_digit_is_a_line(blur: float) -> None:
    """9 does not look like 0 in the way in which it would on a dial."""
    images, digit = load_digits(return_X_y=True)
    values = digit + blur * np.random.default_rng(0).uniform(size=len(digit))
    assert find_circle(images, values).circle is None


@pytest.mark.parametrize("seed", range(5))
def test_without_a_relation_nothing_is_claimed(seed: int) -> None:
    """Random values of random images are no circle, for nothing shows."""
    source = np.random.default_rng(seed)
    found = find_circle(source.normal(size=(300, 50)), source.uniform(0, 360, 300))
    assert found.circle is None
    assert "hardly more alike" in found.reason


@pytest.mark.parametrize(("n", "distinct"), [(50, 50), (500, 3)])
def test_too_little_decides_nothing(n: int, distinct: int) -> None:
    """Few images, or few distinct values, give no circle and no figures."""
    values = (np.arange(n) % distinct).astype(float)
    found = find_circle(_images(values / distinct * 2 * np.pi), values)
    assert (found.circle, found.period, found.evidence) == (None, None, None)
    assert "too few" in found.reason


def test_missing_values_are_left_out() -> None:
    """Values that are NaN, as those of a sealed split are, change nothing."""
    values = np.random.default_rng(0).integers(0, 100, 600) / 10
    images = _images(values / 10 * 2 * np.pi)
    more = find_circle(np.concatenate([images, images[:50]]), np.concatenate([values, np.full(50, np.nan)]))
    assert more == find_circle(images, values)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 360.0, Circle(period=360.0)),
        (-180.0, 180.0, Circle(period=360.0, origin=-180.0)),
        (0.0, 1.0, Circle(period=1.0)),
        (-np.pi, np.pi, Circle(period=2 * np.pi, origin=-np.pi)),
    ],
)
@pytest.mark.parametrize("n", [150, 3000])
def test_usual_lengths_are_recognised(low: float, high: float, expected: Circle, n: int) -> None:
    """Even draws from a usual circle give its exact length and beginning."""
    assert scale_of(np.random.default_rng(0).uniform(low, high, n)) == expected


def test_an_unusual_length_is_the_range_and_a_little() -> None:
    """Of 2,000 even draws from a circle 777 long the length is found to a thousandth, and holds all draws."""
    values = np.random.default_rng(0).uniform(50, 827, 2000)
    circle = scale_of(values)
    assert circle.period == pytest.approx(777, rel=1e-3)
    np.testing.assert_allclose(circle.wrap(values), values)


@pytest.mark.parametrize(("count", "seed"), [(1470, 0), (500, 1)])
def test_real_dials_are_circles(count: int, seed: int) -> None:
    """Photographs of meter needles, 0.0 to 9.9: a circle of length 10, from a third of them already."""
    if not (SHARED / "needle.zip").exists():
        pytest.skip("needs needle.zip")
    with zipfile.ZipFile(SHARED / "needle.zip") as archive:
        rows = list(csv.DictReader(io.TextIOWrapper(archive.open("targets.csv"), encoding="utf-8")))
        some = np.random.default_rng(seed).permutation(len(rows))[:count]
        opened = (Image.open(io.BytesIO(archive.read(rows[k]["file"]))) for k in some)
        pixels = np.stack([np.asarray(image.convert("RGB").resize((32, 32))) for image in opened])
    values = np.array([float(rows[k]["value"]) for k in some])
    features = block_features(pixels.transpose(0, 3, 1, 2), at_most=192)
    assert find_circle(features, values).circle == Circle(period=10.0)
