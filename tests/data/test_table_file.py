"""Facts about tables of samples in files."""

import csv
import math
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.choosing import Kind
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


VALUED: list[tuple[Kind, tuple[str, ...], tuple[str, ...]]] = [
    ("regression", ("0 to 1", "1 to 2"), ("angle", "width")),
    ("multi-label", ("b", "a.b"), ()),
    ("segmentation", ("sky", "road"), ()),
]


def valued(kind: Kind, classes: tuple[str, ...], columns: tuple[str, ...]) -> SampleTable:
    """Two rows with two values each."""
    values = [(1.0, 0.0), (1.0, 1.0)] if kind == "multi-label" else [(0.1, -7.5e-9), (3.0, 1e20)]
    exact = [tuple(float(np.float32(value)) for value in row) for row in values]
    rows = [one(key=f"{at}.png", label=at, values=row) for at, row in enumerate(exact)]
    return SampleTable.of(rows, classes=classes, kind=kind, columns=columns)


@pytest.mark.parametrize(("kind", "classes", "columns"), VALUED)
def test_values_round_trip(tmp_path: Path, kind: Kind, classes: tuple[str, ...], columns: tuple[str, ...]) -> None:
    """Values, marks and shares return exactly from bytes and from CSV, with their names and the kind."""
    table = valued(kind, classes, columns)
    to_csv(table, tmp_path / "t.csv")
    for again in (from_bytes(to_bytes(table)), read_csv(tmp_path / "t.csv")):
        assert list(again) == list(table)
        assert (again.kind, again.names, again.classes) == (kind, table.names, classes)


def test_a_reader_sees_values_by_name(tmp_path: Path) -> None:
    """Each value has a column of its own; of labels there is a list as well."""
    lines = {}
    for kind, classes, columns in VALUED:
        to_csv(valued(kind, classes, columns), tmp_path / "t.csv")
        with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
            lines[kind] = list(csv.DictReader(file))[1]
    assert (lines["regression"]["value.angle"], lines["regression"]["class"]) == ("3", "1 to 2")
    assert (lines["multi-label"]["labels"], lines["multi-label"]["label.a.b"]) == ("b;a.b", "1")
    assert lines["segmentation"]["share.sky"] == "3"
    assert "values" not in lines["regression"]


def test_classes_have_no_further_columns(tmp_path: Path) -> None:
    """The table of classification is what it always was."""
    to_csv(SampleTable.of([one()], classes=("cat",)), tmp_path / "t.csv")
    header = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == (
        "key,split,class,label,width,height,mode,format,file_bytes,content_hash,pixel_hash,mean,std,low,high,problem,notes"
    )


def test_parquet_holds_values_by_name(tmp_path: Path) -> None:
    """In Parquet, too, each value has its column."""
    to_parquet(valued(*VALUED[0]), tmp_path / "t.parquet")
    first, _ = pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert first["value.angle"] == pytest.approx(0.1)
    assert "values" not in first
