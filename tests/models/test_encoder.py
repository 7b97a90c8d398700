import pytest
import torch

from epochal.errors import SettingError
from epochal.layers.whitening import patch_moments, whitening_filters
from epochal.models.encoder import Encoder, PooledUnit, encoder_shape_for, fit_encoder_


@pytest.mark.parametrize("image_size", [32, 48, 63, 64, 100, 128, 256, 512])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_maps_halve_from_stride_four_on(image_size: int, channels: int) -> None:
    """Maps stand at strides 4, 8, 16 and 32, as many as leave 4 places along the longer side of the last."""
    shape = encoder_shape_for(channels, image_size=image_size, width=8)
    side = image_size // shape.coarsest * shape.coarsest
    maps = Encoder(shape).eval()(torch.randn(1, channels, side, shape.coarsest))
    assert [tuple(each.shape) for each in maps] == [
        (1, width, side // stride, shape.coarsest // stride)
        for width, stride in zip(shape.widths, (4, 8, 16, 32), strict=False)
    ]
    assert image_size // shape.coarsest >= 4


def test_signal_survives_the_depth() -> None:
    """At the start no level's map vanishes or explodes: spreads stay within a factor of ten of one another."""
    torch.manual_seed(0)
    encoder = Encoder(encoder_shape_for(3, image_size=128))
    images = torch.randn(4, 3, 128, 128)
    fit_encoder_(encoder, images)
    spreads = [each.std().item() for each in encoder(images)]
    assert max(spreads) < 10 * min(spreads)


def test_stem_whitens_an_even_selection() -> None:
    """Of more pixels than two million, every k-th image is looked at; the filters are those of these images."""
    torch.manual_seed(0)
    images = torch.randn(9, 1, 512, 512).cumsum(3) / 20
    encoder = Encoder(encoder_shape_for(1, image_size=512, width=8))
    fit_encoder_(encoder, images)
    expected = whitening_filters(patch_moments(images, size=3), keep=9).view(9, 1, 3, 3)
    assert (encoder.stem.weight[:9] - expected).abs().max() < 0.05 * expected.abs().max()
    assert torch.equal(encoder.stem.weight[:9], -encoder.stem.weight[9:])


def test_unit_begins_by_passing_its_input_on() -> None:
    """Without pooling and in evaluation, a new unit rectifies its input and changes nothing else."""
    images = torch.randn(1, 4, 6, 6)
    unit = PooledUnit(4, 4, pool=False).eval()
    torch.testing.assert_close(unit(images), images.relu(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sizes", [{"channels_in": 0}, {"image_size": 31}, {"width": 12}, {"depth": 0}])
def test_impossible_sizes_are_refused(sizes: dict[str, int]) -> None:
    """No channel, images below 32 pixels, odd widths, no depth: each is an error at once."""
    with pytest.raises(SettingError):
        encoder_shape_for(**({"channels_in": 3, "image_size": 64} | sizes))
