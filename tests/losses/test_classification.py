"""Cross-entropy against numpy, and its value before anything is learnt."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.losses.classification import cross_entropy, expected_at_init

smoothings = st.floats(0, 0.9)


def _reference(logits: np.ndarray, target: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return np.asarray(-(target * log_p).sum(1))


@given(smoothings, st.integers(2, 12), st.integers(0, 2**31))
def test_equals_the_formula(smoothing: float, classes: int, seed: int) -> None:
    """Class numbers give the formula's value, sample by sample, computed by numpy in float64."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(5, classes)) * 10
    labels = generator.integers(classes, size=5)
    target = (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes
    ours = cross_entropy(torch.tensor(logits, dtype=torch.float32), torch.tensor(labels), smoothing=smoothing)
    np.testing.assert_allclose(ours.numpy(), _reference(logits, target), rtol=1e-4, atol=1e-4)


@given(smoothings, st.integers(0, 2**31))
def test_takes_mixed_labels(smoothing: float, seed: int) -> None:
    """A distribution per sample is smoothed and summed like class numbers are."""
    generator = np.random.default_rng(seed)
    logits, mixed = generator.normal(size=(4, 3)), generator.dirichlet(np.ones(3), size=4)
    target = (1 - smoothing) * mixed + smoothing / 3
    ours = cross_entropy(
        torch.tensor(logits, dtype=torch.float32), torch.tensor(mixed, dtype=torch.float32), smoothing=smoothing
    )
    np.testing.assert_allclose(ours.numpy(), _reference(logits, target), rtol=1e-4, atol=1e-5)


def test_half_precision_is_widened() -> None:
    """Logits in bfloat16 lose nothing further in the loss."""
    logits = torch.tensor([[30.0, 1.0, -20.0]], dtype=torch.bfloat16)
    assert cross_entropy(logits, torch.tensor([1])).item() == pytest.approx(29.0, abs=1e-4)


@given(st.integers(2, 1000), smoothings)
def test_even_prediction_costs_log_c(classes: int, smoothing: float) -> None:
    """An untrained network with even outputs costs log C, whatever the smoothing (K2.4)."""
    even = [1 / classes] * classes
    assert expected_at_init(even, smoothing=smoothing) == pytest.approx(math.log(classes))


@given(st.lists(st.floats(0.01, 1), min_size=2, max_size=8), smoothings, st.integers(0, 2**31))
def test_expected_value_is_the_mean_loss(weights: list[float], smoothing: float, seed: int) -> None:
    """The predicted value is the mean loss over labels that follow the prior, network biased to it (K2.5)."""
    counts = [max(1, round(100 * w)) for w in weights]
    prior = np.array(counts) / sum(counts)
    labels = torch.tensor(np.repeat(np.arange(len(counts)), counts))
    logits = torch.tensor(np.log(prior), dtype=torch.float32).expand(len(labels), -1)
    mean = cross_entropy(logits, labels, smoothing=smoothing).mean().item()
    assert expected_at_init(prior.tolist(), smoothing=smoothing) == pytest.approx(mean, rel=1e-4)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_impossible_smoothing_is_refused(smoothing: float) -> None:
    """Smoothing outside [0, 1) is the user's mistake and is said to be."""
    with pytest.raises(SettingError, match="smoothing"):
        cross_entropy(torch.zeros(1, 2), torch.tensor([0]), smoothing=smoothing)


@pytest.mark.parametrize("prior", [[], [0.5, 0.6], [1.0, 0.0], [float("nan"), 0.5]])
def test_impossible_prior_is_refused(prior: list[float]) -> None:
    """Shares that are not positive or do not sum to 1 have no entropy to expect."""
    with pytest.raises(SettingError, match="shares"):
        expected_at_init(prior)


def test_priors_of_other_length_are_refused() -> None:
    """A prediction over other classes than the prior's cannot be compared."""
    with pytest.raises(SettingError, match="2 classes"):
        expected_at_init([0.5, 0.5], predicted=[0.25] * 4)
