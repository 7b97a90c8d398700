"""The whole way for each task beside classification, on small data sets as users have them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from epochal.errors import DataError
from epochal.models import dense_sizing, sizing
from epochal.recipe.config import settle
from epochal.recipe.journal import Journal
from epochal.stages.artifact import load_model
from epochal.stages.folder import RunFolder
from epochal.stages.predict import predict_files
from epochal.stages.walk import Outcome, start
from stages.targets import MAKERS, folder_with
from stages.whole import EPOCHS, SETTINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished run of one task."""

    kind: str
    data: Path
    outcome: Outcome

    @property
    def folder(self) -> RunFolder:
        """Where it lies."""
        return self.outcome.folder


@pytest.fixture(scope="module", params=sorted(MAKERS))
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Each task once, taken to its end."""
    top = tmp_path_factory.mktemp(request.param)
    data = folder_with(request.param, top / "data")
    with (
        mock.patch.object(sizing, "MOST_EPOCHS", EPOCHS),
        mock.patch.object(dense_sizing, "MOST_EPOCHS", EPOCHS),
    ):
        outcome = start(data, settle(options=SETTINGS), out=top / "run")
    return Done(kind=request.param, data=data, outcome=outcome)


def test_the_task_follows_from_the_data_and_says_why(done: Done) -> None:
    """The decision stands in the journal with the files and columns that led to it."""
    decision = Journal(done.folder.journal).last("decision", key="task")
    assert decision is not None
    assert (decision["value"], decision["origin"]) == (done.kind, "measured")
    assert decision["reason"]
    told = Journal(done.folder.journal).measured("task")
    assert told["name"] == done.kind


def test_the_result_stands_beside_its_baselines(done: Done) -> None:
    """The model is better than the answer that needs no image, beyond its interval; the test split was opened once."""
    result = json.loads(done.folder.summary.read_text(encoding="utf-8"))
    assert (result["task"], result["test_openings"]) == (done.kind, 1)
    prior = next(each for each in result["baselines"] if each["name"] == "prior")
    assert result["low"] <= result["value"] <= result["high"]
    if result["higher_is_better"]:
        assert result["low"] > prior["value"]
    else:
        assert result["high"] < prior["value"]


def test_each_test_file_has_its_row(done: Done) -> None:
    """`predictions.csv` names every test sample once, beside what was given and what was said."""
    result = json.loads(done.folder.summary.read_text(encoding="utf-8"))
    with done.folder.predictions.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len({row["file"] for row in rows}) == result["samples"]
    assert len(rows[0]) > 1


def test_the_model_file_alone_predicts(done: Done, tmp_path: Path) -> None:
    """New pictures need nothing but the run's model; its task comes back as it was."""
    pictures = done.data / "val" / "images" if done.kind == "segmentation" else done.data
    found = predict_files(done.folder.path, pictures, output=tmp_path / "out")
    assert len(found) >= 12
    assert load_model(done.folder.model)[1].kind.name == done.kind
    assert all(row["problem"] is None for row in found)


def test_the_report_is_drawn(done: Done) -> None:
    """One page that speaks of the task's metric and shows its worst cases or its details."""
    page = done.folder.report.read_text(encoding="utf-8")
    metric = json.loads(done.folder.summary.read_text(encoding="utf-8"))["metric"]
    assert metric.split()[-1] in page


def test_a_circle_is_found_on_dials(done: Done) -> None:
    """Of the values on a dial from 0.0 to 9.9 the images say that 9.9 lies beside 0.0."""
    if done.kind != "regression":
        pytest.skip("values alone may lie on a circle")
    (circle,) = Journal(done.folder.journal).measured("data.circles")
    assert circle["period"] == pytest.approx(10.0, abs=0.11)


def test_asking_again_shows_the_same(done: Done) -> None:
    """A finished run is shown again from its journal, not repeated."""
    before = done.folder.summary.read_bytes()
    again = start(done.data, settle(options=SETTINGS), out=done.folder.path)
    assert again.exit_code == done.outcome.exit_code == 0
    assert done.folder.summary.read_bytes() == before


def test_a_task_that_the_data_do_not_have_is_refused(tmp_path: Path) -> None:
    """Whoever asks for masks of a table of values hears what is there instead."""
    data = folder_with("regression", tmp_path / "data")
    with pytest.raises(DataError, match="mask"):
        start(data, settle(options={**SETTINGS, "task": "segmentation"}), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_values_that_never_change_are_refused(tmp_path: Path) -> None:
    """There is nothing to learn from a column of one value, and the message names it."""
    data = folder_with("regression", tmp_path / "data")
    lines = (data / "targets.csv").read_text(encoding="utf-8").splitlines()
    steady = [lines[0], *(line.split(",")[0] + f",{4.5 + 1e-9 * np.sign(row)}" for row, line in enumerate(lines[1:]))]
    (data / "targets.csv").write_text("\n".join(steady), encoding="utf-8")
    with pytest.raises(DataError):
        start(data, settle(options={**SETTINGS, "task": "regression"}), out=tmp_path / "run")
