"""Experiments that leave no trace: the program under test is afterwards as it was before."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def same_dice() -> Iterator[None]:
    """Put the random generators of Python, numpy and torch back, on the processor and on all devices.

    >>> torch.manual_seed(3)
    <torch._C.Generator object at ...>
    >>> with same_dice():
    ...     _ = torch.manual_seed(99), torch.rand(5)
    >>> torch.initial_seed()
    3
    """
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002  the global one is what must be kept
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Put back everything an experiment may change: weights, buffers, gradients, modes, random generators.

    >>> layer = nn.BatchNorm1d(2)
    >>> with untouched(layer):
    ...     _ = layer(torch.randn(4, 2)).sum().backward(), layer.eval()
    >>> int(layer.num_batches_tracked), layer.weight.grad, layer.training
    (0, None, True)
    """
    tensors: dict[int, Tensor] = {id(each): each for each in (*model.parameters(), *model.buffers())}
    values = {name: each.detach().clone() for name, each in tensors.items()}
    gradients = [(each, each.grad, each.requires_grad) for each in model.parameters()]
    for each, _, _ in gradients:
        each.grad = None  # backward would add to the tensor that is to come back
    modes = [(each, each.training) for each in model.modules()]
    try:
        with same_dice():
            yield
    finally:
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(values[name])
        for each, gradient, required in gradients:
            each.requires_grad_(required)
            each.grad = gradient
        for module, mode in modes:
            module.training = mode
