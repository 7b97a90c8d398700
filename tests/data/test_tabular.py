"""Facts about reading tables of text cells."""

import csv
import io
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.tabular import is_table, parse, without_names
from epochal.errors import DataError, MissingExtra

cell = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=8).map(str.strip).filter(bool)


@given(
    st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(cell, min_size=width, max_size=width), min_size=3)),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_python_writes_is_read(rows: list[list[str]], delimiter: str, encoding: str, ending: str) -> None:
    """Whatever stands in the cells, whatever sets them apart and in whichever UTF: the cells come back."""
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator=ending).writerows(rows)
    found = parse(buffer.getvalue().encode(encoding), name="t.csv")
    assert list(found.columns) == rows[0]
    assert [list(row) for row in zip(*found.cells, strict=True)] == rows[1:]
    assert found.numbers == tuple(range(2, len(rows) + 1))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_without_quotes(delimiter: str) -> None:
    """The sign is known from the lines alone, also where the cells hold other such signs now and then."""
    text = f"file{delimiter}labels\na.png{delimiter}cat dog\nb.png{delimiter}cat\n"
    other = ";" if delimiter != ";" else "|"
    text += f"c.png{delimiter}cat{other}dog{other}emu\n"
    found = parse(text.encode(), name="t.csv")
    assert found.columns == ("file", "labels")
    assert found.cells[1][-1] == f"cat{other}dog{other}emu"


def test_decimal_comma_where_the_comma_sets_nothing_apart() -> None:
    """A table of a German spreadsheet has two columns and a comma in its numbers."""
    found = parse(b"datei;wert\na.png;0,5\nb.png;1,25\n", name="t.csv")
    assert found.cells == (("a.png", "b.png"), ("0,5", "1,25"))
    assert found.decimal == ","
    assert parse(b"file,value\na.png,0.5\n", name="t.csv").decimal == "."


def test_rows_are_counted_as_a_spreadsheet_counts() -> None:
    """Empty lines count, quoted line breaks do not: the number is that of the row in a spreadsheet."""
    found = parse(b'file,value\n\na.png,1\n,\n"b\nc.png",2\n', name="t.csv")
    assert found.cells[0] == ("a.png", "b\nc.png")
    assert found.numbers == (3, 5)


def test_short_and_long_rows() -> None:
    """Missing cells are empty, cells without a name get one after their place, columns of nothing are dropped."""
    found = parse(b"file,value,\na.png\nb.png,2,,x\n", name="t.csv")
    assert found.columns == ("file", "value", "column 4")
    assert found.cells == (("a.png", "b.png"), ("", "2"), ("", "x"))


def test_latin_1_is_named_with_its_line() -> None:
    """A table in another encoding is refused with the byte, the line and how to convert it."""
    with pytest.raises(DataError, match=r"t\.csv is not UTF-8: byte 0xe4 in line 3.*Latin-1") as caught:
        parse("file,value\na.png,1\nbär.png,2\n".encode("latin-1"), name="t.csv")
    assert "iconv" in caught.value.remedy


@pytest.mark.parametrize(("data", "why"), [(b"", "empty"), (b"\n\n", "empty"), (b"file,value\n", "no rows")])
def test_tables_without_rows(data: bytes, why: str) -> None:
    """An empty table, and one of names alone, are refused by name."""
    with pytest.raises(DataError, match=rf"t\.csv cannot be read as a table: it .*{why}"):
        parse(data, name="t.csv")


def test_a_cell_without_end() -> None:
    """A quote that is never closed runs into the limit of a cell, which is told in plain words."""
    with pytest.raises(DataError, match=r"t\.csv cannot be read as a table"):
        parse(b'file,value\n"' + b"x" * 200_000, name="t.csv")


def test_first_line_as_values() -> None:
    """Where the first line holds no names it becomes a row, and columns are called after their place."""
    found = without_names(parse(b"a.png,1\nb.png,2\n", name="t.csv"))
    assert found.columns == ("column 1", "column 2")
    assert found.cells == (("a.png", "b.png"), ("1", "2"))
    assert found.numbers == (1, 2)


def test_parquet_cells_are_text(tmp_path: Path) -> None:
    """Numbers, missing values, truth values and lists of a Parquet file read as a CSV of the same table would."""
    table = pa.table({"file": ["a.png", "b.png"], "value": [0.1, None], "on": [True, False], "tags": [["x", "y"], []]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    found = parse((tmp_path / "t.parquet").read_bytes(), name="t.parquet")
    assert found.columns == ("file", "value", "on", "tags")
    assert found.cells == (("a.png", "b.png"), ("0.1", ""), ("1", "0"), ("x;y", ""))


def test_damaged_parquet() -> None:
    """What is called Parquet and is none is refused by name."""
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as a table"):
        parse(b"PAR1 nonsense", name="t.parquet")


def test_parquet_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the message names it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="pyarrow") as caught:
        parse(b"PAR1", name="t.pq")
    assert "parquet" in caught.value.remedy


def test_names_of_tables() -> None:
    """Tables are known by their ending, however it is written."""
    assert all(is_table(key) for key in ("a/T.CSV", "t.tsv", "t.pq", "t.parquet"))
    assert not any(is_table(key) for key in ("csv", "t.txt", "t.csv.zip"))
