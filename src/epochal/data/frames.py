"""Whether files that follow each other by name are frames of one film, measured on the pictures."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int, UInt8

from epochal.data.order import mix
from epochal.data.runs import natural
from epochal.data.table import SPLITS, SampleTable

# Neighbours are frames of a film when their distance is below this share of the distance of two pictures drawn from the
# same folder: CamVid, one frame a second, measures 0.40; CIFAR-10 0.98, needle 0.93, and digits, in which one writer
# follows another, 0.73 (benchmarks/healthy/frames.md). Half-way between film and digits, as ratios go.
FRAMES_BELOW = 0.55
# Pairs that are looked at, how many others each is compared with, and below how many pairs nothing is said.
PAIRS, DRAWS, FEWEST = 500, 3, 20
# Side of the thumbnails that are compared.
SIDE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """How alike neighbours by name are: the ratio of median distances, neighbours against pictures of one folder.

    >>> Neighbours(ratio=0.4, pairs=366).frames, Neighbours(ratio=1.0, pairs=500).frames
    (True, False)
    """

    ratio: float
    pairs: int

    @property
    def frames(self) -> bool:
        """Whether they are frames of a film, which a random split would tear apart."""
        return self.pairs >= FEWEST and self.ratio < FRAMES_BELOW

    def sentence(self) -> str:
        """What was measured, for the journal.

        >>> Neighbours(ratio=0.4, pairs=366).sentence()
        'files that follow each other by name are 0.40 times as far apart as any two of a folder (366 pairs)'
        """
        return (
            f"files that follow each other by name are {self.ratio:.2f} times as far apart as any two of a folder"
            f" ({self.pairs:,} pairs)"
        )


def neighbours(table: SampleTable, images: UInt8[np.ndarray, "n h w c"]) -> Neighbours:
    """Measure it on up to 500 pairs from the files that splits are carved from; exact copies are left out.

    Distances are those of thumbnails of 8 x 8 grey values, each brought to mean 0 and deviation 1.

    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> digits = scan(open_source("digits"), cache=False)
    >>> neighbours(digits.table, digits.images.array).frames
    False
    """
    pool = np.flatnonzero(table.usable & (table.split_codes <= SPLITS.index("train")))
    order = np.asarray(sorted(pool.tolist(), key=lambda row: natural(table.keys[row])), dtype=np.int64)
    folders = np.unique([table.keys[row].rpartition("/")[0] for row in order.tolist()], return_inverse=True)[1]
    at = np.flatnonzero(folders[:-1] == folders[1:])
    at = at[_differ(table.pixel_hashes[order[at]], table.pixel_hashes[order[at + 1]])]
    if len(at) < FEWEST:
        return Neighbours(ratio=1.0, pairs=len(at))
    at = np.sort(at[np.argsort(mix(at.astype(np.uint64)), kind="stable")[:PAIRS]])
    first, second = (thumbnails(images, order[rows]) for rows in (at, at + 1))
    near = float(np.median(_distances(first, second)))
    distances = []
    for draw in range(DRAWS):
        others = _drawn(folders, at, draw=draw)
        apart = _differ(table.pixel_hashes[order[at]], table.pixel_hashes[order[others]])
        distances.append(_distances(first, thumbnails(images, order[others]))[apart])
    far = float(np.median(np.concatenate(distances))) if any(map(len, distances)) else 0.0
    return Neighbours(ratio=near / far if far > 0 else 1.0, pairs=len(at))


def _differ(ones: UInt8[np.ndarray, "p 16"], others: UInt8[np.ndarray, "p 16"]) -> Bool[np.ndarray, " p"]:
    differ: Bool[np.ndarray, " p"] = (ones != others).any(axis=1)
    return differ


def _drawn(folders: Int[np.ndarray, " n"], at: Int[np.ndarray, " p"], *, draw: int) -> Int[np.ndarray, " p"]:
    """For each position another one of its folder, anywhere in it; files of a folder stand together."""
    starts = np.searchsorted(folders, folders[at], side="left")
    sizes = np.searchsorted(folders, folders[at], side="right") - starts
    drawn: Int[np.ndarray, " p"] = starts + (mix(at.astype(np.uint64), draw + 1) % sizes.astype(np.uint64)).astype(
        np.int64
    )
    return drawn


def _distances(ones: Float64[np.ndarray, "p t"], others: Float64[np.ndarray, "p t"]) -> Float64[np.ndarray, " p"]:
    distances: Float64[np.ndarray, " p"] = np.sqrt(((ones - others) ** 2).mean(axis=1))
    return distances


def thumbnails(
    images: UInt8[np.ndarray, "n h w c"], rows: Int[np.ndarray, " m"], *, side: int = SIDE
) -> Float64[np.ndarray, "m t"]:
    """Pictures as a few grey values each, of mean 0 and deviation 1: means over `side` by `side` fields.

    Shapes: t is side squared, less where the pictures are smaller.

    >>> thumbnails(np.zeros((1, 16, 12, 3), np.uint8), np.array([0])).shape
    (1, 64)
    """
    height, width = images.shape[1:3]
    down, across = (np.unique(np.arange(side) * length // side) for length in (height, width))
    small = np.empty((len(rows), len(down) * len(across)))
    for number, row in enumerate(rows.tolist()):  # one at a time: the array may be larger than memory
        grey = images[row].sum(axis=2, dtype=np.float64)
        sums = np.add.reduceat(np.add.reduceat(grey, down, axis=0), across, axis=1)
        areas = np.outer(np.diff(down, append=height), np.diff(across, append=width))
        small[number] = (sums / areas).ravel()
    small -= small.mean(axis=1, keepdims=True)
    deviation = small.std(axis=1, keepdims=True)
    scaled: Float64[np.ndarray, "m t"] = np.divide(small, deviation, out=np.zeros_like(small), where=deviation > 0)
    return scaled
