"""The handwritten digits that come with the package, so that a first run needs no download.

1,797 grey pictures of 8 by 8 pixels: the test part of "Optical Recognition of Handwritten Digits", E. Alpaydin and
C. Kaynak, 1998, UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, under CC BY 4.0
(https://creativecommons.org/licenses/by/4.0/); the copy that scikit-learn bundles. Changed: the counts 0 to 16 are kept
as they are and scaled to 0 to 255 when read. `benchmarks/embed_digits.py` made `digits.npz`.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources

import numpy as np
from jaxtyping import UInt8

from epochal.data.entries import Entry

# Each pixel counts the dark ones among 4 x 4 of the original scan.
HIGHEST_COUNT = 16


@dataclass(frozen=True, kw_only=True)
class Digits:
    r"""The built-in digits as a `Source`: keys such as `7/0042.pgm`, each a whole small picture file.

    >>> digits = Digits()
    >>> len(digits.entries()), digits.entries()[0].key, digits.read(digits.entries()[0])[:11]
    (1797, '0/0000.pgm', b'P5 8 8 255\n')
    """

    name: str = "digits"
    where: str = "digits"

    def entries(self) -> Sequence[Entry]:
        """All 1,797 pictures, sorted by key."""
        return [Entry(key=key, size=len(data), stamp=zlib.crc32(data)) for key, data in sorted(self._files.items())]

    def read(self, entry: Entry) -> bytes:
        """One picture as a PGM file."""
        return self._files[entry.key]

    def peek(self, entry: Entry, count: int) -> bytes:
        """The same: the files are small."""
        return self._files[entry.key][:count]

    @cached_property
    def _files(self) -> dict[str, bytes]:
        images, labels = load_digits()
        height, width = images.shape[1:]
        start = f"P5 {width} {height} 255\n".encode()
        scaled = np.rint(images * (255 / HIGHEST_COUNT)).astype(np.uint8)
        return {
            f"{label}/{number:04d}.pgm": start + image.tobytes()
            for number, (label, image) in enumerate(zip(labels.tolist(), scaled, strict=True))
        }


def load_digits() -> tuple[UInt8[np.ndarray, "n 8 8"], UInt8[np.ndarray, " n"]]:
    """Read the embedded arrays: counts from 0 to 16, and the digit that each picture shows.

    >>> images, labels = load_digits()
    >>> images.shape, int(images.max()), labels[:5].tolist()
    ((1797, 8, 8), 16, [0, 1, 2, 3, 4])
    """
    with resources.files(__package__).joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        return arrays["images"], arrays["labels"]
