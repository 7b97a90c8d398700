"""Which parameters decay, settings of parameter groups, and closures."""

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.layers.normalization import LayerNormPerPixel
from epochal.optim.groups import check_groups, evaluated, split

FINE = {"lr": 0.1, "weight_decay": 0.0, "betas": (0.9, 0.999)}


@pytest.mark.parametrize(
    "wrong",
    [{"lr": -1.0}, {"lr": float("nan")}, {"weight_decay": -1.0}, {"betas": (0.0, 0.9)}, {"betas": (0.9, 1.0)}],
)
def test_impossible_groups_are_refused(wrong: dict[str, object]) -> None:
    """One bad group among good ones is told in three parts."""
    check_groups([FINE, FINE])
    with pytest.raises(SettingError, match="What to do"):
        check_groups([FINE, FINE | wrong])


def test_a_closure_is_asked_with_gradients_on() -> None:
    """`step` works without gradients; the closure inside it needs them."""
    with torch.no_grad():
        assert evaluated(torch.is_grad_enabled) is True
        assert evaluated(None) is None


def _network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2))


def test_norms_and_biases_do_not_decay() -> None:
    """Decay touches what has two axes or more, nothing else (W6.1)."""
    weights, rest = split(_network())
    assert sorted(p.ndim for p in weights) == [2, 4]
    assert {p.ndim for p in rest} == {1}
    assert len(weights) + len(rest) == len(list(_network().parameters()))


@pytest.mark.parametrize(
    "layer",
    [
        nn.LayerNorm([2, 4, 4]),
        nn.RMSNorm([4, 4]),
        nn.GroupNorm(1, 2),
        nn.InstanceNorm2d(2, affine=True),
        LayerNormPerPixel(2),
        nn.PReLU(2),
    ],
)
def test_factors_of_norms_are_spared_whatever_their_shape(layer: nn.Module) -> None:
    """LayerNorm over whole feature maps has factors of three axes: they are factors all the same (W6.1)."""
    weights, rest = split(nn.Sequential(nn.Conv2d(1, 2, 3), layer))
    assert [p.ndim for p in weights] == [4]
    assert len(rest) == 1 + len(list(layer.parameters()))


def test_order_is_that_of_the_model() -> None:
    """Both lists keep the order of definition, on which saved optimizer states depend."""
    model = _network()
    weights, rest = split(model)
    assert [id(p) for p in weights] == [id(p) for p in model.parameters() if p.ndim > 1]
    assert [id(p) for p in rest] == [id(p) for p in model.parameters() if p.ndim <= 1]


def test_frozen_parameters_are_left_out() -> None:
    """What is frozen is not handed to the optimizer at all."""
    model = _network()
    next(model.parameters()).requires_grad = False
    weights, _ = split(model)
    assert [p.ndim for p in weights] == [2]


def test_shared_parameters_count_once() -> None:
    """A weight used by two layers is updated once per step."""
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    assert len(split(model)[0]) == 1
