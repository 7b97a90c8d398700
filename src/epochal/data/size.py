"""Which size the pictures get, and how a picture is brought to it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from epochal.errors import SettingError

# Sides that halve without remainder through four or five poolings (tip W4.1); 224 is what larger pictures are usually
# brought to.
SIDES = (32, 64, 96, 128, 160, 224)
# Where all pictures have one shorter side, it is kept between these lengths; networks begin at eight pixels.
SMALLEST, NATIVE_LIMIT = 8, 128
# Where every pixel gets an answer, a step costs what its area does; more is for those who ask for it. Networks halve
# five times.
DENSE_LIMIT, STRIDE = 256, 32
# Share of the pictures that must agree on it; a few odd ones are brought to it.
AGREEMENT = 0.99


def working_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Choose height and width for the network from those of the pictures (or of a fair sample of them).

    Always a square. Its side is the shorter side of the pictures where they agree on it and it is from 8 to 128; else
    the largest of 32, 64, 96, 128, 160 and 224 that is not above the median shorter side, so that the typical picture
    is never enlarged (except below 32).

    Units: pixels, (height, width).  Source: tip W4.1.

    >>> working_size([(28, 28)] * 10), working_size([(480, 640), (300, 400), (100, 100)])
    ((28, 28), (224, 224))
    """
    if not sizes:
        return SIDES[0], SIDES[0]
    shorter = np.asarray(sizes).min(axis=1)
    kinds, counts = np.unique(shorter, return_counts=True)
    common = int(kinds[counts.argmax()])
    if counts.max() >= AGREEMENT * len(sizes) and SMALLEST <= common <= NATIVE_LIMIT:
        return common, common
    side = max((side for side in SIDES if side <= np.median(shorter)), default=SIDES[0])
    return side, side


def dense_size(sizes: Sequence[tuple[int, int]], *, longer: int | None = None) -> tuple[int, int]:
    """Choose height and width where every pixel gets an answer: the pictures' proportions are kept.

    Both sides are multiples of 32, which five poolings halve without remainder. The longer one is `longer`, or the
    largest multiple of 32 that is not above the median longer side, at most 256; the other follows from the median
    proportions. Pictures of other proportions are cut.

    Units: pixels, (height, width).  Raises: SettingError if `longer` is below 32 or no multiple of 32.

    >>> dense_size([(360, 480)]), dense_size([(360, 480)], longer=480), dense_size([(100, 50)])
    ((192, 256), (352, 480), (96, 64))
    """
    if longer is not None and (longer < STRIDE or longer % STRIDE):
        raise SettingError(
            f"The image size is {longer}.",
            expected=f"a multiple of {STRIDE}, {STRIDE} or more, for the longer side of the pictures.",
            remedy=f"choose {max(STRIDE, round(longer / STRIDE) * STRIDE)}.",
        )
    given = np.asarray(sizes or [(DENSE_LIMIT, DENSE_LIMIT)], dtype=np.float64)
    side = longer or int(np.clip(np.median(given.max(axis=1)) // STRIDE * STRIDE, STRIDE, DENSE_LIMIT))
    ratio = float(np.exp(np.median(np.log(given[:, 0] / given[:, 1]))))  # height by width
    other = max(STRIDE, round(side * min(ratio, 1 / ratio) / STRIDE) * STRIDE)
    return (other, side) if ratio <= 1 else (side, other)


def fit(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Shrink (or enlarge) until `size` is just covered, then cut the middle out: nothing is squeezed.

    Bicubic with antialiasing; a much larger picture is first averaged over whole pixels (Pillow's `reducing_gap`).

    Units: pixels, size is (height, width).

    >>> fit(Image.new("L", (640, 480)), (32, 32)).size
    (32, 32)
    """
    height, width = size
    if image.size == (width, height):
        return image
    box = _covering(image.size, size)
    return image.resize((width, height), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)


def fit_mask(mask: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Bring a mask to the size of its picture, cut at the same places; each pixel is one of the file's own.

    Units: pixels, size is (height, width).

    >>> fit_mask(Image.new("L", (640, 480), 7), (32, 32)).getcolors()
    [(1024, 7)]
    """
    height, width = size
    if mask.size == (width, height):
        return mask
    return mask.resize((width, height), Image.Resampling.NEAREST, box=_covering(mask.size, size))


def _covering(given: tuple[int, int], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box of a picture (width, height) that has the proportions of `size` (height, width), in its middle."""
    height, width = size
    scale = max(width / given[0], height / given[1])
    # Rounding may carry the box a hair outside, which Pillow refuses.
    kept_width, kept_height = min(width / scale, given[0]), min(height / scale, given[1])
    left, top = (given[0] - kept_width) / 2, (given[1] - kept_height) / 2
    return left, top, min(left + kept_width, given[0]), min(top + kept_height, given[1])
