"""Writing a table of samples to a file and reading it back: compact for the cache, CSV and Parquet for people."""

import csv
import dataclasses
import importlib
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from epochal.data.choosing import Kind
from epochal.data.table import ARRAYS, Sample, SampleTable
from epochal.errors import DataError, MissingExtra

WORDS = ("modes", "formats")
COLUMNS = ("key", "split", "class", *(field.name for field in dataclasses.fields(Sample)[2:] if field.name != "values"))
# What the columns of values are called, behind which stands the name of each.
PREFIXES: dict[Kind, str] = {"regression": "value.", "multi-label": "label.", "segmentation": "share."}
# Beside the marks of each label, for a person: all labels of a picture in one cell.
LISTED = "labels"


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

    Measurements stand in columns `value.NAME`, marks of labels in `label.NAME` (and all labels of a picture by name in
    `labels`), shares of the pixels in `share.NAME`.

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
        writer.writerow((*COLUMNS, *_value_columns(table)))
        for sample in table:
            writer.writerow((*_cells(sample, table.classes), *_value_cells(sample, table)))


def _value_columns(table: SampleTable) -> list[str]:
    if table.kind == "classification":
        return []
    named = [PREFIXES[table.kind] + name for name in table.names]
    return [LISTED, *named] if table.kind == "multi-label" else named


def _value_cells(sample: Sample, table: SampleTable) -> Iterable[str]:
    if table.kind == "multi-label":
        yield ";".join(name for name, mark in zip(table.names, sample.values, strict=True) if mark)
    for value in sample.values:
        yield str(np.float32(value)) if value % 1 else f"{value:.0f}"


def _cells(sample: Sample, classes: tuple[str, ...]) -> Iterable[str | int]:
    values = dataclasses.asdict(sample)
    del values["values"]
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
        given = tuple(reader.fieldnames or ())
        kind = _kind(given[len(COLUMNS) :])
        if given[: len(COLUMNS)] != COLUMNS or kind is None:
            raise DataError(
                f"{path} has the columns {', '.join(given or ['none'])}.",
                expected=", ".join(COLUMNS),
                remedy="give a table that epochal wrote.",
            )
        lines = list(reader)
    try:
        return _from_lines(lines, kind=kind, named=[name for name in given[len(COLUMNS) :] if name != LISTED])
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path} has a value that cannot be read ({error}).",
            expected="a table as epochal wrote it.",
            remedy="write it again, or undo the change.",
        ) from None


def _kind(extra: Sequence[str]) -> Kind | None:
    """The kind of table that has these columns beside the usual ones; None if there is no such."""
    if not extra:
        return "classification"
    for kind, prefix in PREFIXES.items():
        named = extra[1:] if kind == "multi-label" and extra[0] == LISTED else extra
        if named and all(name.startswith(prefix) for name in named):
            return kind
    return None


def _from_lines(lines: list[dict[str, str]], *, kind: Kind, named: Sequence[str]) -> SampleTable:
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
            values=tuple(float(np.float32(line[name])) for name in named),
        )
        for line in lines
    ]
    words = tuple(name.partition(".")[2] for name in named)
    strata = {int(line["label"]): line["class"] for line in lines}
    by_label = tuple(strata.get(label, "") for label in range(max(strata, default=-1) + 1))
    return SampleTable.of(
        samples,
        classes=words if kind in ("multi-label", "segmentation") else by_label,
        kind=kind,
        columns=words if kind == "regression" else (),
    )


def to_parquet(table: SampleTable, path: str | Path) -> None:
    """Write the table as Parquet, with the names of the classes; needs pyarrow.

    Raises: MissingExtra without pyarrow.
    """
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtra.of("pyarrow", extra="parquet", needed_for="writing Parquet") from None
    rows = [dataclasses.asdict(sample) for sample in table]
    named = [PREFIXES[table.kind] + name for name in table.names] if table.kind != "classification" else []
    for row in rows:
        row.update(zip(named, row.pop("values"), strict=True))
        row["class"] = table.classes[row["label"]] if row["label"] >= 0 else None
        row["key"] = row["key"].encode("utf-8", "backslashreplace").decode()
    parquet.write_table(arrow.Table.from_pylist(rows), path)
