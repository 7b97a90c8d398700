"""Facts about losses on a circle: complex numbers, gradients, and that no place is special."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from epochal.losses.circular import chord, on_chord
from epochal.losses.regression import smooth_l1, squared_error

Loss = Callable[[Tensor, Tensor], Tensor]
ANGLES = st.floats(-10, 10)


def _vector(angle: float, length: float = 1.0) -> Tensor:
    return length * torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)


@given(ANGLES, ANGLES, st.floats(0, 5))
def test_chord_is_the_distance_of_complex_numbers(a: float, b: float, length: float) -> None:
    """The chord is the absolute difference of the two points in the complex plane."""
    expected = abs(length * np.exp(1j * a) - np.exp(1j * b))
    assert chord(_vector(a, length), _vector(b)).item() == pytest.approx(expected, abs=2e-6)


@given(ANGLES, ANGLES, ANGLES, st.floats(0.1, 3))
@pytest.mark.parametrize("loss", [smooth_l1, squared_error])
def test_turning_both_changes_nothing(loss: Loss, a: float, b: float, turn: float, length: float) -> None:
    """A loss on the chord is the same wherever on the circle it is taken."""
    here = on_chord(_vector(a, length), _vector(b), loss=loss)
    there = on_chord(_vector(a + turn, length), _vector(b + turn), loss=loss)
    torch.testing.assert_close(here, there, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("loss", [smooth_l1, squared_error])
def test_gradients_are_those_of_differences(loss: Loss) -> None:
    """Gradients agree with finite differences, within beta and beyond."""
    vectors = torch.tensor([[0.9, 0.1], [-3.0, 0.2], [0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    targets = torch.cat([_vector(0.3), _vector(1.0), _vector(2.0)])
    assert torch.autograd.gradcheck(lambda x: on_chord(x, targets, loss=loss), vectors)


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_agreement_has_no_slope(beta: float) -> None:
    """Where prediction and place are the same the loss is 0 and so is its gradient, not NaN."""
    vectors = _vector(0.7).requires_grad_()
    lost = on_chord(vectors, _vector(0.7), loss=lambda a, b: smooth_l1(a, b, beta=beta))
    lost.sum().backward()  # type: ignore[no-untyped-call]
    assert lost.item() == 0
    assert vectors.grad is not None
    assert vectors.grad.abs().max() == 0


def test_the_mean_vector_is_the_best_constant_of_the_square() -> None:
    """With the squared error the mean vector costs one minus its squared length, and any other point more."""
    angles = np.random.default_rng(0).vonmises(1, 1.5, 500)
    places = torch.from_numpy(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    mean = places.mean(0, keepdim=True)
    cost = on_chord(mean.expand(500, 2), places, loss=squared_error).mean()
    assert cost.item() == pytest.approx(1 - mean.square().sum().item())
    moved = on_chord((mean + 0.05).expand(500, 2), places, loss=squared_error).mean()
    assert moved > cost


def test_no_sample_gives_no_loss() -> None:
    """An empty batch gives an empty loss of float32."""
    lost = on_chord(torch.zeros(0, 2), torch.zeros(0, 2))
    assert (lost.shape, lost.dtype) == ((0,), torch.float32)
