from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from epochal.transforms.tone import equalized, posterized, sharpened, solarized, stretched

LEVELS = [
    np.random.default_rng(0).integers(0, 256, (17, 23, 3), dtype=np.uint8),
    np.random.default_rng(1).integers(90, 140, (40, 30, 3), dtype=np.uint8),
    np.full((9, 9, 3), 77, dtype=np.uint8),
    np.zeros((30, 30, 3), dtype=np.uint8) + np.arange(30, dtype=np.uint8)[:, None, None],
]


def _colors(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255


def _levels(images: torch.Tensor) -> np.ndarray:
    levels: np.ndarray = (images[0] * 255).round().permute(1, 2, 0).numpy()
    return levels


@pytest.mark.parametrize("picture", LEVELS)
def test_tones_are_pillows(picture: np.ndarray) -> None:
    """Posterising, solarising and equalising equal Pillow's level by level, autocontrast and sharpness to one level."""
    image, colors = Image.fromarray(picture), _colors(picture)
    for bits in (1, 4, 8):
        np.testing.assert_array_equal(
            _levels(posterized(colors, torch.tensor([bits]))), ImageOps.posterize(image, bits)
        )
    for threshold in (0, 100, 256):
        ours = solarized(colors, torch.tensor([threshold / 255]))
        np.testing.assert_array_equal(_levels(ours), ImageOps.solarize(image, threshold))
    np.testing.assert_array_equal(_levels(equalized(colors)), ImageOps.equalize(image))
    np.testing.assert_allclose(_levels(stretched(colors)), np.asarray(ImageOps.autocontrast(image)), atol=1)
    for factor in (0.1, 1.0, 1.9):
        expected = np.asarray(ImageEnhance.Sharpness(image).enhance(factor))
        np.testing.assert_allclose(_levels(sharpened(colors, torch.tensor([factor]))), expected, atol=1.5)


def test_each_image_by_itself() -> None:
    """In a batch, every image is changed as it would be alone, in either layout and with its own parameter."""
    images = torch.rand(4, 3, 12, 12)
    last = images.to(memory_format=torch.channels_last)
    some = torch.tensor([0.1, 0.4, 0.6, 0.9])
    bits = torch.tensor([1, 3, 5, 8])
    changes: list[Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = [
        lambda x, k: posterized(x, bits[k]),
        lambda x, k: solarized(x, some[k]),
        lambda x, _: stretched(x),
        lambda x, _: equalized(x),
        lambda x, k: sharpened(x, 2 * some[k]),
    ]
    for change in changes:
        everything = torch.arange(4)
        out = change(images, everything)
        torch.testing.assert_close(change(last, everything), out)
        for i in range(4):
            torch.testing.assert_close(change(images[i : i + 1], everything[i : i + 1]), out[i : i + 1])


def test_small_and_empty_images() -> None:
    """Nothing gives nothing, an image below 3 pixels is not sharpened, half precision is kept."""
    for change in (stretched, equalized):
        assert change(torch.zeros(0, 3, 4, 4)).shape == (0, 3, 4, 4)
        assert change(torch.rand(1, 3, 4, 4).half()).dtype == torch.float16
    tiny = torch.rand(1, 3, 2, 5)
    assert torch.equal(sharpened(tiny, torch.tensor([0.0])), tiny)
    assert posterized(tiny.half(), torch.tensor([4])).dtype == torch.float16
