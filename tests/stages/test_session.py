"""What the stages of one run share: decisions that stand, a budget that is counted on, a journal that is told all."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from epochal.errors import CheckFailed, RunError
from epochal.findings import Observation, Severity, rule
from epochal.recipe.journal import Journal
from epochal.stages.folder import RunFolder
from epochal.stages.session import Session, command, machine, refuse_inside, stop_on, versions
from stages.whole import session_on


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A start of the program that has done nothing yet."""
    return session_on(tmp_path / "data", RunFolder(tmp_path / "run"), seed=5)


def _again(session: Session, **more: object) -> Session:
    return session_on(Path(session.source), session.folder, **{"seed": 5, **more})


@rule("odd-number", code="EP998", severity=Severity.WARN, tips=["K1.1"])
def odd_number(number: int) -> Iterator[Observation]:
    """An odd number cannot be halved."""
    if number % 2:
        yield Observation("here", str(number), expected="an even number", remedy="add one")


def test_what_the_user_set_is_never_decided(session: Session) -> None:
    """A choice of the user's stands, whatever a rule would take."""
    assert session.decide("seed", 99, reason="a rule") == 5
    assert session.recipe.seed == 5
    assert session.journal.last("decision", key="seed")["origin"] == "user"  # type: ignore[index]


def test_what_an_earlier_start_decided_stands(session: Session) -> None:
    """A resumed run does not measure again what it has settled: its parts belong together."""
    assert session.decide("optimizer.lr", 0.25, reason="measured", evidence=[1, 2]) == 0.25
    later = _again(session)
    assert later.resumed
    assert later.recipe.optimizer.lr == 0.25
    assert later.decide("optimizer.lr", 0.5, reason="measured anew") == 0.25
    assert [event["value"] for event in later.journal.select("decision", key="optimizer.lr")] == [0.25]


def test_what_failed_is_revised_for_good(session: Session) -> None:
    """A rate that diverged is not tried again after an interruption."""
    session.decide("optimizer.lr", 0.25, reason="measured")
    session.revise("optimizer.lr", 0.0625, reason="diverged")
    assert session.recipe.optimizer.lr == 0.0625
    assert _again(session).recipe.optimizer.lr == 0.0625


def test_the_recipe_says_why_each_value_is_what_it_is(session: Session) -> None:
    """`recipe.toml` holds every key, its origin and the reason behind it."""
    session.decide("network.width", 32, reason="small images", origin="measured")
    session.save_recipe()
    text = session.folder.recipe.read_text(encoding="utf-8")
    assert tomllib.loads(text)["seed"] == 5
    lines = dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    assert lines["seed"] == "5 # user: asked for"
    assert lines["momentum"].startswith("0.85 # default: ")
    assert session.recipe.network.width == 16  # the fixture's user chose it


def test_time_in_which_nothing_ran_is_free(tmp_path: Path) -> None:
    """The budget counts the seconds of every start, and none between them."""
    folder, now = RunFolder(tmp_path), [100.0]
    first = Journal(folder.journal, clock=lambda: now[0], started=98.0)
    now[0] = 103.0
    first.write("measurement", stage="run", name="x", value=1)
    second = Journal(folder.journal, clock=lambda: 9000.0, started=8999.0)
    assert first.spent == 5.0
    assert second.spent == 6.0


def test_a_stage_is_done_when_it_has_ended(session: Session) -> None:
    """Begin and end are in the journal; a stage that failed may be tried again, with its reason on record."""
    with session.stage("inspect", title="Inspecting"):
        session.measure("data.files", 3, unit="files")
    assert session.journal.finished("inspect")
    assert session.journal.last("measurement", name="data.files")["stage"] == "inspect"  # type: ignore[index]
    with pytest.raises(CheckFailed), session.stage("baseline", title="Baselines"):
        raise CheckFailed("It cannot be.", expected="that it could.", remedy="think again.")
    assert not session.journal.finished("baseline")
    assert "It cannot be." in session.journal.last("stage", stage="baseline")["reason"]  # type: ignore[index]
    assert session.at == "run"


def test_a_skipped_stage_is_not_done_and_says_why(session: Session) -> None:
    """A stage left out for lack of time is in the journal as skipped."""
    session.skip("train", reason="no time")
    assert not session.journal.finished("train")
    assert session.journal.last("stage", stage="train")["reason"] == "no time"  # type: ignore[index]


def test_a_rule_that_passes_is_written_as_well_as_one_that_fires(session: Session) -> None:
    """The journal tells what was checked, not only what was found; `findings.json` holds the findings alone."""
    assert session.judge([odd_number], 4) == []
    (finding,) = session.judge([odd_number], 3)
    session.save_findings()
    assert [event["passed"] for event in session.journal.select("check")] == [True, False]
    (saved,) = json.loads(session.folder.findings.read_text())
    assert saved == {**finding.to_json()}
    assert saved.keys() >= {"rule", "code", "severity", "where", "measured", "expected", "remedy"}


def test_a_finding_that_says_stop_stops() -> None:
    """The gravest findings end the run with their own words and exit code 3; lesser ones do not."""
    stops = rule("stops-all", code="EP997", severity=Severity.STOP)(odd_number.look)
    stop_on(odd_number(3))
    with pytest.raises(CheckFailed, match="stops-all: here: 3") as caught:
        stop_on([*odd_number(3), *stops(3)])
    assert (caught.value.exit_code, caught.value.remedy) == (3, "add one")


@pytest.mark.parametrize("inside", ["", "runs/mine", "class/../deep"])
def test_nothing_is_written_into_the_data(tmp_path: Path, inside: str) -> None:
    """The data folder itself and anything below it is refused, by whatever path it is named."""
    with pytest.raises(RunError, match="lies in the data folder"):
        refuse_inside(tmp_path / inside, str(tmp_path))
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    with pytest.raises(RunError, match="lies in the data folder"):
        refuse_inside(link / inside, str(tmp_path))


def test_beside_the_data_is_allowed(tmp_path: Path) -> None:
    """Only the data folder is forbidden, not its neighbours; a zip has no inside."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos.zip").touch()
    refuse_inside(tmp_path / "photos-run", str(tmp_path / "photos"))
    refuse_inside(tmp_path / "run", str(tmp_path / "photos.zip"))
    refuse_inside(tmp_path / "run", "digits")


def test_what_a_result_depends_on_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions, machine, and the command as a person would type it."""
    assert versions().keys() >= {"epochal", "python", "torch", "numpy"}
    assert machine()["cores"] >= 1
    monkeypatch.setattr("sys.argv", ["/somewhere/epochal", "run", "my photos"])
    assert command() == "epochal run 'my photos'"
