"""Which size the pictures get, and how a picture is brought to it."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

# Sides that halve without remainder through four or five poolings (tip W4.1); 224 is what larger pictures are usually
# brought to.
SIDES = (32, 64, 96, 128, 160, 224)
# Where all pictures have one shorter side, it is kept between these lengths; networks begin at eight pixels.
SMALLEST, NATIVE_LIMIT = 8, 128
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
    scale = max(width / image.width, height / image.height)
    # Rounding may carry the box a hair outside, which Pillow refuses.
    kept_width, kept_height = min(width / scale, image.width), min(height / scale, image.height)
    left, top = (image.width - kept_width) / 2, (image.height - kept_height) / 2
    box = (left, top, min(left + kept_width, image.width), min(top + kept_height, image.height))
    return image.resize((width, height), Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
