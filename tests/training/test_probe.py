"""Looking into a network leaves it as it is."""

import numpy as np
import torch
from torch import nn

from epochal.training.probe import Probe, first_layer_filters
from epochal.training.reference import small_data, small_network
from epochal.training.runtime import Runtime


def test_probabilities_of_the_fixed_batch() -> None:
    """Each row sums to 1 and equals the softmax of the network in evaluation mode (K2.11)."""
    images, _ = small_data(5)
    model = small_network(dropout=0.5)
    told = Probe(images, runtime=Runtime())(model)
    np.testing.assert_allclose(told.sum(1), 1, rtol=1e-5)
    with torch.no_grad():
        expected = model.eval()(images).softmax(1).numpy()
    np.testing.assert_allclose(told, expected, rtol=1e-4)


def test_the_network_goes_on_as_before() -> None:
    """Mode and running statistics are untouched."""
    model = small_network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    Probe(small_data(5)[0], runtime=Runtime())(model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_filters_are_pictures() -> None:
    """The first convolution's weights, channel last, each equal to the weight it shows (K4.11)."""
    model = small_network()
    filters = first_layer_filters(model)
    assert filters is not None
    weight = model.get_parameter("0.weight")
    assert filters.shape == (8, 3, 3, 3)
    assert filters[5, 1, 2, 0] == weight[5, 0, 1, 2].item()


def test_no_convolution_has_no_filters() -> None:
    """A linear model has none."""
    assert first_layer_filters(nn.Sequential(nn.Flatten(), nn.Linear(3, 2))) is None
