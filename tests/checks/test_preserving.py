"""Facts about putting back: loaders, tensors, optimizers and dice are as they were, to the bit."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from epochal.checks.preserving import preserved
from epochal.checks.program import Program, Rows


def test_everything_is_put_back() -> None:
    """Even where the experiment trains the model itself, and fails."""
    torch.manual_seed(5)
    model, x = nn.BatchNorm1d(2), torch.randn(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(x).sum().backward()
    optimizer.step()
    generator = torch.Generator().manual_seed(3)
    rows = torch.utils.data.TensorDataset(torch.arange(3))
    loader = torch.utils.data.DataLoader(rows, shuffle=True, generator=generator)
    program = Program(model=model, batch=Rows(inputs=x), optimizer=optimizer, train=loader)

    def state() -> list[object]:
        numbers = [*model.state_dict().values(), x, generator.get_state(), torch.get_rng_state()]
        kept = optimizer.state_dict()["state"]
        numbers += [value for each in kept.values() for value in each.values()]
        return [each.tolist() for each in numbers] + [random.getstate(), repr(np.random.get_state()), model.training]  # noqa: NPY002

    before = state()
    with pytest.raises(ZeroDivisionError), preserved(program):  # noqa: PT012
        list(loader), model.eval(), model.train(), model(x.mul_(2)).sum().backward(), optimizer.step()
        random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
        _ = 1 / 0
    assert state() == before
