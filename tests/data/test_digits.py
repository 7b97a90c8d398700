"""Facts about the built-in digits."""

import numpy as np
import sklearn.datasets

from epochal.data.decode import decode
from epochal.data.digits import Digits, load_digits


def test_equal_to_scikit_learn() -> None:
    """The embedded pictures and labels are those that scikit-learn bundles, in their order."""
    bundled = sklearn.datasets.load_digits()
    images, labels = load_digits()
    np.testing.assert_array_equal(images, bundled.images)
    np.testing.assert_array_equal(labels, bundled.target)


def test_scaling_can_be_undone() -> None:
    """Counts from 0 to 16 become 0 to 255 without two of them falling together."""
    digits = Digits()
    images, labels = load_digits()
    for entry in digits.entries()[::100]:
        label, number = entry.key.removesuffix(".pgm").split("/")
        pixels = decode(digits.read(entry), channels=1).pixels[..., 0]
        np.testing.assert_array_equal(np.rint(pixels / 255 * 16), images[int(number)])
        assert labels[int(number)] == int(label)


def test_peek_is_the_beginning() -> None:
    """A peek is a part of the file."""
    digits = Digits()
    assert digits.peek(digits.entries()[5], 4) == b"P5 8"
