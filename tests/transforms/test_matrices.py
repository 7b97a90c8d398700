import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.transforms.matrices import centred, inverse, rotation, scaling, shearing, translation


def _one(value: float) -> torch.Tensor:
    return torch.tensor([value], dtype=torch.float64)


@given(degrees=st.floats(-360, 360), x=st.floats(0.1, 5), y=st.floats(-5, -0.1), lean=st.floats(-80, 80))
def test_motions_are_those_of_the_school_book(degrees: float, x: float, y: float, lean: float) -> None:
    """Each motion equals its textbook matrix; the rotation is written for an axis that points downwards."""
    a, t = np.deg2rad(degrees), np.tan(np.deg2rad(lean))
    cases: list[tuple[torch.Tensor, list[list[float]]]] = [
        (rotation(_one(degrees)), [[np.cos(a), np.sin(a), 0], [-np.sin(a), np.cos(a), 0], [0, 0, 1]]),
        (scaling(_one(x), _one(y)), [[x, 0, 0], [0, y, 0], [0, 0, 1]]),
        (shearing(_one(lean)), [[1, -t, 0], [0, 1, 0], [0, 0, 1]]),
        (translation(_one(x), _one(y)), [[1, 0, x], [0, 1, y], [0, 0, 1]]),
    ]
    for built, expected in cases:
        np.testing.assert_allclose(built[0].numpy(), expected, atol=1e-12)


@given(degrees=st.floats(-180, 180), zoom=st.floats(0.2, 5), lean=st.floats(-60, 60), dx=st.floats(-50, 50))
def test_inverse_is_numpys(degrees: float, zoom: float, lean: float, dx: float) -> None:
    """Undoing any chain of motions equals numpy's inverse."""
    chain = (
        translation(_one(dx), _one(3))
        @ rotation(_one(degrees))
        @ shearing(_one(lean))
        @ scaling(_one(zoom), _one(-zoom))
    )
    np.testing.assert_allclose(inverse(chain)[0].numpy(), np.linalg.inv(chain[0].numpy()), rtol=1e-9, atol=1e-9)


def test_a_centred_motion_keeps_the_middle() -> None:
    """The middle of the source comes to lie in the middle of the target, whatever the motion."""
    motion = centred(rotation(_one(33)) @ scaling(_one(2), _one(0.5)), source=(10, 20), target=(7, 5))
    torch.testing.assert_close(motion[0] @ torch.tensor([10.0, 5, 1]).double(), torch.tensor([2.5, 3.5, 1]).double())


@pytest.mark.parametrize("zoom", [0.0, float("nan")])
def test_a_motion_that_cannot_be_undone_is_refused(zoom: float) -> None:
    """A flat or undefined motion is an error that names the sample."""
    flat = scaling(torch.tensor([1.0, zoom]), torch.tensor([1.0, 1.0]))
    with pytest.raises(SettingError, match="sample 1"):
        inverse(flat)
