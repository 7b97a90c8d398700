"""Facts about gathering files into a table."""

import numpy as np
import pytest

from epochal.data.catalogue import catalogue
from epochal.data.chunk import Way, decode_chunk
from epochal.data.columns import Columns
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
