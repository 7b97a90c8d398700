import pytest
import torch

from epochal.errors import SettingError
from epochal.layers.whitening import patch_moments, whitening_filters
from epochal.models.encoder import Encoder, encoder_shape_for, fit_encoder_


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


def test_levels_begin_by_passing_what_they_see_on() -> None:
    """In evaluation a new level's first channels are twice the pooled, rectified input: the path and its identity."""
    encoder = Encoder(encoder_shape_for(3, image_size=32, width=32)).eval()
    entering = torch.randn(1, encoder.shape.stem_width, 8, 8)
    passed = torch.nn.functional.max_pool2d(entering, 2).relu()
    leaving = encoder.levels[0](entering)[:, : encoder.shape.stem_width]
    torch.testing.assert_close(leaving, 2 * passed, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("sizes", [{"channels_in": 0}, {"image_size": 31}, {"width": 12}, {"depth": 0}])
def test_impossible_sizes_are_refused(sizes: dict[str, int]) -> None:
    """No channel, images below 32 pixels, odd widths, no depth: each is an error at once."""
    with pytest.raises(SettingError):
        encoder_shape_for(**({"channels_in": 3, "image_size": 64} | sizes))
