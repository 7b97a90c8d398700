"""Losses by name: each is the formula it names, knows its value at the start, and can be learnt from."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.losses.by_name import FITTING, WEIGHTINGS, ClassLoss, ValueLoss, fitting, weights_of
from epochal.losses.classification import cross_entropy
from epochal.losses.focal import focal

COUNTS = (60, 25, 12, 3)
CHOICES: list[dict[str, Any]] = [
    {},
    {"smoothing": 0.2},
    {"name": "focal"},
    {"name": "focal", "gamma": 0.5, "smoothing": 0.1},
    {"class_weights": "balanced"},
    {"class_weights": "effective-number", "effective_beta": 0.9, "smoothing": 0.1},
    {"name": "focal", "class_weights": "balanced"},
    {"prior_correction": 1.0},
    {"prior_correction": 0.5, "smoothing": 0.1},
    {"name": "focal", "prior_correction": 1.0},
]


def _batch(samples: int = 50) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return 3 * torch.randn(samples, len(COUNTS)), torch.randint(0, len(COUNTS), (samples,))


def _reference(logits: np.ndarray, label: int, choice: dict[str, Any]) -> float:
    """The formula of one sample in float64, term by term."""
    gamma: float = choice.get("gamma", 2.0) if choice.get("name") == "focal" else 0.0
    smoothing: float = choice.get("smoothing", 0.0)
    tau: float = choice.get("prior_correction", 0.0)
    prior = [(n + 1) / (sum(COUNTS) + len(COUNTS)) for n in COUNTS]
    adjusted = [z + tau * math.log(p) for z, p in zip(logits.tolist(), prior, strict=True)]
    total = sum(math.exp(z) for z in adjusted)
    loss = 0.0
    for k, z in enumerate(adjusted):
        p, target = math.exp(z) / total, (1 - smoothing) * (k == label) + smoothing / len(COUNTS)
        loss -= target * (1 - p) ** gamma * math.log(p)
    weighting = choice.get("class_weights", "none")
    beta: float = choice.get("effective_beta", 0.999)
    raw = {
        "none": [1.0 for _ in COUNTS],
        "balanced": [1 / n for n in COUNTS],
        "effective-number": [(1 - beta) / (1 - beta**n) for n in COUNTS],
    }[weighting]
    mean = sum(w * n for w, n in zip(raw, COUNTS, strict=True)) / sum(COUNTS)
    return loss * raw[label] / mean


@pytest.mark.parametrize("choice", CHOICES)
def test_equals_its_formula(choice: dict[str, Any]) -> None:
    """Every combination against plain numbers, sample by sample."""
    logits, labels = _batch()
    found = ClassLoss(counts=COUNTS, **choice)(logits, labels)
    expected = [_reference(z.double().numpy(), int(y), choice) for z, y in zip(logits, labels, strict=True)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("choice", CHOICES)
def test_knows_its_value_before_the_first_step(choice: dict[str, Any]) -> None:
    """The value it names is the mean over a training split, for the prior bias and for an even start (K2.4)."""
    loss = ClassLoss(counts=COUNTS, **choice)
    labels = torch.arange(len(COUNTS)).repeat_interleave(torch.tensor(COUNTS))
    prior = (torch.tensor(COUNTS, dtype=torch.float64) + 1) / (sum(COUNTS) + len(COUNTS))
    for said, named in ((prior, None), (torch.full((4,), 0.25), [0.25] * 4)):
        measured = loss(said.log().float().expand(len(labels), -1), labels).double().mean().item()
        assert loss.expected_at_init(predicted=named) == pytest.approx(measured, rel=1e-5)


@pytest.mark.parametrize("choice", CHOICES)
def test_can_be_learnt_from(choice: dict[str, Any]) -> None:
    """A linear model comes to tell the classes apart better than its start."""
    torch.manual_seed(1)
    labels = torch.arange(4).repeat(25)
    images = torch.randn(100, 6) + 2 * nn.functional.one_hot(labels, 6)
    model, loss = nn.Linear(6, 4), ClassLoss(counts=COUNTS, **choice)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        mean = loss(model(images), labels).mean()
        mean.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(mean.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("choice", CHOICES)
def test_certain_mixed_labels_cost_what_the_class_costs(choice: dict[str, Any]) -> None:
    """A distribution with one certain class is that class, so that mixing transforms go with every loss."""
    logits, labels = _batch()
    loss = ClassLoss(counts=COUNTS, **choice)
    certain = nn.functional.one_hot(labels, 4).float()
    torch.testing.assert_close(loss(logits, certain), loss(logits, labels), rtol=1e-4, atol=1e-5)


def test_the_default_is_cross_entropy_to_the_last_bit() -> None:
    """A recipe that names nothing trains as before there were names."""
    logits, labels = _batch()
    assert torch.equal(
        ClassLoss(counts=COUNTS, smoothing=0.2)(logits, labels), cross_entropy(logits, labels, smoothing=0.2)
    )


@given(st.floats(0, 4))
def test_focal_of_mixed_labels_is_the_mean_over_their_parts(gamma: float) -> None:
    """`sum_k t_k FL_k`, each part by the form for certain labels."""
    logits, _ = _batch(5)
    mixed = torch.rand(5, 4).softmax(1)
    parts = [mixed[:, k] * focal(logits, torch.full((5,), k), gamma=gamma) for k in range(4)]
    torch.testing.assert_close(focal(logits, mixed, gamma=gamma), torch.stack(parts).sum(0), rtol=1e-4, atol=1e-6)


def test_prior_correction_leaves_nothing_to_learn_where_only_the_shares_differ() -> None:
    """With the whole correction an even answer already is the best one: it suits balanced accuracy (W9)."""
    loss = ClassLoss(counts=(90, 10), prior_correction=1.0)
    even = loss.expected_at_init(predicted=[0.5, 0.5])
    assert even == pytest.approx(-(0.9 * math.log(91 / 102) + 0.1 * math.log(11 / 102)), rel=1e-5)
    assert even < loss.expected_at_init(predicted=[0.6, 0.4])
    assert even < loss.expected_at_init(predicted=[0.3, 0.7])


def test_gradients_reach_the_logits_in_half_precision() -> None:
    """Logits of bfloat16 are widened, and the gradient comes back in their own type."""
    logits = torch.zeros(3, 4, dtype=torch.bfloat16, requires_grad=True)
    for choice in CHOICES:
        loss = ClassLoss(counts=COUNTS, **choice)(logits, torch.tensor([0, 1, 2])).mean()
        assert loss.dtype == torch.float32
        (gradient,) = torch.autograd.grad(loss, [logits])
        assert gradient.dtype == torch.bfloat16


def test_classes_without_samples_do_not_matter() -> None:
    """A class that the training split lacks has no part in the expected value, and breaks nothing."""
    for choice in CHOICES:
        assert math.isfinite(ClassLoss(counts=(5, 0, 3), **choice).expected_at_init())


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "focall"},
        {"name": "huber"},
        {"class_weights": "balance"},
        {"class_weights": "balanced", "prior_correction": 1.0},
        {"prior_correction": -1.0},
        {"class_weights": "effective-number", "effective_beta": 1.0},
    ],
)
def test_what_cannot_work_is_refused_at_once(wrong: dict[str, Any]) -> None:
    """Before anything is trained, in three parts."""
    with pytest.raises(SettingError, match="What to do"):
        ClassLoss(counts=COUNTS, **wrong)


@pytest.mark.parametrize("said", [[0.5, 0.5], [1.0, 0.0, 0.0, 0.0]])
def test_impossible_predictions_are_refused(said: list[float]) -> None:
    """There has to be one positive share for each class."""
    with pytest.raises(SettingError, match="one positive share"):
        ClassLoss(counts=COUNTS).expected_at_init(predicted=said)


@pytest.mark.parametrize("name", FITTING["regression"])
def test_value_losses_equal_their_formulas(name: str) -> None:
    """Each name against plain numbers, averaged over a sample's values."""
    torch.manual_seed(0)
    predicted, targets = 3 * torch.randn(20, 2), torch.randn(20, 2)
    x = (predicted - targets).double().numpy()
    beta = 0.5
    formula = {
        "squared": x**2,
        "absolute": abs(x),
        "smooth-l1": np.where(abs(x) < beta, 0.5 * x**2 / beta, abs(x) - beta / 2),
        "huber": np.where(abs(x) <= beta, 0.5 * x**2, beta * (abs(x) - beta / 2)),
    }[name]
    found = ValueLoss(name=name, beta=beta)(predicted, targets)
    np.testing.assert_allclose(found.numpy(), formula.mean(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FITTING["regression"])
def test_value_losses_know_their_value_at_the_start(name: str) -> None:
    """The value named is the mean loss of the means, and of whatever else the network begins with (K2.4)."""
    targets = torch.tensor([[1.0, -2.0], [3.0, 5.0], [-1.0, 0.0]])
    loss = ValueLoss(name=name)
    for constant in (targets.mean(0), torch.zeros(2)):
        named = None if constant.any() else [0.0, 0.0]
        measured = loss(constant.expand_as(targets), targets).mean().item()
        assert loss.expected_at_init(targets, predicted=named) == pytest.approx(measured, rel=1e-6)


def test_one_value_per_sample_may_come_without_an_axis() -> None:
    """A single value per sample is not averaged with its neighbours."""
    assert ValueLoss(name="squared")(torch.zeros(3), torch.tensor([1.0, 2.0, 3.0])).tolist() == [1.0, 4.0, 9.0]


@pytest.mark.parametrize(
    "wrong", [{"name": "focal"}, {"name": "hubre"}, {"beta": -1.0}, {"name": "huber", "beta": 0.0}]
)
def test_impossible_value_losses_are_refused_at_once(wrong: dict[str, Any]) -> None:
    """Before anything is trained, in three parts."""
    with pytest.raises(SettingError, match="What to do"):
        ValueLoss(**wrong)


@pytest.mark.parametrize("task", FITTING)
def test_every_task_has_a_loss_of_its_own(task: str) -> None:
    """The name auto is the first that fits, and each that fits is settled to itself."""
    assert fitting(task, "auto") == FITTING[task][0]
    assert [fitting(task, name) for name in FITTING[task]] == list(FITTING[task])


def test_a_loss_of_another_task_is_told_so() -> None:
    """The message says what it is for, and what would fit."""
    with pytest.raises(SettingError, match=r"for regression, and the task is classification.*cross-entropy, focal"):
        fitting("classification", "huber")


def test_slips_are_told_the_nearest() -> None:
    """Names of losses, weightings and tasks alike."""
    with pytest.raises(SettingError, match="did you mean focal"):
        fitting("classification", "focl")
    with pytest.raises(SettingError, match="did you mean balanced"):
        weights_of([1, 2], weighting="ballanced")
    with pytest.raises(SettingError, match="did you mean segmentation"):
        fitting("segmentations", "auto")


@given(st.sampled_from(WEIGHTINGS), st.lists(st.integers(1, 1000), min_size=2, max_size=6))
def test_weights_keep_the_size_of_the_loss(weighting: str, counts: list[int]) -> None:
    """Their mean over the samples is 1, so that a learning rate keeps its meaning."""
    weights = weights_of(counts, weighting=weighting)
    if weights is not None:
        assert np.average(weights, weights=counts) == pytest.approx(1)
