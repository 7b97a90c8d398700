"""Facts about the linear classifier of pixels as a network."""

import numpy as np
import pytest
import torch

from epochal.errors import SettingError
from epochal.models.head import find
from epochal.models.linear_pixels import LinearPixels
from epochal.stats.pixels import feature_count, fit_pixels, pixel_features


@pytest.mark.parametrize("size", [(1, 1), (5, 4), (33, 48)])
def test_network_computes_the_features_of_the_fit(size: tuple[int, int]) -> None:
    """With the weights of a fit, the logits of each pixel are the fit's, at the border and within."""
    source = np.random.default_rng(0)
    image = source.normal(size=(*size, 3)).astype(np.float32)
    weight = source.normal(size=(4, feature_count(3))).astype(np.float32)
    model = LinearPixels(3, 4, image_size=max(size))
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(weight)[:, :, None, None])
        got = model(torch.from_numpy(image).permute(2, 0, 1)[None])[0].numpy()
    rows, columns = (each.ravel() for each in np.mgrid[: size[0], : size[1]])
    expected = pixel_features(image, rows=rows, columns=columns) @ weight.T
    np.testing.assert_allclose(got.reshape(4, -1).T, expected, atol=1e-4)


def test_a_fit_of_images_is_carried() -> None:
    """A fit on bytes tells the pixels of normalised images apart when its weights are put into the head."""
    source = np.random.default_rng(0)
    masks = source.integers(0, 2, (6, 8, 8)).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    pixels = np.clip(60 + 120 * masks[..., None] + source.normal(0, 20, (*masks.shape, 1)), 0, 255).astype(np.uint8)
    fitted = fit_pixels(pixels, masks, classes=2, mean=(0.4,), std=(0.3,))
    model = LinearPixels(1, 2, image_size=16)
    assert model.head.bias is not None
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(fitted.weight)[:, :, None, None])
        model.head.bias.copy_(torch.from_numpy(fitted.bias))
        images = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.4) / 0.3
        said = model(images).argmax(1).numpy()
    assert (said == masks).mean() > 0.98


def test_it_begins_without_opinion() -> None:
    """Weights and bias are zero, and its head is the last layer, where the prior goes."""
    model = LinearPixels(1, 5, image_size=32)
    assert not model(torch.randn(2, 1, 7, 9)).any()
    assert find(model) is model.head


def test_it_may_be_exported_and_moved() -> None:
    """Other sizes, half precision and torch.export give the same answers."""
    model = LinearPixels(3, 4, image_size=32)
    torch.nn.init.normal_(model.head.weight, std=0.1)
    images = torch.randn(2, 3, 32, 48)
    exported = torch.export.export(model.eval(), (images,)).module()
    expected = model(images)
    torch.testing.assert_close(exported(images), expected)
    torch.testing.assert_close(model.bfloat16()(images.bfloat16()).float(), expected, atol=0.1, rtol=0.1)


def test_sizes_below_one_are_refused() -> None:
    """No channel or no class is an error that says what was expected."""
    with pytest.raises(SettingError, match="1 class or more"):
        LinearPixels(3, 0, image_size=32)
