"""Activations by name (W5.1, W5.2, W5.3) and the gains that make up for them."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.layers.activation import ACTIVATIONS, activation, gain


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_equal_the_formula(name: str) -> None:
    """In evaluation, each gives what its formula says in float64 numpy."""
    x = np.linspace(-6, 6, 49)
    formulas = {
        "relu": np.maximum(x, 0),
        "leaky_relu": np.where(x > 0, x, 0.01 * x),
        "prelu": np.where(x > 0, x, 0.25 * x),
        "rrelu": np.where(x > 0, x, 11 / 48 * x),  # the mean of U(1/8, 1/3)
        "sigmoid": 1 / (1 + np.exp(-x)),
        "tanh": np.tanh(x),
    }
    ours = activation(name).double().eval()(torch.from_numpy(x)).detach().numpy()
    np.testing.assert_allclose(ours, formulas[name], rtol=1e-12, atol=1e-12)


def test_training_draws_slopes_of_rrelu() -> None:
    """In training the slopes of RReLU lie in 1/8 to 1/3 and differ from place to place."""
    slopes = activation("rrelu").train()(-torch.ones(1000)).neg()
    assert 1 / 8 <= slopes.min() < 0.14
    assert 0.32 < slopes.max() <= 1 / 3


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "prelu", "sigmoid", "tanh"])
def test_gains_are_those_of_torch(name: str) -> None:
    """Where torch has a gain, ours is the same; PReLU begins as a leaky ReLU of 0.25."""
    torchs = nn.init.calculate_gain("leaky_relu", 0.25) if name == "prelu" else nn.init.calculate_gain(name)  # type: ignore[arg-type]
    assert gain(name) == pytest.approx(torchs, rel=1e-12)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "prelu", "rrelu"])
def test_gain_keeps_the_signal_of_rectifiers(name: str) -> None:
    """The mean square of a normal signal times the gain, rectified, is 1, in training (He et al. 2015)."""
    signal = gain(name) * torch.randn(400_000, generator=torch.Generator().manual_seed(0))
    assert activation(name).train()(signal).square().mean().item() == pytest.approx(1, abs=0.01)


def test_slopes_are_taken() -> None:
    """A slope reaches the layer and the gain; PReLU may learn one for each channel."""
    layer = activation("prelu", slope=0.1, channels=3)
    assert isinstance(layer, nn.PReLU)
    assert layer.weight.tolist() == pytest.approx([0.1] * 3)
    assert gain("leaky_relu", slope=1.0) == pytest.approx(1.0)
    assert gain("leaky_relu", slope=0.5) == pytest.approx(math.sqrt(2 / 1.25))


def test_each_call_makes_a_new_layer() -> None:
    """Two layers of one name never share what they learn."""
    assert activation("prelu") is not activation("prelu")


@pytest.mark.parametrize(("name", "slope"), [("swish", None), ("relu", 0.1), ("leaky_relu", math.nan), ("tanh", 0.0)])
def test_impossible_wishes_are_refused(name: str, slope: float | None) -> None:
    """Unknown names, slopes where there are none and slopes that are no number are errors."""
    with pytest.raises(SettingError):
        activation(name, slope=slope)
