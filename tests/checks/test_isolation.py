"""Facts about experiments that leave no trace."""

import random

import numpy as np
import torch
from torch import nn

from epochal.checks.isolation import same_dice, untouched


def test_random_generators_come_back() -> None:
    """Python, numpy and torch draw the same after an experiment as without it, also after an error."""
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    expected = random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    try:
        with same_dice():
            random.seed(7), np.random.seed(7), torch.manual_seed(7)  # noqa: NPY002
            raise KeyError
    except KeyError:
        pass
    assert (random.random(), np.random.rand(), torch.rand(1)) == expected  # noqa: NPY002


def test_training_leaves_no_trace() -> None:
    """After ten steps of training inside, every bit of the model is as before, and its gradients too."""
    torch.manual_seed(0)
    first, last = nn.Linear(4, 8), nn.Linear(8, 2)
    model = nn.Sequential(first, nn.BatchNorm1d(8), nn.Dropout(0.5), last)
    last.eval()
    model(torch.randn(6, 4)).sum().backward()
    first.bias.requires_grad_(False)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
    with untouched(model):
        model.train().requires_grad_()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(10):
            model(torch.randn(6, 4)).square().sum().backward()
            optimizer.step()
        assert not torch.equal(first.weight, state["0.weight"])
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    for parameter, gradient in zip(model.parameters(), gradients, strict=True):
        assert gradient is None or torch.equal(parameter.grad, gradient)  # type: ignore[arg-type]
    assert [module.training for module in model] == [True, True, True, False]
    assert not first.bias.requires_grad
