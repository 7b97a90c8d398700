"""Predictions in three formats, and where they go."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from epochal.errors import SettingError
from epochal.stages.prediction_table import Destination, destination, write_table

ROWS: list[dict[str, Any]] = [
    {"file": "a.png", "predicted": "längs", "probability": 0.75, "problem": None},
    {"file": "b.png", "predicted": None, "probability": None, "problem": "empty: the file holds no bytes"},
]


def test_csv_and_json_hold_the_same(tmp_path: Path) -> None:
    """Every row with all its columns; empty where there is nothing."""
    for name in ("p.csv", "p.json"):
        write_table(ROWS, destination(tmp_path / name))
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert table[0] == {"file": "a.png", "predicted": "längs", "probability": "0.75", "problem": ""}
    assert table[1]["problem"].startswith("empty")
    assert json.loads((tmp_path / "p.json").read_text(encoding="utf-8")) == ROWS


def test_without_a_path_the_table_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """So that it can be piped."""
    write_table(ROWS, destination(None))
    assert capsys.readouterr().out.splitlines()[0] == "file,predicted,probability,problem"


def test_parquet_keeps_types(tmp_path: Path) -> None:
    """Numbers stay numbers and gaps stay gaps."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'parquet' is not installed")
    write_table(ROWS, destination(tmp_path / "p.parquet"))
    assert parquet.read_table(tmp_path / "p.parquet").to_pylist() == ROWS


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_folder_holds_a_table_called_predictions(tmp_path: Path, kind: str) -> None:
    """A name without an ending is a folder, whether it exists or not, and so is a folder with a dot in its name."""
    (tmp_path / "run.1").mkdir()
    for folder in (tmp_path / "new" / "out", tmp_path / "run.1"):
        where = destination(folder, kind=kind)
        assert where == Destination(kind=kind, table=folder / f"predictions.{kind}", folder=folder)
        write_table(ROWS, where)
        assert [each.name for each in folder.iterdir()] == [f"predictions.{kind}"]


def test_a_file_is_of_the_kind_that_was_asked_for(tmp_path: Path) -> None:
    """`--format` wins over the ending."""
    assert destination(tmp_path / "p.csv", kind="json") == Destination(kind="json", table=tmp_path / "p.csv")


@pytest.mark.parametrize(("name", "kind"), [(None, "parquet"), (None, "xlsx"), ("p.xlsx", None), ("p.png", "csv")])
def test_what_cannot_be_written_is_said(tmp_path: Path, name: str | None, kind: str | None) -> None:
    """Parquet without a file, or a format that nobody knows."""
    with pytest.raises(SettingError):
        destination(None if name is None else tmp_path / name, kind=kind)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """A file without an ending that is there already is not taken for a folder, and not overwritten."""
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(SettingError, match="is a file"):
        destination(tmp_path / "notes")
