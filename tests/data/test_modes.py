"""Facts about bringing every kind of pixel to 8 bits."""

import numpy as np
import pytest
from PIL import Image

from epochal.data.modes import is_grey, to_eight_bits

MODES = [
    "1",
    "L",
    "P",
    "RGB",
    "RGBA",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "LA",
    "PA",
    "RGBX",
    "RGBa",
    "La",
    "I;16",
    "I;16B",
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_of_pillow_converts(mode: str, channels: int) -> None:
    """Every mode that Pillow can hold ends as grey or RGB of the same size."""
    found, _ = to_eight_bits(Image.new(mode, (5, 4)), channels=channels)
    assert (found.mode, found.size) == ("L" if channels == 1 else "RGB", (5, 4))


@pytest.mark.parametrize(
    ("values", "expected", "remark"),
    [
        (np.array([[0, 7, 255]], np.int32), [0, 7, 255], None),
        (np.array([[0, 257, 65535]], np.int32), [0, 1, 255], "sixteen-bit"),
        (np.array([[-100, 0, 100]], np.int32), [0, 128, 255], "own-range"),
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255], None),
        (np.array([[0.0, 5.0, 10.0]], np.float32), [0, 128, 255], "own-range"),
        (np.array([[3.0, 3.0, 3.0]], np.float32), [0, 0, 0], "own-range"),
    ],
)
def test_whole_numbers_and_fractions(values: np.ndarray, expected: list[int], remark: str | None) -> None:
    """Values with a known range keep it, others are stretched from their own, and that is remarked."""
    found, remarks = to_eight_bits(Image.fromarray(values), channels=1)
    assert np.asarray(found).ravel().tolist() == expected
    assert [each.split(":")[0] for each in remarks] == ([remark] if remark else [])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers(value: float) -> None:
    """A picture with NaN or infinity in it is refused."""
    with pytest.raises(ValueError, match="finite"):
        to_eight_bits(Image.fromarray(np.array([[0, value]], np.float32)), channels=1)


def test_grey_palette_is_grey() -> None:
    """A palette of greys counts as grey, one with a colour does not."""
    image = Image.new("P", (2, 2))
    image.putpalette([0, 0, 0, 90, 90, 90])
    assert is_grey(image)
    image.putpalette([0, 0, 0, 90, 91, 90])
    assert not is_grey(image)
