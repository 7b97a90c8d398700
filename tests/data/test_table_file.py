"""Facts about tables of samples in files."""

import csv
import math
import tempfile
from pathlib import Path

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.table import SampleTable
from epochal.data.table_file import from_bytes, read_csv, to_bytes, to_csv, to_parquet
from epochal.errors import DataError
from samples import one, samples

tables = st.lists(samples(2), max_size=6).map(lambda rows: SampleTable.of(rows, classes=("cat", "dog"), size=(8, 8)))


@given(tables)
def test_bytes_round_trip(table: SampleTable) -> None:
    """The packed form keeps everything."""
    again = from_bytes(to_bytes(table))
    assert list(again) == list(table)
    assert (again.classes, again.size) == (table.classes, table.size)


@given(tables.filter(lambda table: {"cat", "dog"} == {table.classes[row.label] for row in table if row.label >= 0}))
def test_csv_round_trip(table: SampleTable) -> None:
    """What is written as CSV is read back exactly, floats to the last bit."""
    with tempfile.TemporaryDirectory() as top:
        path = Path(top) / "samples.csv"
        to_csv(table, path)
        again = read_csv(path)
    assert list(again) == list(table)
    assert again.classes == table.classes


def test_csv_names_the_class(tmp_path: Path) -> None:
    """A reader of the CSV sees the class by name, also where a name needs quoting or cannot be encoded."""
    table = SampleTable.of([one(key="a,\udce9.png")], classes=('the "cat"',))
    to_csv(table, tmp_path / "samples.csv")
    with (tmp_path / "samples.csv").open(encoding="utf-8", newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["key"], line["class"], line["problem"]) == ("a,\\udce9.png", 'the "cat"', "")


def test_foreign_csv_is_refused(tmp_path: Path) -> None:
    """A CSV with other columns, or with nonsense in one, is refused by name."""
    path = tmp_path / "samples.csv"
    path.write_text("file,value\na.png,3\n", encoding="utf-8")
    with pytest.raises(DataError, match="columns file, value"):
        read_csv(path)
    to_csv(SampleTable.of([one()], classes=("cat",)), path)
    path.write_text(path.read_text(encoding="utf-8").replace(",4,5,", ",four,5,"), encoding="utf-8")
    with pytest.raises(DataError, match="four"):
        read_csv(path)


def test_parquet_by_its_own_reader(tmp_path: Path) -> None:
    """Parquet holds the same values, seen with pyarrow."""
    table = SampleTable.of([one(), one(key="b", label=-1, problem="empty: x")], classes=("cat",))
    to_parquet(table, tmp_path / "samples.parquet")
    first, second = pyarrow.parquet.read_table(tmp_path / "samples.parquet").to_pylist()
    assert (first["key"], first["class"], first["width"]) == ("cat/1.png", "cat", 4)
    assert math.isclose(first["mean"][1], 0.2)
    assert (second["class"], second["problem"]) == (None, "empty: x")
