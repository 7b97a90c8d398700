"""Facts about describing a batch: every figure against the tensor it came from."""

import math

import pytest
import torch

from epochal.checks.batch import describe_batch


def test_facts_are_those_of_the_tensor() -> None:
    """Shape, type, range, moments and labels agree with torch's own."""
    images = torch.randn(16, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    facts = describe_batch(images, torch.arange(16) % 3, prior=[0.25] * 4)
    assert facts.shape == (16, 3, 5, 6)
    assert (facts.dtype, facts.labels_dtype) == ("float32", "int64")
    assert facts.mean == pytest.approx(float(images.mean()))
    assert facts.std == pytest.approx(float(images.std(unbiased=False)))
    assert (facts.low, facts.high) == pytest.approx((float(images.min()), float(images.max())))
    assert facts.label_counts == (6, 5, 5, 0)
    assert (facts.labels_low, facts.labels_high) == (0, 2)


def test_broken_values_are_counted_and_left_out() -> None:
    """NaN and infinity are counted, and the moments are those of the rest."""
    images = torch.ones(2, 1, 2, 2)
    images[0, 0, 0, 0], images[1, 0, 1, 1] = math.nan, math.inf
    facts = describe_batch(images, torch.tensor([0, 1]), prior=[0.5, 0.5])
    assert (facts.broken, facts.mean, facts.std) == (2, 1.0, 0.0)
    nothing = describe_batch(images * math.nan, torch.tensor([0, 1]), prior=[0.5, 0.5])
    assert (nothing.broken, nothing.low) == (8, math.inf)


def test_equal_and_empty_images_are_counted() -> None:
    """Copies and constant images show in the counts."""
    one = torch.arange(4.0).reshape(1, 1, 2, 2)
    facts = describe_batch(torch.cat([one, one, one * 0, one + 1]), torch.zeros(4, dtype=torch.long), prior=[1.0])
    assert (facts.distinct_images, facts.constant_images) == (3, 1)


def test_correlation_follows_distance() -> None:
    """A ramp resembles itself at any distance, noise at none, a period of three at three."""
    labels = torch.zeros(8, dtype=torch.long)
    ramp = torch.arange(48.0).expand(8, 3, 4, 48)
    noise = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    period = torch.tensor([1.0, 0.0, -1.0]).repeat(8).expand(8, 3, 4, 24)
    near, far = describe_batch(ramp, labels, prior=[1.0]).lag_correlation
    assert 1 > near > far > 0.9
    assert describe_batch(noise, labels, prior=[1.0]).lag_correlation == pytest.approx((0, 0), abs=0.03)
    assert describe_batch(period, labels, prior=[1.0]).lag_correlation == pytest.approx((-0.5, 1.0), abs=0.05)
    assert describe_batch(noise[..., :2], labels, prior=[1.0]).lag_correlation[1] == 0.0


def test_odd_labels_are_described_not_refused() -> None:
    """Labels outside the classes, or of another type, are facts for the rules, not errors."""
    images = torch.randn(3, 1, 4, 4)
    assert describe_batch(images, torch.tensor([-1, 0, 7]), prior=[0.5, 0.5]).label_counts == (1, 0)
    assert describe_batch(images, torch.tensor([0.0, 1.0, 1.0]), prior=[0.5, 0.5]).labels_dtype == "float32"
    assert describe_batch(images[:0], torch.zeros(0, dtype=torch.long), prior=[0.5, 0.5]).shape == (0, 1, 4, 4)
