"""Writing a table of samples to a file and reading it back: compact for the cache, CSV and Parquet for people."""

import csv
import dataclasses
import importlib
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from epochal.data.table import ARRAYS, Sample, SampleTable
from epochal.errors import DataError, MissingExtra

WORDS = ("modes", "formats")
COLUMNS = tuple(field.name for field in dataclasses.fields(Sample))


def to_bytes(table: SampleTable) -> bytes:
    """Pack a table for the cache: arrays and JSON in numpy's own format, nothing pickled.

    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> table = scan(open_source("digits"), cache=False).table
    >>> from_bytes(to_bytes(table))[7] == table[7]
    True
    """
    words: dict[str, list[str]] = {}
    columns: dict[str, np.ndarray] = {name: getattr(table, name) for name in ARRAYS}
    for name in WORDS:
        found, codes = np.unique(np.asarray(getattr(table, name), dtype=np.str_), return_inverse=True)
        words[name] = found.tolist()
        columns[name] = codes.astype(np.int16)
    told = {
        "classes": table.classes,
        "size": table.size,
        "problems": list(table.problems.items()),
        "notes": list(table.notes.items()),
        "kind": table.kind,
        "columns": table.columns,
        **words,
    }
    if table.values is not None:
        columns["values"] = table.values
    columns["told"] = np.frombuffer(json.dumps(told).encode(), np.uint8)
    columns["keys"] = np.frombuffer("\0".join(table.keys).encode("utf-8", "surrogatepass"), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **columns)
    return buffer.getvalue()


def from_bytes(data: bytes) -> SampleTable:
    """Unpack a table from the cache.

    Raises: ValueError, KeyError or OSError if the bytes are no such table.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as columns:
        told = json.loads(columns["told"].tobytes())
        keys = columns["keys"].tobytes().decode("utf-8", "surrogatepass")
        arrays: dict[str, Any] = {name: columns[name] for name in ARRAYS}
        values = columns.get("values", None)
        words: dict[str, Any] = {name: tuple(told[name][code] for code in columns[name].tolist()) for name in WORDS}
    return SampleTable(
        classes=tuple(told["classes"]),
        size=tuple(told["size"]),
        keys=tuple(keys.split("\0")) if len(arrays["labels"]) else (),
        problems=dict(told["problems"]),
        notes={row: tuple(remarks) for row, remarks in told["notes"]},
        kind=told["kind"],
        columns=tuple(told["columns"]),
        values=values,
        **words,
        **arrays,
    )


def to_csv(table: SampleTable, path: str | Path) -> None:
    """Write one line for each sample, for a spreadsheet; several values in a cell are set apart by semicolons.

    >>> import tempfile
    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> table = scan(open_source("digits"), cache=False).table.select(range(2))
    >>> with tempfile.TemporaryDirectory() as top:
    ...     to_csv(table, Path(top) / "samples.csv")
    ...     print((Path(top) / "samples.csv").read_text(encoding="utf-8").splitlines()[1][:34])
    0/0000.pgm,,0,0,8,8,L,PPM,75,...
    """
    with Path(path).open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("key", "split", "class", *COLUMNS[2:]))
        for sample in table:
            writer.writerow(_cells(sample, table.classes))


def _cells(sample: Sample, classes: tuple[str, ...]) -> Iterable[str | int]:
    values = dataclasses.asdict(sample)
    yield values.pop("key")
    yield values.pop("split")
    yield classes[sample.label] if sample.label >= 0 else ""
    for value in values.values():
        if isinstance(value, tuple):
            yield ";".join(f"{part:.17g}" if isinstance(part, float) else str(part) for part in value)
        else:
            yield "" if value is None else value


def read_csv(path: str | Path) -> SampleTable:
    """Read a table back that `to_csv` wrote; all values return exactly.

    Raises: DataError if the file has other columns, or a value that cannot be read.

    >>> import tempfile
    >>> from epochal.data.scan import scan
    >>> from epochal.data.sources import open_source
    >>> table = scan(open_source("digits"), cache=False).table.select(range(12))
    >>> with tempfile.TemporaryDirectory() as top:
    ...     to_csv(table, Path(top) / "samples.csv")
    ...     read_csv(Path(top) / "samples.csv")[11] == table[11]
    True
    """
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        expected = ("key", "split", "class", *COLUMNS[2:])
        if tuple(reader.fieldnames or ()) != expected:
            raise DataError(
                f"{path} has the columns {', '.join(reader.fieldnames or ['none'])}.",
                expected=", ".join(expected),
                remedy="give a table that epochal wrote.",
            )
        lines = list(reader)
    try:
        return _from_lines(lines)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path} has a value that cannot be read ({error}).",
            expected="a table as epochal wrote it.",
            remedy="write it again, or undo the change.",
        ) from None


def _from_lines(lines: list[dict[str, str]]) -> SampleTable:
    names = {int(line["label"]): line["class"] for line in lines}
    samples = [
        Sample(
            key=line["key"],
            split=line["split"],
            label=int(line["label"]),
            width=int(line["width"]),
            height=int(line["height"]),
            mode=line["mode"],
            format=line["format"],
            file_bytes=int(line["file_bytes"]),
            content_hash=line["content_hash"],
            pixel_hash=line["pixel_hash"],
            mean=tuple(float(part) for part in line["mean"].split(";")),
            std=tuple(float(part) for part in line["std"].split(";")),
            low=tuple(int(part) for part in line["low"].split(";")),
            high=tuple(int(part) for part in line["high"].split(";")),
            problem=line["problem"] or None,
            notes=tuple(line["notes"].split(";")) if line["notes"] else (),
        )
        for line in lines
    ]
    return SampleTable.of(samples, classes=tuple(names.get(label, "") for label in range(max(names, default=-1) + 1)))


def to_parquet(table: SampleTable, path: str | Path) -> None:
    """Write the table as Parquet, with the names of the classes; needs pyarrow.

    Raises: MissingExtra without pyarrow.
    """
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtra.of("pyarrow", extra="parquet", needed_for="writing Parquet") from None
    rows = [dataclasses.asdict(sample) for sample in table]
    for row in rows:
        row["class"] = table.classes[row["label"]] if row["label"] >= 0 else None
        row["key"] = row["key"].encode("utf-8", "backslashreplace").decode()
    parquet.write_table(arrow.Table.from_pylist(rows), path)
