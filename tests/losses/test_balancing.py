"""Class weights against their formulas, and the traps of torch's own."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from epochal.errors import SettingError
from epochal.losses.balancing import (
    corrected_prior,
    effective_number,
    expected_at_init,
    inverse_frequency,
    logit_adjustment,
    weighted_cross_entropy,
)
from epochal.losses.classification import cross_entropy

counts_of = st.lists(st.integers(1, 10**6), min_size=2, max_size=8)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6))
def test_inverse_frequency_is_scikit_learns(counts: list[int]) -> None:
    """The same numbers as `class_weight="balanced"` (W9)."""
    labels = np.repeat(np.arange(len(counts)), counts)
    wanted = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    np.testing.assert_allclose(inverse_frequency(counts), wanted)


@given(counts_of, st.sampled_from([0.0, 0.9, 0.99, 0.9999]))
def test_effective_number_is_the_papers(counts: list[int], beta: float) -> None:
    """Weights `(1 - beta) / (1 - beta^n)` that sum to the number of classes."""
    raw = np.array([(1 - beta) / (1 - beta**n) for n in counts])
    np.testing.assert_allclose(effective_number(counts, beta=beta, mean="classes"), raw / raw.mean(), rtol=1e-9)


@given(counts_of)
def test_effective_number_joins_both_ends(counts: list[int]) -> None:
    """Beta 0 weighs all classes alike, beta near 1 as inverse frequency does."""
    np.testing.assert_allclose(effective_number(counts, beta=0.0), 1.0)
    near = effective_number([min(n, 1000) for n in counts], beta=1 - 1e-12)
    np.testing.assert_allclose(near, inverse_frequency([min(n, 1000) for n in counts]), rtol=1e-6)


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=8).filter(any))
def test_empty_classes_weigh_nothing(counts: list[int]) -> None:
    """A class without samples is weighed 0, huge ones do not overflow, and the mean over samples is 1."""
    for found in (inverse_frequency(counts), effective_number(counts, beta=0.9999)):
        assert all((w == 0) == (n == 0) and math.isfinite(w) for w, n in zip(found, counts, strict=True))
        assert np.average(found, weights=counts) == pytest.approx(1)


def test_weights_do_not_leak_into_smoothing() -> None:
    """The weight multiplies the sample's smoothed loss; torch weighs the smoothing by the other classes."""
    logits, labels, weights = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2]), (0.1, 1.0, 9.0)
    ours = weighted_cross_entropy(logits, labels, weights=weights, smoothing=0.3)
    torch.testing.assert_close(ours, cross_entropy(logits, labels, smoothing=0.3) * torch.tensor(weights)[labels])
    theirs = F.cross_entropy(logits, labels, weight=torch.tensor(weights), label_smoothing=0.3, reduction="none")
    assert not torch.allclose(ours, theirs, rtol=0.05)
    plain = F.cross_entropy(logits, labels, weight=torch.tensor(weights), reduction="none")
    torch.testing.assert_close(weighted_cross_entropy(logits, labels, weights=weights), plain)


@given(st.floats(0, 0.9), st.integers(0, 2**31))
def test_mixed_labels_keep_the_scale(smoothing: float, seed: int) -> None:
    """A distribution with one certain class costs what the class costs; torch changes the divisor of the mean."""
    rng = np.random.default_rng(seed)
    logits, labels = torch.from_numpy(rng.normal(size=(5, 4))).float(), torch.from_numpy(rng.integers(4, size=5))
    weights = rng.uniform(0, 5, 4).tolist()
    hard = weighted_cross_entropy(logits, labels, weights=weights, smoothing=smoothing)
    soft = weighted_cross_entropy(logits, F.one_hot(labels, 4).float(), weights=weights, smoothing=smoothing)
    torch.testing.assert_close(hard, soft)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.floats(0, 0.9))
def test_expected_value_is_the_mean_loss(counts: list[int], smoothing: float) -> None:
    """Of a network that says the prior for every sample; with even answers it is log C (K2.4)."""
    prior, weights = [n / sum(counts) for n in counts], inverse_frequency(counts)
    labels = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))
    logits = torch.tensor(prior).log().expand(len(labels), -1)
    mean = weighted_cross_entropy(logits, labels, weights=weights, smoothing=smoothing).mean().item()
    assert expected_at_init(prior, weights=weights, smoothing=smoothing) == pytest.approx(mean, rel=1e-4)
    even = [1 / len(counts)] * len(counts)
    told = expected_at_init(prior, weights=weights, smoothing=smoothing, predicted=even)
    assert told == pytest.approx(math.log(len(counts)), rel=1e-5)


def test_adjusted_training_asks_for_the_likelihood() -> None:
    """Where logits are the likelihoods' logarithms, adding the prior's gives Bayes' posterior: the loss is lowest."""
    likelihood, counts = torch.tensor([[0.5, 0.5], [0.1, 0.9]]), [899, 99]
    adjusted = (likelihood.log() + logit_adjustment(counts)).softmax(1)
    joint = likelihood * torch.tensor([0.9, 0.1])
    torch.testing.assert_close(adjusted, joint / joint.sum(1, keepdim=True))
    torch.testing.assert_close(logit_adjustment(counts, tau=2.0), 2 * logit_adjustment(counts))
    assert logit_adjustment([5, 0]).isfinite().all()


@given(st.lists(st.floats(0.01, 1), min_size=3, max_size=3), st.lists(st.floats(0.01, 1), min_size=3, max_size=3))
def test_prior_correction_is_bayes(before: list[float], after: list[float]) -> None:
    """Posteriors under one prior become those under another; there and back changes nothing."""
    likelihood = np.random.default_rng(0).dirichlet(np.ones(3), size=5)
    r, s = np.array(before) / sum(before), np.array(after) / sum(after)
    moved = corrected_prior(torch.from_numpy(np.log(likelihood * r)), trained_on=before, expected=after).softmax(1)
    np.testing.assert_allclose(moved, likelihood * s / (likelihood * s).sum(1, keepdims=True), rtol=1e-9)
    logits = torch.randn(4, 3, dtype=torch.float64)
    there = corrected_prior(logits, trained_on=before, expected=after)
    torch.testing.assert_close(corrected_prior(there, trained_on=after, expected=before), logits)


@pytest.mark.parametrize("counts", [[], [0, 0], [3, -1], [1, float("nan")], [1, float("inf")]])
def test_impossible_counts_are_refused(counts: list[float]) -> None:
    """Counts of nothing weigh nothing."""
    for attempt in (inverse_frequency, effective_number, logit_adjustment):
        with pytest.raises(SettingError, match="counts"):
            attempt(counts)


def test_impossible_settings_are_refused() -> None:
    """Each is told in three parts."""
    logits, labels = torch.zeros(1, 2), torch.tensor([0])
    for beta in (1.0, -0.1, float("nan")):
        with pytest.raises(SettingError, match="beta"):
            effective_number([1, 2], beta=beta)
    for weights in ([1.0], [1.0, -1.0], [1.0, float("inf")]):
        with pytest.raises(SettingError, match="weights"):
            weighted_cross_entropy(logits, labels, weights=weights)
    with pytest.raises(SettingError, match="tau"):
        logit_adjustment([1, 2], tau=-1.0)
    with pytest.raises(SettingError, match="2 classes"):
        corrected_prior(logits, trained_on=[1, 0], expected=[1, 1])
    with pytest.raises(SettingError, match="shares"):
        expected_at_init([0.5, 0.5], weights=[1.0])
