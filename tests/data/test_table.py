"""Facts about the table of samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.table import SPLITS, Sample, SampleTable
from samples import one, samples


@given(st.lists(samples(3), max_size=6))
def test_rows_come_back(rows: list[Sample]) -> None:
    """A table made of samples gives those samples, forwards, by number and from the end."""
    table = SampleTable.of(rows, classes=("a", "b", "c"))
    assert list(table) == rows == list(table.rows)
    if rows:
        assert table[-1] == rows[-1]
    with pytest.raises(IndexError):
        table[len(rows)]


def test_counts_and_index_leave_problems_out() -> None:
    """A file that could not be decoded is neither counted nor indexed; a class without files counts none."""
    table = SampleTable.of(
        [one(), one(label=1, split="val"), one(problem="empty: x"), one(label=1)], classes=("cat", "dog", "emu")
    )
    assert table.counts() == {"cat": 1, "dog": 2, "emu": 0}
    assert table.counts("train") == {"cat": 1, "dog": 1, "emu": 0}
    assert table.index().tolist() == [0, 1, 3]
    assert table.index("val").tolist() == [1]
    assert table.usable.tolist() == [True, True, False, True]


def test_select_keeps_rows_whole() -> None:
    """Chosen rows keep their problems and notes under their new numbers."""
    table = SampleTable.of([one(), one(key="b", problem="empty: x"), one(key="c", notes=("n: 1",))], classes=("cat",))
    chosen = table.select([2, 1])
    assert list(chosen) == [table[2], table[1]]
    assert chosen.problems == {1: "empty: x"}


def test_with_splits_changes_nothing_else() -> None:
    """Other splits leave the first table as it was."""
    table = SampleTable.of([one(), one(key="b")], classes=("cat",))
    moved = table.with_splits(np.array([SPLITS.index("val"), SPLITS.index("test")]))
    assert [row.split for row in moved] == ["val", "test"]
    assert [row.split for row in table] == ["train", "train"]


def test_values_travel_with_their_rows() -> None:
    """Values come back with each sample, move with chosen rows, and are counted as the kind of the table says."""
    rows = [one(label=-1, values=(1.0, 0.0)), one(label=0, values=(1.0, 1.0)), one(label=-1, values=(0.0, 0.0))]
    table = SampleTable.of(rows, classes=("cat", "dog"), kind="multi-label")
    assert list(table) == rows
    assert table.names == ("cat", "dog")
    assert table.counts() == {"cat": 2, "dog": 1}
    assert table.select([1]).counts() == {"cat": 1, "dog": 1}
    assert table.select([2, 1])[1] == rows[1]


def test_measurements_are_counted_by_stratum() -> None:
    """Of measurements the strata are counted, by which they are dealt to splits."""
    rows = [one(label=0, values=(0.5,)), one(label=1, values=(7.5,)), one(label=1, values=(8.5,))]
    table = SampleTable.of(rows, classes=("0 to 1", "7 to 9"), kind="regression", columns=("angle",))
    assert table.names == ("angle",)
    assert table.counts() == {"0 to 1": 1, "7 to 9": 2}
    assert table.values is not None
    assert table.values.dtype == np.float32
    assert SampleTable.of([], classes=(), kind="regression", columns=("angle",)).counts() == {}
