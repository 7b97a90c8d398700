"""Predictions for files: what the model says of each, whatever kind it is, and what is wrong with the rest."""

import csv
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from epochal.errors import CheckpointError, DataError, RunError, SettingError
from epochal.stages.folder import RunFolder
from epochal.stages.predict import Prediction, predict_files, write_predictions
from pictures import encoded, folder_of, zip_of
from stages.striped import CLASSES, striped_files, stripes
from stages.trap import Trap
from stages.whole import Whole

ROWS = [
    Prediction(file="a.png", predicted="längs", probability=0.75),
    Prediction(file="b.png", predicted=None, probability=None, problem="empty: the file holds no bytes"),
]


def test_predictions_agree_with_the_evaluation(finished: Whole) -> None:
    """The test files, read again by `predict`, get the classes and probabilities that the evaluation wrote."""
    with finished.folder.predictions.open(encoding="utf-8", newline="") as file:
        evaluated = {row["file"].removeprefix("test/"): row for row in csv.DictReader(file)}
    rows = predict_files(finished.folder.path, finished.data / "test")
    assert {row.file for row in rows} == evaluated.keys()
    for row in rows:
        assert row.predicted == evaluated[row.file]["predicted"]
        assert row.probability == pytest.approx(float(evaluated[row.file]["probability"]), abs=0.05)  # bfloat16 there


def test_any_kind_of_picture_is_understood(finished: Whole, tmp_path: Path) -> None:
    """Grey, palette, 16 bits, CMYK, transparent, other sizes, other formats: the same stripes, the same class."""
    image = Image.fromarray(stripes(7, across=True))
    wide = (np.asarray(image.convert("L")).astype(np.uint16) * 257).astype(np.uint16)
    kinds = {
        "grey.png": encoded(image.convert("L")),
        "palette.gif": encoded(image.convert("P"), "GIF"),
        "sixteen.png": encoded(Image.fromarray(wide)),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG", quality=95),
        "clear.png": encoded(image.convert("RGBA")),
        "large.bmp": encoded(image.resize((48, 48), Image.Resampling.NEAREST), "BMP"),
        "web.webp": encoded(image, "WEBP", quality=95),
    }
    rows = predict_files(finished.folder.path, folder_of(kinds, tmp_path / "kinds"))
    assert {row.file: row.predicted for row in rows} == dict.fromkeys(kinds, CLASSES[1])


def test_unreadable_files_are_listed_and_stop_nothing(finished: Whole, tmp_path: Path) -> None:
    """Each file has its row, in the order of the names; a bad one says what is wrong with it."""
    good = striped_files(2, splits=())
    bad = {"a-empty.png": b"", "z-cut.png": next(iter(good.values()))[:60]}
    rows = predict_files(finished.folder.path, folder_of(good | bad, tmp_path / "mixed"))
    assert [row.file for row in rows] == sorted(good | bad)
    assert {row.file for row in rows if row.problem} == set(bad)
    assert all((row.predicted is None) == (row.problem is not None) for row in rows)


def test_only_unreadable_files_are_still_an_answer(finished: Whole, tmp_path: Path) -> None:
    """A folder of broken files gives a row for each, no error."""
    (row,) = predict_files(finished.folder.path, folder_of({"x.png": b"broken"}, tmp_path / "broken"))
    assert row.problem is not None


def test_one_image_and_a_zip_will_do(finished: Whole, tmp_path: Path) -> None:
    """A single file and an archive are as good as a folder, with the same answers."""
    files = striped_files(4, splits=())
    zipped = predict_files(finished.folder.path, zip_of(files, tmp_path / "new.zip"))
    folder = folder_of(files, tmp_path / "new")
    assert zipped == predict_files(finished.folder.path, folder)
    (one,) = predict_files(finished.folder.path, folder / zipped[0].file)
    assert (one.file, one.predicted) == (Path(zipped[0].file).name, zipped[0].predicted)


def test_no_images_is_an_error(finished: Whole, tmp_path: Path) -> None:
    """An empty folder is a slip of the path, and said to be one."""
    with pytest.raises(DataError, match="no image"):
        predict_files(finished.folder.path, tmp_path)


def test_no_run_is_an_error(tmp_path: Path) -> None:
    """A folder without a run is named."""
    with pytest.raises(RunError, match="holds no run"):
        predict_files(tmp_path, tmp_path)


def test_a_poisoned_model_is_refused(finished_copy: RunFolder, finished: Whole, tmp_path: Path) -> None:
    """A pickle in place of the model is an error, and never unpickled."""
    mark = tmp_path / "ran"
    finished_copy.model.write_bytes(pickle.dumps(Trap(mark)))
    with pytest.raises(CheckpointError):
        predict_files(finished_copy.path, finished.data / "test")
    assert not mark.exists()


def test_csv_and_json_hold_the_same(tmp_path: Path) -> None:
    """Every row with file, class, probability and problem; empty where there is none."""
    write_predictions(ROWS, kind="csv", output=tmp_path / "p.csv")
    write_predictions(ROWS, kind="json", output=tmp_path / "p.json")
    with (tmp_path / "p.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert table[0] == {"file": "a.png", "predicted": "längs", "probability": "0.75", "problem": ""}
    assert table[1]["problem"].startswith("empty")
    known = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert known[0] == {"file": "a.png", "predicted": "längs", "probability": 0.75, "problem": None}


def test_without_a_path_the_table_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """So that it can be piped."""
    write_predictions(ROWS, kind="csv", output=None)
    assert capsys.readouterr().out.splitlines()[0] == "file,predicted,probability,problem"


def test_parquet_keeps_types(tmp_path: Path) -> None:
    """Numbers stay numbers and gaps stay gaps."""
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra 'parquet' is not installed")
    write_predictions(ROWS, kind="parquet", output=tmp_path / "p.parquet")
    assert parquet.read_table(tmp_path / "p.parquet").to_pylist() == [
        {"file": row.file, "predicted": row.predicted, "probability": row.probability, "problem": row.problem}
        for row in ROWS
    ]


@pytest.mark.parametrize("kind", ["parquet", "xlsx", ""])
def test_what_cannot_be_written_is_said(kind: str) -> None:
    """Parquet without a file, or a format that nobody knows."""
    with pytest.raises(SettingError):
        write_predictions(ROWS, kind=kind, output=None)
