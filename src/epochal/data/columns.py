"""Gathering what was found in each file into the columns of a table."""

import dataclasses

import numpy as np
from jaxtyping import Float32

from epochal.data.chunk import Chunk, Found, Spread, Way
from epochal.data.contents import Catalogue
from epochal.data.table import SPLITS, SampleTable


class Columns:
    """Takes chunks in order and makes the table at the end.

    >>> from epochal.data.catalogue import catalogue
    >>> from epochal.data.sources import open_source
    >>> Columns(catalogue(open_source("digits")), way=Way(size=(8, 8), channels=1, pixel_limit=64)).filled
    0
    """

    def __init__(self, pictures: Catalogue, *, way: Way) -> None:
        """Expect the files of `pictures`, in their order."""
        self._pictures = pictures
        self._way = way
        self._chunks: list[Chunk] = []
        self._found: list[Found] = []
        self._spread: list[Spread] = []
        self._shares: list[Float32[np.ndarray, "m k"]] = []

    @property
    def filled(self) -> int:
        """How many files have come in."""
        return len(self._found)

    def take(self, chunk: Chunk) -> None:
        """Add the next files; their pixels are not kept."""
        assert chunk.start == self.filled
        self._found.extend(chunk.found)
        self._spread.append(chunk.spread)
        if chunk.shares is not None:
            self._shares.append(chunk.shares)

    def table(self) -> SampleTable:
        """Make the table of all that came in; what the catalogue knows besides is laid over it by `with_targets`."""
        pictures, found = self._pictures, self._found
        headers = [one.header for one in found]
        empty = np.zeros((0, self._way.channels))
        return SampleTable(
            classes=pictures.classes,
            size=self._way.size,
            keys=tuple(entry.key for entry in pictures.entries),
            split_codes=np.asarray([SPLITS.index(split) for split in pictures.splits], dtype=np.int8),
            labels=np.asarray(pictures.labels, dtype=np.int64),
            widths=np.asarray([header.width if header else 0 for header in headers], dtype=np.int32),
            heights=np.asarray([header.height if header else 0 for header in headers], dtype=np.int32),
            modes=tuple(header.mode if header else "" for header in headers),
            formats=tuple(header.format if header else "" for header in headers),
            file_bytes=np.asarray([one.file_bytes for one in found], dtype=np.int64),
            content_hashes=_hashes([one.content_hash for one in found]),
            pixel_hashes=_hashes([one.pixel_hash for one in found]),
            means=np.concatenate([empty, *(chunk.means for chunk in self._spread)]),
            stds=np.concatenate([empty, *(chunk.stds for chunk in self._spread)]),
            lows=np.concatenate([empty.astype(np.uint8), *(chunk.lows for chunk in self._spread)]),
            highs=np.concatenate([empty.astype(np.uint8), *(chunk.highs for chunk in self._spread)]),
            problems={row: one.problem for row, one in enumerate(found) if one.problem is not None},
            notes={row: one.notes for row, one in enumerate(found) if one.notes},
            kind=pictures.kind,
            values=np.concatenate(self._shares) if self._shares else None,
        )


def with_targets(table: SampleTable, pictures: Catalogue) -> SampleTable:
    """Lay what the catalogue says over a table of the same files: classes, values, splits, problems and remarks.

    So a cache of decoded files holds nothing that a corrected row of a table of targets would make wrong.

    >>> from epochal.data.catalogue import catalogue
    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> digits = catalogue(open_source("digits"))
    >>> table = scan(digits, cache=False).table
    >>> with_targets(table, digits).labels is not table.labels
    True
    """
    rows = range(len(table))
    notes = {row: (*pictures.notes.get(row, ()), *table.notes.get(row, ())) for row in rows}
    return dataclasses.replace(
        table,
        classes=pictures.classes,
        split_codes=np.asarray([SPLITS.index(split) for split in pictures.splits], dtype=np.int8),
        labels=np.asarray(pictures.labels, dtype=np.int64),
        kind=pictures.kind,
        columns=pictures.columns,
        values=table.values if pictures.targets is None else pictures.targets,
        problems={row: problem for row in rows if (problem := pictures.problems.get(row) or table.problems.get(row))},
        notes={row: told for row, told in notes.items() if told},
    )


def _hashes(hashes: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(hashes), dtype=np.uint8).reshape(-1, 16)
