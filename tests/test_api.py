"""The main job from Python: the same runs, the same errors, each step callable alone."""

from pathlib import Path

import pytest

import epochal
from epochal import api
from epochal.data.sources import open_source
from epochal.errors import RunError, SettingError
from epochal.recipe.recipe import Recipe
from epochal.stages.baseline import fit_baselines
from epochal.stages.evaluate import evaluate
from epochal.stages.folder import RunFolder
from epochal.stages.inspect import inspect
from epochal.stages.report import write_report
from epochal.stages.skeleton import check_skeleton
from epochal.stages.train import train_network
from stages.whole import SETTINGS, Whole, copied, session_on


def test_run_continues_what_it_is_asked_again(finished: Whole) -> None:
    """A finished run comes back with its result; settings may be a mapping, a budget text or seconds."""
    settings = {key: value for key, value in SETTINGS.items() if key != "budget_seconds"}
    for budget in (SETTINGS["budget_seconds"], "2m", "120"):
        outcome = epochal.run(finished.data, budget=budget, out=finished.folder.path, settings=settings, quiet=True)
        assert outcome == finished.outcome


def test_run_reads_a_recipe_file(finished: Whole, tmp_path: Path) -> None:
    """A file stands for its keys."""
    lines = [f"{key} = {value}" for key, value in sorted(SETTINGS.items(), key=lambda item: "." in item[0])]
    (tmp_path / "mine.toml").write_text("\n".join(lines))
    outcome = epochal.run(finished.data, settings=tmp_path / "mine.toml", out=finished.folder.path, quiet=True)
    assert outcome == finished.outcome


def test_a_finished_run_can_be_said_aloud(finished: Whole, capsys: pytest.CaptureFixture[str]) -> None:
    """Without `quiet` the verdict goes to standard output; with it nothing does."""
    for quiet in (False, True):
        epochal.run(finished.data, settings=SETTINGS, out=finished.folder.path, quiet=quiet)
        assert bool(capsys.readouterr().out) is not quiet


def test_predict_gives_rows(finished: Whole) -> None:
    """One row for each image, from a path or its text."""
    rows = epochal.predict(str(finished.folder.path), finished.data / "val")
    assert len(rows) == 40
    assert {row["predicted"] for row in rows} == {path.name for path in (finished.data / "val").iterdir()}


def test_report_is_drawn_from_the_journal_alone(finished: Whole, tmp_path: Path) -> None:
    """With everything else deleted, the page comes out as it was."""
    alone = RunFolder(tmp_path)
    alone.journal.write_bytes(finished.folder.journal.read_bytes())
    path = epochal.redraw(tmp_path)
    assert path == alone.report
    assert path.read_bytes() == finished.folder.report.read_bytes()


def test_export_writes_a_checked_file(finished: Whole, tmp_path: Path) -> None:
    """The path and the largest difference come back."""
    exported = epochal.export(finished.folder.path, kind="torch", output=tmp_path / "model.pt2")
    assert exported.path.is_file()
    assert exported.difference <= exported.allowed


def test_errors_are_those_of_the_command_line(tmp_path: Path) -> None:
    """An unknown key and a missing run are exceptions with three parts."""
    with pytest.raises(SettingError) as caught:
        epochal.run("digits", settings={"network.widht": 3}, out=tmp_path / "run", quiet=True)
    assert "network.width" in caught.value.remedy
    with pytest.raises(RunError, match="holds no run"):
        epochal.predict(tmp_path, tmp_path)


def test_each_stage_can_be_called_alone(finished: Whole, tmp_path: Path) -> None:
    """One after the other, by hand, on a session of one's own: each finds what the one before left in the journal."""
    session = session_on(finished.data, RunFolder(tmp_path / "run"))
    inspected = inspect(session, open_source(finished.data))
    for stage in (check_skeleton, fit_baselines):
        stage(session, inspected)
    session.skip("train", reason="left out by hand")
    evaluate(session, inspected)
    write_report(session.folder)
    for name in ("inspect", "skeleton", "baseline", "evaluate"):
        assert session.journal.finished(name)
    assert session.folder.report.exists()


def test_a_finished_stage_called_again_does_nothing(finished: Whole, tmp_path: Path) -> None:
    """On a copy of a finished run every stage finds its work done."""
    folder = copied(finished.folder, tmp_path / "run")
    session = session_on(finished.data, folder, budget_seconds=SETTINGS["budget_seconds"])
    inspected = inspect(session, open_source(finished.data))
    before = len(session.journal.events)
    check_skeleton(session, inspected)
    fit_baselines(session, inspected)
    train_network(session, inspected)
    evaluate(session, inspected)
    assert len(session.journal.events) == before


def test_every_name_at_the_front_door_opens() -> None:
    """What the package lists can be had, and nothing else."""
    for name in epochal.__all__:
        assert getattr(epochal, name) is not None
    assert set(dir(epochal)) == set(epochal.__all__)
    assert epochal.Recipe is Recipe
    assert epochal.run is api.run
    with pytest.raises(AttributeError, match="teleport"):
        _ = epochal.teleport
