import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from epochal.layers.upsampling import enlarged


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(1, 5))
def test_values_are_those_of_interpolation(n: int, c: int, h: int, w: int, factor: int) -> None:
    """For any shape and factor the result equals torch's bilinear interpolation."""
    maps = torch.randn(n, c, h, w, generator=torch.Generator().manual_seed(n + 7 * h + 11 * w))
    expected = F.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(enlarged(maps, factor), expected)


def test_gradient_is_right() -> None:
    """The gradient is that of interpolation, too."""
    maps = torch.randn(2, 3, 4, 5, requires_grad=True)
    given_back = torch.randn(2, 3, 16, 20)
    ours = torch.autograd.grad(enlarged(maps, 4), maps, given_back)[0]
    theirs = torch.autograd.grad(F.interpolate(maps, scale_factor=4, mode="bilinear"), maps, given_back)[0]
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_digits_survive_autocast(layout: torch.memory_format) -> None:
    """Under autocast the products are made in float32, and the result is contiguous whatever came in."""
    maps = torch.randn(2, 3, 6, 8).contiguous(memory_format=layout)
    with torch.autocast("cpu", torch.bfloat16):
        out = enlarged(maps, 4)
    assert out.dtype is torch.float32
    assert out.is_contiguous()
    torch.testing.assert_close(out, F.interpolate(maps, scale_factor=4, mode="bilinear"))


def test_bfloat16_maps_become_float32() -> None:
    """Maps in half precision are widened before they are enlarged."""
    maps = torch.randn(1, 2, 3, 3, dtype=torch.bfloat16)
    torch.testing.assert_close(enlarged(maps, 2), F.interpolate(maps.float(), scale_factor=2, mode="bilinear"))
