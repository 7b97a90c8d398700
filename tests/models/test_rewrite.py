"""Comparing a network with its rewriting: counts, differences, times, and no trace left."""

import copy
import math

import pytest
import torch
from torch import nn

from epochal.models.cost import cost
from epochal.models.rewrite import compare, differences

IMAGES = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def _model() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 2))


def test_a_copy_does_not_differ() -> None:
    """A copy gives the same outputs and gradients, random layers included."""
    model = _model()
    assert differences(model, copy.deepcopy(model), images=IMAGES) == (0.0, 0.0)


def test_differences_are_relative_to_the_largest() -> None:
    """An output 1 % larger differs by 0.01, and so do the gradients that pass it."""
    one, other = nn.Flatten(), nn.Sequential(nn.Flatten(), nn.Threshold(-math.inf, 0))
    assert differences(one, other, images=IMAGES) == (0.0, 0.0)
    layer = nn.Linear(192, 3, bias=False)
    scaled = nn.Sequential(nn.Flatten(), copy.deepcopy(layer))
    with torch.no_grad():
        scaled[1].weight.mul_(1.01)  # type: ignore[operator]
    outputs, gradients = differences(nn.Sequential(nn.Flatten(), layer), scaled, images=IMAGES)
    assert [outputs, gradients] == pytest.approx([0.01, 0.01], rel=1e-3)


def test_nan_in_one_alone_is_infinitely_far() -> None:
    """NaN where the other has a number is no small difference; NaN in both is none."""
    nan = IMAGES.clone()
    nan[0, 0, 0, 0] = torch.nan
    assert differences(nn.Identity(), nn.Identity(), images=nan) == (0.0, 0.0)
    assert differences(nn.Identity(), nn.Hardtanh(-9, 9), images=nan)[0] == 0.0
    assert differences(nn.Identity(), nn.InstanceNorm2d(3), images=nan)[0] == math.inf  # it spreads over the channel
    assert differences(nn.Identity(), nn.Flatten(), images=IMAGES)[0] == math.inf


def test_comparing_counts_and_leaves_no_trace() -> None:
    """Costs are those of `cost`, times are positive; statistics, random state, gradients and modes are as before."""
    before, after = _model(), nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    kept = {k: v.clone() for k, v in before.state_dict().items()}
    state = torch.get_rng_state()
    told = compare(before, after, images=IMAGES, repeats=2)
    assert (told.before, told.after) == (cost(before, (3, 8, 8)), cost(after, (3, 8, 8)))
    assert min(told.inference_seconds + told.training_seconds) > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(kept[k], v) for k, v in before.state_dict().items())
    assert all(p.grad is None for p in (*before.parameters(), *after.parameters()))
    assert before.training
    assert len({len(line) for line in told.table().splitlines()}) == 1


def test_a_network_without_parameters_can_be_compared() -> None:
    """A network with nothing to learn has a training time too: that of its forward pass."""
    told = compare(nn.Flatten(), nn.Flatten(), images=IMAGES, repeats=1)
    assert told.before.parameters == 0
    assert min(told.training_seconds) > 0
    assert "| parameters | 0 | 0 | |" in " ".join(told.table().split())
