"""Facts about gathering files into a table."""

import dataclasses

import numpy as np
import pytest

from epochal.data.catalogue import catalogue
from epochal.data.chunk import Way, decode_chunk
from epochal.data.columns import Columns, with_targets
from epochal.data.scan import scan
from epochal.data.sources import open_source

WAY = Way(size=(8, 8), channels=1, pixel_limit=1000)


@pytest.mark.parametrize("step", [700, 1797])
def test_chunks_make_the_table_of_a_scan(step: int) -> None:
    """However the files are cut into chunks, the table is the one that a scan gives."""
    pictures = catalogue(open_source("digits"))
    columns = Columns(pictures, way=WAY)
    for start in range(0, len(pictures.entries), step):
        part = pictures.entries[start : start + step]
        columns.take(decode_chunk(pictures.source, part, start=start, way=WAY))
        assert columns.filled == start + len(part)
    made, wanted = columns.table(), scan(open_source("digits"), cache=False).table
    assert made.keys == wanted.keys
    np.testing.assert_array_equal(made.pixel_hashes, wanted.pixel_hashes)
    np.testing.assert_array_equal(made.means, wanted.means)


def test_chunks_come_in_order() -> None:
    """A chunk out of its place would give rows to the wrong files: that is asserted, not repaired."""
    pictures = catalogue(open_source("digits"))
    later = decode_chunk(pictures.source, pictures.entries[5:9], start=5, way=WAY)
    with pytest.raises(AssertionError):
        Columns(pictures, way=WAY).take(later)


def test_what_the_catalogue_says_is_laid_over() -> None:
    """Targets, splits, problems and remarks of the catalogue join what was found in the files; nothing is lost."""
    pictures = catalogue(open_source("digits")).select(range(4))
    table = scan(pictures, cache=False).table
    table = dataclasses.replace(table, problems={1: "empty: x"}, notes={2: ("n: 1",)})
    values = np.arange(4, dtype=np.float32)[:, None]
    over = dataclasses.replace(
        pictures, kind="regression", columns=("x",), targets=values, classes=("low", "high"), labels=(0, 0, 1, 1),
        splits=("test", "", "", "train"), problems={3: "bad-target: y"}, notes={2: ("named-twice: z",)},
    )  # fmt: skip
    found = with_targets(table, over)
    assert (found.kind, found.names, found.classes) == ("regression", ("x",), ("low", "high"))
    assert found.values is values
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert [row.split for row in found] == ["test", "", "", "train"]
    assert found.problems == {1: "empty: x", 3: "bad-target: y"}
    assert found.notes == {2: ("named-twice: z", "n: 1")}
    np.testing.assert_array_equal(found.pixel_hashes, table.pixel_hashes)
