"""Reading a table of text cells from CSV or Parquet, whoever wrote it."""

import csv
import importlib
import io
from collections.abc import Sequence
from dataclasses import dataclass

from epochal.errors import DataError, MissingExtra

ENDINGS = (".csv", ".tsv", ".parquet", ".pq")
# In this order where several cut the lines equally well.
DELIMITERS = (",", ";", "\t", "|")
# Lines, and characters, that are looked at to choose the delimiter.
LOOKED_AT, LOOKED_INTO = 200, 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    r"""A table as text: the name of each column, and its cells as they stand in the file.

    `numbers` says which row of the file each row is, counted as a spreadsheet counts: the line of names is row 1.
    `decimal` is the sign before the fraction: a comma where columns are set apart by another sign.

    >>> sheet = parse(b"file;value\na.png;0,5\n", name="t.csv")
    >>> sheet.columns, sheet.cells, sheet.numbers, sheet.decimal
    (('file', 'value'), (('a.png',), ('0,5',)), (2,), ',')
    """

    name: str
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    decimal: str = "."

    def __len__(self) -> int:
        return len(self.numbers)


def is_table(key: str) -> bool:
    """Tell by its name whether a file is a table.

    >>> is_table("top/Targets.CSV"), is_table("notes.txt")
    (True, False)
    """
    return key.lower().endswith(ENDINGS)


def parse(data: bytes, *, name: str) -> Sheet:
    r"""Read the bytes of a table; `name` tells CSV from Parquet and stands in messages.

    Raises: DataError if it is no text in UTF-8, or no table; MissingExtra for Parquet without pyarrow.

    >>> parse(b'file,"what it is"\r\n"a, b.png",x\r\n', name="t.csv").cells
    (('a, b.png',), ('x',))
    """
    if name.lower().endswith((".parquet", ".pq")):
        return _from_parquet(data, name)
    text = _decoded(data, name)
    delimiter = _delimiter(text)
    try:
        lines = [(number, row) for number, row in enumerate(_rows(text, delimiter), start=1) if any(row)]
    except csv.Error as error:
        raise _broken(name, str(error)) from None
    if len(lines) < 2:
        raise _broken(name, "it has no rows below the names of the columns" if lines else "it is empty")
    return _sheet(lines, name=name, decimal="." if delimiter == "," else ",")


def _sheet(lines: Sequence[tuple[int, list[str]]], *, name: str, decimal: str) -> Sheet:
    names = [cell.strip() for cell in lines[0][1]]
    width = max(len(names), *(len(row) for _, row in lines))
    names += [""] * (width - len(names))
    rows = [row if len(row) == width else row + [""] * (width - len(row)) for _, row in lines[1:]]
    cells = [tuple(map(str.strip, column)) for column in zip(*rows, strict=True)]
    kept = [at for at in range(width) if names[at] or any(cells[at])]
    return Sheet(
        name=name,
        columns=tuple(names[at] or f"column {at + 1}" for at in kept),
        cells=tuple(cells[at] for at in kept),
        numbers=tuple(number for number, _ in lines[1:]),
        decimal=decimal,
    )


def without_names(sheet: Sheet) -> Sheet:
    r"""The same table where the first line holds values, not names: columns are called after their place.

    >>> without_names(parse(b"a.png,1\nb.png,2\n", name="t.csv")).cells
    (('a.png', 'b.png'), ('1', '2'))
    """
    return Sheet(
        name=sheet.name,
        columns=tuple(f"column {at}" for at in range(1, len(sheet.columns) + 1)),
        cells=tuple((first, *cells) for first, cells in zip(sheet.columns, sheet.cells, strict=True)),
        numbers=(sheet.numbers[0] - 1, *sheet.numbers),
        decimal=sheet.decimal,
    )


def _decoded(data: bytes, name: str) -> str:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DataError(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02x} in line {line}; it looks like Latin-1 or the like.",
            expected="a table in UTF-8.",
            remedy="save it as 'CSV UTF-8', or convert it: iconv -f latin1 -t utf-8.",
        ) from None


def _rows(text: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True))


def _delimiter(text: str) -> str:
    """The sign that cuts most lines into as many cells as the first, and into more than one."""
    start = "\n".join(text[:LOOKED_INTO].splitlines()[:LOOKED_AT])

    def agreement(delimiter: str) -> tuple[float, int]:
        try:
            widths = [len(row) for row in _rows(start, delimiter) if row]
        except csv.Error:
            return 0.0, 0
        if not widths or widths[0] < 2:
            return 0.0, 0
        return sum(width == widths[0] for width in widths) / len(widths), widths[0]

    return max(DELIMITERS, key=agreement)


def _from_parquet(data: bytes, name: str) -> Sheet:
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtra.of("pyarrow", extra="parquet", needed_for=f"reading {name}") from None
    try:
        table = parquet.read_table(arrow.BufferReader(data))
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise _broken(name, str(error).split("\n")[0]) from None
    columns = [column.to_pylist() for column in table.columns]
    return Sheet(
        name=name,
        columns=tuple(table.column_names),
        cells=tuple(tuple(_text(value) for value in column) for column in columns),
        numbers=tuple(range(1, table.num_rows + 1)),
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, list | tuple):
        return ";".join(_text(part) for part in value)
    return str(value).strip()


def _broken(name: str, why: str) -> DataError:
    return DataError(
        f"{name} cannot be read as a table: {why}.",
        expected="a line of column names, and a row for each picture.",
        remedy="open it in a spreadsheet and save it again as CSV.",
    )
