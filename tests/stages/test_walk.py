"""The whole way: begun, continued, shown again, and always with something left behind."""

from pathlib import Path

import pytest

from epochal.errors import BudgetError, CheckFailed, RunError
from epochal.lines import read_lines
from epochal.recipe.config import settle
from epochal.recipe.journal import Journal
from epochal.stages import walk
from epochal.stages.folder import RunFolder
from epochal.stages.walk import DONE, OUT_OF_TIME, STOPPED, canonical, start
from stages.striped import striped_folder
from stages.whole import SETTINGS, Whole, copied


def test_every_stage_ended_once_and_in_order(finished: Whole) -> None:
    """The guide's order is that of the journal."""
    ends = [event["stage"] for event in read_lines(finished.folder.journal) if event.get("event") == "end"]
    assert ends == ["inspect", "skeleton", "baseline", "train", "evaluate"]
    assert finished.outcome.exit_code == DONE


def test_all_promised_files_are_there(finished: Whole) -> None:
    """The layout of a run folder is a promise."""
    folder = finished.folder
    files = (
        folder.journal, folder.recipe, folder.model, folder.history, folder.samples, folder.predictions,
        folder.findings, folder.summary, folder.report,
    )  # fmt: skip
    assert [path.name for path in files if not path.is_file()] == []


def test_a_finished_run_costs_nothing_to_ask_again(finished: Whole) -> None:
    """The same call gives the same outcome, and neither journal nor model changes."""
    before = finished.folder.journal.read_bytes(), finished.folder.model.stat().st_mtime_ns
    again = start(finished.data, settle(options=SETTINGS), out=finished.folder.path)
    assert again == finished.outcome
    assert (finished.folder.journal.read_bytes(), finished.folder.model.stat().st_mtime_ns) == before


def test_another_request_for_the_same_folder_is_refused(finished: Whole) -> None:
    """Nothing of a finished run is overwritten by a different one."""
    with pytest.raises(RunError, match="differs in settings"):
        start(finished.data, settle(options={**SETTINGS, "seed": 1}), out=finished.folder.path)


def test_a_run_without_time_to_train_keeps_its_exit_code(finished: Whole, tmp_path: Path) -> None:
    """Asked again, it still says 4: the budget ended, the best so far is saved."""
    folder = copied(finished.folder, tmp_path / "run")
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(
        b"".join(line for line in lines if not (b'"stage": "train"' in line and b'"event": "end"' in line))
    )
    assert start(finished.data, settle(options=SETTINGS), out=folder.path).exit_code == OUT_OF_TIME


def test_no_time_at_all_is_an_error_before_any_work(tmp_path: Path) -> None:
    """Where there is no model and none can come, the message says what would be enough."""
    data = striped_folder(tmp_path / "data", 4)
    with pytest.raises(BudgetError, match="before there was a model") as caught:
        start(data, settle(options={"budget_seconds": 1e-9}), out=tmp_path / "run")
    assert caught.value.exit_code == OUT_OF_TIME
    assert "--budget" in caught.value.remedy


def _stopped(*_: object) -> None:
    raise CheckFailed("It is broken.", expected="that it works.", remedy="mend it.")


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("trouble", "error", "status", "code"),
    [(_stopped, CheckFailed, "stopped", STOPPED), (_interrupted, KeyboardInterrupt, "interrupted", 1)],
)
def test_whatever_ends_a_run_there_is_a_report(
    finished: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: object, error: type[BaseException],
    status: str, code: int,
) -> None:  # fmt: skip
    """The journal says how it ended, findings and report are written, and the error goes on to the caller."""
    monkeypatch.setattr(walk, "inspect", trouble)
    with pytest.raises(error):
        start(finished.data, settle(options=SETTINGS), out=tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert folder.findings.read_text() == "[]\n"
    assert folder.report.exists()
    end = Journal(folder.journal).last("end")
    assert end is not None
    assert (end["status"], end["exit_code"]) == (status, code)


def test_the_first_error_is_the_one_that_is_told(
    finished: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report that cannot be written on a full disk does not hide why the run ended."""

    def full(_folder: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(walk, "inspect", _stopped)
    monkeypatch.setattr(walk, "write_report", full)
    with pytest.raises(CheckFailed):
        start(finished.data, settle(options=SETTINGS), out=tmp_path / "run")


def test_one_place_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same data are known again from another working directory and through a link."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    assert canonical("photos") == canonical("photos/../link") == canonical(str(tmp_path / "photos"))
    assert canonical("digits") == "digits"
