"""Losses of several labels against torch and formulas."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.losses.focal import sigmoid_focal
from epochal.losses.multi_label import MULTI_LABEL_LOSSES, MultiLabelLoss, balanced_answers

seeds = st.integers(0, 2**31)


def _case(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(seed)
    logits = torch.randn(6, 3, generator=source) * 3
    return logits, (torch.rand(6, 3, generator=source) < 0.3).float()


@given(seeds, st.floats(0, 0.9))
def test_cross_entropy_is_torchs(seed: int, smoothing: float) -> None:
    """The mean over classes of torch's binary loss, labels moved towards one half by smoothing."""
    logits, labels = _case(seed)
    soft = labels * (1 - smoothing) + smoothing / 2
    expected = F.binary_cross_entropy_with_logits(logits, soft, reduction="none").mean(1)
    torch.testing.assert_close(MultiLabelLoss(smoothing=smoothing)(logits, labels), expected)


@given(seeds)
def test_focal_is_that_of_each_question(seed: int) -> None:
    """The mean over classes of the sigmoid focal loss."""
    logits, labels = _case(seed)
    expected = sigmoid_focal(logits, labels, gamma=1.5).mean(1)
    torch.testing.assert_close(MultiLabelLoss(name="focal", gamma=1.5)(logits, labels), expected)


@given(seeds)
def test_balanced_weights_are_pos_weights_scaled(seed: int) -> None:
    """Up to one factor per class they are torch's `pos_weight`, and their mean over the samples is 1."""
    logits, labels = _case(seed)
    yes = labels.sum(0)
    weights = balanced_answers([int(n) for n in yes], samples=6)
    values = MultiLabelLoss(weights=weights).each(logits, labels)
    for k, n in enumerate(yes.tolist()):
        mixed = 0 < n < 6
        scale = torch.tensor((6 - n) / n if mixed else 1.0)
        expected = F.binary_cross_entropy_with_logits(logits[:, k], labels[:, k], pos_weight=scale, reduction="none")
        torch.testing.assert_close(values[:, k], expected * weights.no[k])
        assert n / 6 * weights.yes[k] + (6 - n) / 6 * weights.no[k] == pytest.approx(1)


@pytest.mark.parametrize("name", MULTI_LABEL_LOSSES)
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_expected_losses_are_measured(name: str, smoothing: float, weighted: bool) -> None:
    """A network that says the same of every sample measures exactly what was promised."""
    labels = torch.tensor([[1.0, 0.0, 1.0]] * 3 + [[0.0, 0.0, 1.0]] * 5)
    weights = balanced_answers([3, 0, 8], samples=8) if weighted else None
    said = [0.3, 0.1, 0.9]
    loss = MultiLabelLoss(name=name, weights=weights, smoothing=smoothing)
    measured = loss(torch.tensor(said).logit().expand(8, -1), labels).mean()
    assert loss.expected_at_init([3 / 8, 0, 1], predicted=said) == pytest.approx(float(measured), rel=1e-5)


@pytest.mark.parametrize("kind", [torch.bool, torch.int64, torch.uint8, torch.float16])
def test_labels_of_any_kind_are_taken(kind: torch.dtype) -> None:
    """Yes and no may be stored as anything; mixed labels weigh the mean of their answers."""
    logits, labels = _case(1)
    loss = MultiLabelLoss(weights=balanced_answers([1, 2, 3], samples=6))
    torch.testing.assert_close(loss(logits, labels.to(kind)), loss(logits, labels))
    half = MultiLabelLoss()(logits.bfloat16(), labels)
    assert half.dtype == torch.float32


def test_gradients_are_right() -> None:
    """They pass torch's check by differences, weights and smoothing included."""
    logits, labels = _case(2)
    z = logits.double().requires_grad_()
    for name in MULTI_LABEL_LOSSES:
        loss = MultiLabelLoss(name=name, weights=balanced_answers([1, 2, 3], samples=6), smoothing=0.1)
        assert torch.autograd.gradcheck(lambda each, loss=loss: loss(each, labels.double()), (z,))


def test_sure_mistakes_stay_finite() -> None:
    """A logit of 500 against a no costs 500 over the classes, with a finite slope."""
    z = torch.tensor([[500.0, -500.0]], requires_grad=True)
    loss = MultiLabelLoss()(z, torch.tensor([[0.0, 1.0]]))
    (slope,) = torch.autograd.grad(loss.sum(), z)
    assert loss.item() == 500
    assert slope.tolist() == [[0.5, -0.5]]


def test_impossible_settings_are_refused() -> None:
    """Each is told in three parts."""
    with pytest.raises(SettingError, match="did you mean focal"):
        MultiLabelLoss(name="focl")
    with pytest.raises(SettingError, match="smoothing"):
        MultiLabelLoss(smoothing=1.0)
    with pytest.raises(SettingError, match="positives"):
        balanced_answers([5], samples=4)
    for predicted in ([0.0], [1.0], [0.5, 0.5]):
        with pytest.raises(SettingError, match="predicted"):
            MultiLabelLoss().expected_at_init([0.5], predicted=predicted)
    assert np.isclose(MultiLabelLoss().expected_at_init([0.5], predicted=[0.5]), np.log(2))
