"""`kill -9` at any moment, and the same command again: it finishes, and keeps what was done."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from epochal.lines import read_lines
from epochal.stages.artifact import is_sound
from epochal.training.checkpoint import load
from faults.program import Ended, epochal
from faults.troubles import killed_after_saves, signalled
from stages.striped import striped_folder

OPTIONS = (
    "--budget", "30s", "--set", "network.width=8", "--set", "baseline.budget_share=0.005",
    "--set", "runtime.threads=1", "--out", "run",
)  # fmt: skip


def _run(data: Path, top: Path, **more: object) -> Ended:
    return epochal("run", data, *OPTIONS, cwd=top, **more)  # type: ignore[arg-type]


def _finished(top: Path) -> dict[str, object]:
    """What a finished run leaves, read again."""
    run = top / "run"
    assert is_sound(run / "model.safetensors")
    assert (run / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    summary: dict[str, object] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    left = [path.name for path in run.rglob("*") if path.name.endswith(".part")]
    assert left == []
    return summary


@pytest.mark.parametrize(
    ("kind", "stage", "nth"),
    [
        ("session", "run", 1),
        ("check", "inspect", 3),
        ("model", "baseline", 1),
        ("opened", "evaluate", 1),
        ("result", "evaluate", 1),
    ],
)
def test_killed_anywhere_it_goes_on(stripes: Path, tmp_path: Path, kind: str, stage: str, nth: int) -> None:
    """The second start finishes; whole lines of the first stay in the journal; no finished stage is done again."""
    first = _run(stripes, tmp_path, trouble=signalled(kind, stage=stage, nth=nth))
    assert first.code == -signal.SIGKILL
    journal = tmp_path / "run" / "journal.jsonl"
    kept = journal.read_bytes()
    with journal.open("ab") as file:
        file.write(b'{"kind": "measu')  # and the line that was being written
    again = _run(stripes, tmp_path)
    assert again.code == 0, again.err
    assert journal.read_bytes().startswith(kept)
    ends = Counter(event["stage"] for event in read_lines(journal) if event.get("event") == "end")
    assert set(ends.values()) == {1}
    openings = 2 if stage == "evaluate" else 1
    assert _finished(tmp_path)["test_openings"] == openings


def test_killed_from_outside_it_goes_on(stripes: Path, tmp_path: Path) -> None:
    """The installed program, a signal from another process at no chosen moment, and the same command again."""
    command = [sys.executable, "-m", "epochal.cli", "run", str(stripes), *OPTIONS]
    journal = tmp_path / "run" / "journal.jsonl"
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not (journal.exists() and b'"kind": "model"' in journal.read_bytes()):
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    kept = journal.read_bytes()
    again = _run(stripes, tmp_path)
    assert again.code == 0, again.err
    assert journal.read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])
    _finished(tmp_path)


def test_changed_data_are_refused_and_named(tmp_path: Path) -> None:
    """A run goes on with the data that it began with, or not at all: exit code 2 and what is different."""
    data = striped_folder(tmp_path / "mine", 20)
    assert _run(data, tmp_path, trouble=signalled("model")).code == -signal.SIGKILL
    victim = next(data.rglob("004.png"))
    victim.unlink()
    again = _run(data, tmp_path)
    assert (again.code, "Traceback" in again.err) == (2, False)
    assert "1 removed" in again.err
    assert victim.name in again.err
    assert "--fresh" in again.err


def test_killed_in_training_it_resumes_at_the_last_save(stripes: Path, tmp_path: Path) -> None:
    """At most the unfinished epoch is lost: training goes on after the saved step."""
    first = _run(stripes, tmp_path, trouble=killed_after_saves(3))
    assert first.code == -signal.SIGKILL
    saved = load(tmp_path / "run" / "checkpoints" / "train.pt")["position"]["step"]
    again = _run(stripes, tmp_path)
    assert again.code == 0, again.err
    assert f"going on after step {saved}" in again.out
    _finished(tmp_path)


def test_killed_twice_it_still_finishes(stripes: Path, tmp_path: Path) -> None:
    """Each start gets further."""
    for nth in (1, 2):
        assert _run(stripes, tmp_path, trouble=killed_after_saves(nth)).code == -signal.SIGKILL
    assert _run(stripes, tmp_path).code == 0
    _finished(tmp_path)


def test_ctrl_c_in_training_is_polite(stripes: Path, tmp_path: Path) -> None:
    """Exit code 130 and two lines; the state is saved, the report drawn, and the same command continues."""
    first = _run(stripes, tmp_path, trouble=signalled("epoch", number=signal.SIGINT))
    assert first.code == 130
    assert "Interrupted." in first.err
    assert "the same command continues" in first.err
    assert "Traceback" not in first.err
    assert (tmp_path / "run" / "report.html").exists()
    assert load(tmp_path / "run" / "checkpoints" / "train.pt")["position"]["step"] > 0
    again = _run(stripes, tmp_path)
    assert again.code == 0, again.err
    assert "going on after step" in again.out


def test_ctrl_c_before_training_is_polite_too(stripes: Path, tmp_path: Path) -> None:
    """The same words while the data are inspected."""
    first = _run(stripes, tmp_path, trouble=signalled("measurement", stage="inspect", number=signal.SIGINT))
    assert (first.code, "Traceback" in first.err) == (130, False)
    assert "the same command continues" in first.err


def test_a_finished_run_is_shown_again_and_left_alone(stripes: Path, tmp_path: Path) -> None:
    """The third command does nothing but tell: exit code 0, the same verdict, not a byte changed in the journal."""
    first = _run(stripes, tmp_path)
    assert first.code == 0, first.err
    run = tmp_path / "run"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    again = _run(stripes, tmp_path)
    assert again.code == 0
    assert "finished" in again.out.splitlines()[0]
    assert again.out.splitlines()[-6:] == first.out.splitlines()[-6:]
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_damaged_model_of_a_finished_run_is_mended(stripes: Path, tmp_path: Path) -> None:
    """The same command restores it from its copy; without a sound copy it says that the run must be made anew."""
    assert _run(stripes, tmp_path).code == 0
    model = tmp_path / "run" / "model.safetensors"
    whole = model.read_bytes()
    model.write_bytes(whole[:99])
    spoilt = epochal("predict", "run", stripes, cwd=tmp_path)
    assert (spoilt.code, "Traceback" in spoilt.err) == (2, False)
    assert _run(stripes, tmp_path).code == 0
    assert model.read_bytes() == whole
    for path in [model, *(tmp_path / "run" / "checkpoints").glob("*.safetensors")]:
        path.write_bytes(b"damaged")
    lost = _run(stripes, tmp_path)
    assert (lost.code, "Traceback" in lost.err) == (2, False)
    assert "model.safetensors" in lost.err
