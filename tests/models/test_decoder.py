import pytest
import torch
import torch.nn.functional as F
from torch import nn

from epochal.errors import SettingError
from epochal.models.decoder import (
    DECODERS,
    PyramidDecoder,
    SkipDecoder,
    SpatialPyramidContext,
    decoder,
    rates_for,
)


@pytest.mark.parametrize("name", DECODERS)
@pytest.mark.parametrize("sizes", [((16, 12), (8, 6), (4, 3)), ((7, 9), (4, 5), (2, 3)), ((5, 5),)])
def test_every_decoder_gives_the_finest_size(name: str, sizes: tuple[tuple[int, int], ...]) -> None:
    """Maps of any sizes, halving exactly or not, one or several, become one map of the finest size."""
    channels = (4, 8, 12)[: len(sizes)]
    maps = [torch.randn(2, c, h, w) for c, (h, w) in zip(channels, sizes, strict=True)]
    out = decoder(name, channels, width=6, places=max(sizes[-1]))(maps)
    assert out.shape == (2, 6, *sizes[0])
    assert (out >= 0).all() or name == "pan"


def test_skip_decoder_adds_what_each_map_says() -> None:
    """The linear part equals the sum of the laterals, each enlarged step by step, whatever way it is computed."""
    torch.manual_seed(0)
    model = SkipDecoder([4, 8], 6).eval()
    model.norm, weights = nn.Identity(), model.state_dict()
    fine, coarse = torch.randn(2, 4, 6, 8), torch.randn(2, 8, 3, 4)
    apart = F.interpolate(coarse, size=(6, 8), mode="bilinear")  # 1x1 convolutions commute with enlarging
    expected = (
        torch.einsum("oi,nihw->nohw", weights["lateral.0.conv.weight"][:, :, 0, 0], fine)
        + torch.einsum("oi,nihw->nohw", weights["lateral.1.conv.weight"][:, :, 0, 0], apart)
    ).relu()
    torch.testing.assert_close(model([fine, coarse]), expected, rtol=1e-4, atol=1e-5)


def test_pyramid_decoder_adds_its_levels() -> None:
    """The output is the rectified, normalised sum of the pyramid's levels."""
    torch.manual_seed(0)
    model = PyramidDecoder([4, 8], 6).eval()
    maps = [torch.randn(2, 4, 8, 8), torch.randn(2, 8, 4, 4)]
    fine, coarse = model.pyramid(maps)
    expected = model.norm(fine + F.interpolate(coarse, scale_factor=2, mode="bilinear")).relu()
    torch.testing.assert_close(model(maps), expected)


def test_spatial_pyramid_spreads_the_maximum_of_each_bin() -> None:
    """Before the joint convolution each place holds the maxima of the bins that cover it, by a loop over places."""
    seen: list[torch.Tensor] = []
    context = SpatialPyramidContext(2, bins=(1, 2))
    context.joint.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    maps = torch.randn(1, 2, 4, 6)
    context(maps)
    for row in range(4):
        for column in range(6):
            top, left = row // 2 * 2, column // 3 * 3
            place = seen[0][0, :, row, column]
            assert torch.equal(place[:2], maps[0, :, row, column])
            assert torch.equal(place[2:4], maps[0].amax((1, 2)))
            assert torch.equal(place[4:], maps[0, :, top : top + 2, left : left + 3].amax((1, 2)))


def test_rates_keep_the_papers_proportion_and_stay_inside() -> None:
    """Dilations grow with the map, are distinct, and from 2 places on stay below its side."""
    for places in range(2, 129):
        rates = rates_for(places)
        assert list(rates) == sorted(set(rates))
        assert 1 <= rates[0] <= rates[-1] < places
    assert rates_for(66) == (12, 24, 36)


def test_an_unknown_name_is_refused() -> None:
    """The error lists the names; a near one is the remedy."""
    with pytest.raises(SettingError, match="did you mean ppm"):
        decoder("pmm", [4], width=4, places=4)
    with pytest.raises(SettingError, match="What to do: choose"):
        decoder("xyzzy", [4], width=4, places=4)
