"""Small made-up tables of samples: the cases on which the rules about data are proven."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epochal.data.table import SPLITS, SampleTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """One made-up file; `picture` names its pixels, so two files with the same picture are duplicates.

    Left empty, the picture is the key: every file has its own.
    """

    key: str
    label: int = 0
    split: str = "train"
    picture: str = ""
    side: tuple[int, int] = (32, 32)
    mode: str = "RGB"
    format: str = "JPEG"
    mean: tuple[float, ...] = (0.4, 0.5, 0.6)
    std: tuple[float, ...] = (0.2, 0.2, 0.2)
    problem: str | None = None
    notes: tuple[str, ...] = ()


def table_of(specimens: Sequence[Specimen], *, classes: Sequence[str] = ("cat", "dog")) -> SampleTable:
    """The table that a scan of such files would give.

    >>> table_of([Specimen(key="a.jpg"), Specimen(key="b.jpg", problem="empty: no bytes")]).usable.tolist()
    [True, False]
    """
    hashes = [_hashed(each.picture or each.key) for each in specimens]
    return SampleTable(
        classes=tuple(classes),
        keys=tuple(each.key for each in specimens),
        split_codes=np.array([SPLITS.index(each.split) for each in specimens], dtype=np.int8),
        labels=np.array([each.label for each in specimens], dtype=np.int64),
        widths=np.array([each.side[0] for each in specimens], dtype=np.int32),
        heights=np.array([each.side[1] for each in specimens], dtype=np.int32),
        modes=tuple(each.mode for each in specimens),
        formats=tuple(each.format for each in specimens),
        file_bytes=np.full(len(specimens), 1000, dtype=np.int64),
        content_hashes=np.array(hashes, dtype=np.uint8).reshape(-1, 16),
        pixel_hashes=np.array(hashes, dtype=np.uint8).reshape(-1, 16),
        means=np.array([each.mean for each in specimens], dtype=np.float64),
        stds=np.array([each.std for each in specimens], dtype=np.float64),
        problems={row: each.problem for row, each in enumerate(specimens) if each.problem is not None},
        notes={row: each.notes for row, each in enumerate(specimens) if each.notes},
    )


def many(count: int, *, classes: int = 2, split: str = "train") -> list[Specimen]:
    """So many different healthy files, dealt evenly over the classes.

    >>> [each.label for each in many(4)]
    [0, 1, 0, 1]
    """
    return [
        Specimen(key=f"{split}/{row % classes}/{row}.jpg", label=row % classes, split=split) for row in range(count)
    ]


def _hashed(name: str) -> list[int]:
    return list(hashlib.blake2b(name.encode(), digest_size=16).digest())
