"""The table of samples: one row for each picture file, held in columns."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, UInt8

from epochal.data.choosing import Kind

SPLITS = ("", "train", "val", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One picture file and what was measured when it was decoded.

    `label` is -1 without a class; `values` are measurements, marks of labels, or the share of the picture that each
    class of its mask takes, as the kind of the table says. Mean, standard deviation, lowest and highest value of each
    channel are those of the picture as the network will see it (working size, before augmentation): the first two on a
    scale from 0 to 1, the others from 0 to 255. Hashes are BLAKE2b in hexadecimal: of the file's bytes, and of the
    decoded pixels. `problem` says why a file was left out, as `kind: text`; `notes` are remarks on files that were
    kept, of the same form (kinds in `epochal.data.decode.Decoded`).
    """

    key: str
    split: str
    label: int
    width: int
    height: int
    mode: str
    format: str
    file_bytes: int
    content_hash: str
    pixel_hash: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]
    problem: str | None
    notes: tuple[str, ...]
    values: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleTable(Sequence[Sample]):
    """Rows are `Sample`s, in the order of their keys; row i belongs to image i of the array.

    `size` is the height and width of the pictures in that array, after shrinking. `kind` is the task; `labels` are the
    classes of classification and elsewhere strata, of which `classes` are the names (`epochal.data.contents`).
    `values` has a column for each of `names`: measurements, marks, or shares of the pixels; None for classification.

    Shapes: n samples, c channels; hashes are 16 bytes; values (n, k).

    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> table = scan(open_source("digits"), cache=False).table
    >>> len(table), table[0].key, table[0].width, table.classes[table[-1].label]
    (1797, '0/0000.pgm', 8, '9')
    """

    classes: tuple[str, ...]
    keys: tuple[str, ...]
    split_codes: Int[np.ndarray, " n"]
    labels: Int[np.ndarray, " n"]
    widths: Int[np.ndarray, " n"]
    heights: Int[np.ndarray, " n"]
    modes: tuple[str, ...]
    formats: tuple[str, ...]
    file_bytes: Int[np.ndarray, " n"]
    content_hashes: UInt8[np.ndarray, "n 16"]
    pixel_hashes: UInt8[np.ndarray, "n 16"]
    size: tuple[int, int]
    means: Float64[np.ndarray, "n c"]
    stds: Float64[np.ndarray, "n c"]
    lows: UInt8[np.ndarray, "n c"]
    highs: UInt8[np.ndarray, "n c"]
    problems: Mapping[int, str]
    notes: Mapping[int, tuple[str, ...]]
    kind: Kind = "classification"
    columns: tuple[str, ...] = ()
    values: Float32[np.ndarray, "n k"] | None = None

    @classmethod
    def of(
        cls,
        samples: Sequence[Sample],
        *,
        classes: tuple[str, ...],
        size: tuple[int, int] = (0, 0),
        kind: Kind = "classification",
        columns: tuple[str, ...] = (),
    ) -> "SampleTable":
        """Make a table of samples given one by one.

        >>> SampleTable.of([], classes=("cat", "dog")).counts()
        {'cat': 0, 'dog': 0}
        """
        arrays: dict[str, Any] = {
            "split_codes": [SPLITS.index(sample.split) for sample in samples],
            "labels": [sample.label for sample in samples],
            "widths": [sample.width for sample in samples],
            "heights": [sample.height for sample in samples],
            "file_bytes": [sample.file_bytes for sample in samples],
            "content_hashes": [list(bytes.fromhex(sample.content_hash)) for sample in samples],
            "pixel_hashes": [list(bytes.fromhex(sample.pixel_hash)) for sample in samples],
            "means": [sample.mean for sample in samples],
            "stds": [sample.std for sample in samples],
            "lows": [sample.low for sample in samples],
            "highs": [sample.high for sample in samples],
        }
        return cls(
            classes=classes,
            size=size,
            keys=tuple(sample.key for sample in samples),
            modes=tuple(sample.mode for sample in samples),
            formats=tuple(sample.format for sample in samples),
            problems={row: sample.problem for row, sample in enumerate(samples) if sample.problem is not None},
            notes={row: sample.notes for row, sample in enumerate(samples) if sample.notes},
            kind=kind,
            columns=columns,
            values=_values(samples, kind=kind),
            **{name: np.asarray(column, dtype=ARRAYS[name]) for name, column in arrays.items()},
        )

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, row: int) -> Sample:  # type: ignore[override]  # rows one at a time; `select` for many
        at = range(len(self))[row]
        return Sample(
            key=self.keys[at],
            split=SPLITS[self.split_codes[at]],
            label=int(self.labels[at]),
            width=int(self.widths[at]),
            height=int(self.heights[at]),
            mode=self.modes[at],
            format=self.formats[at],
            file_bytes=int(self.file_bytes[at]),
            content_hash=self.content_hashes[at].tobytes().hex(),
            pixel_hash=self.pixel_hashes[at].tobytes().hex(),
            mean=tuple(self.means[at].tolist()),
            std=tuple(self.stds[at].tolist()),
            low=tuple(self.lows[at].tolist()),
            high=tuple(self.highs[at].tolist()),
            problem=self.problems.get(at),
            notes=self.notes.get(at, ()),
            values=() if self.values is None else tuple(self.values[at].tolist()),
        )

    def __iter__(self) -> Iterator[Sample]:
        return (self[row] for row in range(len(self)))

    @property
    def rows(self) -> Sequence[Sample]:
        """The table as a sequence of samples, each made when asked for."""
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Classes, labels, or the columns of measurements."""
        return self.columns if self.kind == "regression" else self.classes

    @property
    def usable(self) -> Bool[np.ndarray, " n"]:
        """True for each row whose picture could be decoded."""
        usable = np.ones(len(self), dtype=bool)
        usable[list(self.problems)] = False
        return usable

    def index(self, split: str | None = None) -> Int[np.ndarray, " rows"]:  # type: ignore[override]  # not a search
        """Rows that can be used, of one split, or of all with None.

        >>> from epochal.data.scan import scan
        >>> from epochal.data.sources import open_source
        >>> len(scan(open_source("digits"), cache=False).table.index("train"))
        0
        """
        usable = self.usable
        return np.flatnonzero(usable if split is None else usable & (self.split_codes == SPLITS.index(split)))

    def counts(self, split: str | None = None) -> dict[str, int]:
        """Usable samples of each class, also of those without any.

        A sample counts for each label that it has, and for each class that its mask shows.
        """
        if self.values is not None and self.kind != "regression":
            shown = (self.values[self.index(split)] > 0).sum(axis=0)
            return dict(zip(self.classes, shown.tolist(), strict=True))
        labels = self.labels[self.index(split)]
        counts = np.bincount(labels[labels >= 0], minlength=len(self.classes))
        return dict(zip(self.classes, counts.tolist(), strict=True))

    def with_splits(self, codes: Int[np.ndarray, " n"]) -> "SampleTable":
        """Give the same table with other splits; codes count `SPLITS`."""
        return dataclasses.replace(self, split_codes=np.asarray(codes, dtype=np.int8))

    def select(self, rows: Int[np.ndarray, " rows"] | Sequence[int]) -> "SampleTable":
        """Take some rows, in the order given, as a table of its own.

        >>> from epochal.data.scan import scan
        >>> from epochal.data.sources import open_source
        >>> [sample.key for sample in scan(open_source("digits"), cache=False).table.select([3, 1])]
        ['0/0030.pgm', '0/0010.pgm']
        """
        chosen = np.asarray(rows, dtype=np.int64)
        at = chosen.tolist()
        arrays = {name: getattr(self, name)[chosen] for name in ARRAYS}
        return SampleTable(
            classes=self.classes,
            size=self.size,
            keys=tuple(self.keys[row] for row in at),
            modes=tuple(self.modes[row] for row in at),
            formats=tuple(self.formats[row] for row in at),
            problems={new: self.problems[old] for new, old in enumerate(at) if old in self.problems},
            notes={new: self.notes[old] for new, old in enumerate(at) if old in self.notes},
            kind=self.kind,
            columns=self.columns,
            values=None if self.values is None else self.values[chosen],
            **arrays,
        )


def _values(samples: Sequence[Sample], *, kind: Kind) -> Float32[np.ndarray, "n k"] | None:
    if kind == "classification":
        return None
    width = len(samples[0].values) if samples else 0
    return np.asarray([sample.values for sample in samples], dtype=np.float32).reshape(len(samples), width)


# Columns that are arrays, with the type in which they are kept.
ARRAYS = {
    "split_codes": np.int8,
    "labels": np.int64,
    "widths": np.int32,
    "heights": np.int32,
    "file_bytes": np.int64,
    "content_hashes": np.uint8,
    "pixel_hashes": np.uint8,
    "means": np.float64,
    "stds": np.float64,
    "lows": np.uint8,
    "highs": np.uint8,
}
