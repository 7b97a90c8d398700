"""Facts about recognising a loss: by what it does, whatever it is wrapped in."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epochal.checks.loss_kind import recognise

LABELS, VALUES, SHARES = torch.tensor([0, 2, 1, 1]), torch.randn(4, 3), torch.tensor([[0.0, 1.0, 1.0]] * 4)


@pytest.mark.parametrize(
    ("loss", "target", "name"),
    [
        (nn.CrossEntropyLoss(), LABELS, "cross-entropy"),
        (nn.CrossEntropyLoss(label_smoothing=0.1, weight=torch.rand(3)), LABELS, "cross-entropy"),
        (lambda z, y: 1 * F.cross_entropy(z, y), LABELS, "cross-entropy"),
        (partial(F.nll_loss, reduction="sum"), LABELS, "negative-log-likelihood"),
        (nn.BCEWithLogitsLoss(), SHARES, "binary-cross-entropy-with-logits"),
        (nn.BCELoss(), SHARES, "binary-cross-entropy"),
        (nn.MSELoss(), VALUES, "squared-error"),
        (nn.L1Loss(reduction="sum"), VALUES, "absolute-error"),
        (nn.SmoothL1Loss(), VALUES, "smooth-absolute-error"),
        (lambda z, y: ((z - y) ** 2).sum(1).mean(), VALUES, "squared-error"),
    ],
)
def test_known_losses_are_recognised(loss: Any, target: torch.Tensor, name: str) -> None:
    """Modules, functions, lambdas and partials."""
    kind = recognise(loss, torch.zeros(4, 3), target=target)
    assert kind is not None
    assert kind.name == name


def test_what_is_not_known_is_not_guessed() -> None:
    """A fourth power is none of them."""
    assert recognise(lambda z, y: ((z - y) ** 4).mean(), torch.zeros(4, 3), target=VALUES) is None


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_reduction_is_told(reduction: str) -> None:
    """A sum over the batch is no mean."""
    kind = recognise(nn.MSELoss(reduction=reduction), torch.zeros(4, 3), target=VALUES)
    assert kind is not None
    assert kind.reduction == reduction
