"""Predictions as a table: csv or json as text, parquet as a file, all with the same columns."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epochal.errors import MissingExtra, SettingError
from epochal.writing import write_atomically

KINDS = ("csv", "json", "parquet")
NAME = "predictions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where predictions go: the table's file and kind, and the folder for what does not fit into a table."""

    kind: str
    table: Path | None = None  # standard output without one
    folder: Path | None = None


def destination(output: Path | None, *, kind: str | None = None) -> Destination:
    """Read what the user asks for: a file by its ending, or a folder, in which the table is called predictions.

    Raises: SettingError for an ending or a kind that is no table's, or parquet without a file.

    >>> destination(Path("out"), kind="json").table.as_posix(), destination(Path("table.CSV")).kind
    ('out/predictions.json', 'csv')
    """
    ending = output.suffix.lstrip(".").lower() if output else ""
    if output is None or (ending in KINDS and not output.is_dir()):
        return _checked(Destination(kind=kind or ending or "csv", table=output))
    if ending and not output.is_dir():
        raise _unknown(ending)
    found = _checked(Destination(kind=kind or "csv", table=output / f"{NAME}.{kind or 'csv'}", folder=output))
    if output.is_file():
        raise SettingError(
            f"{output} is a file.", expected="a folder, or a file that ends in .csv.", remedy=f"--output {output}.csv"
        )
    return found


def _checked(found: Destination) -> Destination:
    if found.kind not in KINDS:
        raise _unknown(found.kind)
    if found.kind == "parquet" and found.table is None:
        raise SettingError(
            "Parquet is not text.", expected="a file to write it to.", remedy="--output predictions.parquet"
        )
    return found


def _unknown(kind: str) -> SettingError:
    return SettingError(
        f"The format is {kind!r}.", expected=f"one of {', '.join(KINDS)}, or a folder.", remedy="--format csv"
    )


def write_table(rows: Sequence[dict[str, Any]], where: Destination) -> None:
    """Write the rows, all of the same columns; to standard output without a file.

    Raises: MissingExtra for parquet without pyarrow.
    """
    if where.kind == "parquet" and where.table is not None:
        _write_parquet(rows, where.table)
        return
    text = _as_csv(rows) if where.kind == "csv" else json.dumps(rows, indent=2, ensure_ascii=False) + "\n"
    if where.table is None:
        sys.stdout.write(text)
    else:
        write_atomically(where.table, text)


def _as_csv(rows: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    table = csv.DictWriter(buffer, fieldnames=list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return buffer.getvalue()


def _write_parquet(rows: Sequence[dict[str, Any]], path: Path) -> None:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtra.of("pyarrow", extra="parquet", needed_for="Parquet files") from error
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer)
    write_atomically(path, buffer.getvalue())
