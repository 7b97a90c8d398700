"""The three splits as they are handed out for training, and the seal on the last."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped, UInt8

from epochal.data.table import SPLITS, SampleTable
from epochal.data.withheld import Labels, withheld


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """What the loader needs of a split: the array of all images, the labels of all rows, and the rows that count.

    Labels are classes, rows of values, or masks; those of a sealed split are -1, NaN or 255 here.

    Shapes: labels (all,), (all, k) or (all, h, w); row i belongs to image i.

    >>> Samples(images=np.zeros((3, 2, 2, 1), np.uint8), labels=np.array([0, -1, 1]), index=np.array([0, 2])).targets
    array([0, 1])
    """

    images: UInt8[np.ndarray, "all h w c"]
    labels: Labels
    index: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def targets(self) -> Shaped[np.ndarray, "n ..."]:
        """The label of each row of this split, as a copy: of masks, better take a batch at a time."""
        targets: Shaped[np.ndarray, "n ..."] = self.labels[self.index]
        return targets


class SealedSplit:
    """A split that tells its size and nothing else until it is opened; each opening is counted and told.

    >>> told = []
    >>> inside = Samples(images=np.zeros((1, 2, 2, 1), np.uint8), labels=np.array([1]), index=np.array([0]))
    >>> sealed = SealedSplit(inside, on_open=lambda count, reason: told.append((count, reason)))
    >>> len(sealed), sealed.openings
    (1, 0)
    >>> sealed.open("the final score").targets, told
    (array([1]), [(1, 'the final score')])
    """

    __slots__ = ("__inside", "__on_open", "__openings")

    def __init__(self, inside: Samples, *, on_open: Callable[[int, str], None] | None = None) -> None:
        """Seal `inside`; `on_open(count, reason)` is called at each opening, before anything is handed out."""
        self.__inside = inside
        self.__on_open = on_open
        self.__openings = 0

    def __len__(self) -> int:
        return len(self.__inside)

    @property
    def openings(self) -> int:
        """How often this split was opened."""
        return self.__openings

    def open(self, reason: str) -> Samples:
        """Hand out the samples; the callback is told first, so that an opening cannot go unrecorded."""
        self.__openings += 1
        if self.__on_open is not None:
            self.__on_open(self.__openings, reason)
        return self.__inside


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Splits:
    """The three parts of a data set; the last is sealed."""

    train: Samples
    val: Samples
    test: SealedSplit


def divide(
    table: SampleTable,
    images: UInt8[np.ndarray, "all h w c"],
    *,
    targets: Shaped[np.ndarray, "all ..."] | None = None,
    on_open: Callable[[int, str], None] | None = None,
) -> Splits:
    """Hand out the splits of a table for training, with the labels of the test split blotted out until it is opened.

    `targets` are the labels of all rows (`Scan.targets`); without them, the classes in the table.

    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> from epochal.data.split import assign_splits
    >>> digits = scan(open_source("digits"), cache=False)
    >>> splits = divide(assign_splits(digits.table, seed=0), digits.images.array)
    >>> len(splits.train), len(splits.test), int(splits.train.labels.min())
    (1439, 179, -1)
    """
    labels = table.labels if targets is None else targets
    hidden = withheld(labels, np.flatnonzero(table.split_codes == SPLITS.index("test")))
    return Splits(
        train=Samples(images=images, labels=hidden, index=table.index("train")),
        val=Samples(images=images, labels=hidden, index=table.index("val")),
        test=SealedSplit(Samples(images=images, labels=labels, index=table.index("test")), on_open=on_open),
    )
