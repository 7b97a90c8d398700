"""Made-up tables are what a scan of such files would give."""

import numpy as np

from epochal.checks.specimens import Specimen, many, table_of


def test_files_with_one_picture_are_duplicates() -> None:
    """Equal pictures have equal pixel hashes, and by default every file has its own."""
    table = table_of([Specimen(key="a", picture="sun"), Specimen(key="b", picture="sun"), Specimen(key="c")])
    assert np.array_equal(table.pixel_hashes[0], table.pixel_hashes[1])
    assert not np.array_equal(table.pixel_hashes[0], table.pixel_hashes[2])


def test_many_are_healthy_and_dealt_evenly() -> None:
    """All can be used, all differ, and every class has its share."""
    table = table_of(many(9, classes=3), classes=("a", "b", "c"))
    assert table.usable.all()
    assert table.counts("train") == {"a": 3, "b": 3, "c": 3}
    assert len({each.pixel_hash for each in table}) == 9


def test_a_constant_file_has_no_range() -> None:
    """Without spread the lowest and the highest value are the mean."""
    row = Specimen(key="a", mean=(0.0, 0.5, 1.0), std=(0, 0, 0)).sample()
    assert row.low == row.high == (0, 128, 255)
