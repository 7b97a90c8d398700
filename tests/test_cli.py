"""The command line: what it offers is frozen, what it prints can be piped, what goes wrong has a code."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from epochal import __version__, cli
from epochal.errors import CheckFailed
from epochal.stages import predict as predict_module
from pictures import folder_of, png
from stages.models import facts_of, run_with
from stages.whole import SETTINGS, Whole, copied

runner = CliRunner()


def _main(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The entry point, with its exit code."""
    monkeypatch.setattr(sys, "argv", ["epochal", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def _options(finished: Whole) -> list[str]:
    chosen = [f"{key}={value}" for key, value in SETTINGS.items() if key != "budget_seconds"]
    sets = [word for each in chosen for word in ("--set", each)]
    return ["--budget", f"{SETTINGS['budget_seconds']:g}s", *sets, "--out", str(finished.folder.path)]


def test_the_commands_and_options_are_frozen() -> None:
    """People's scripts depend on each of these words: a change here is a decision, not an accident."""
    commands = {each.callback.__name__: each.callback for each in cli.app.registered_commands if each.callback}
    assert commands.keys() == {"run", "predict", "report", "export", "check", "explain", "doctor"}
    offered = {name: _words(name) for name in commands}
    assert offered["run"] == {
        "--budget", "-b", "--out", "-o", "--seed", "--task", "--image-size", "--recipe", "--set", "--fresh", "--quiet",
        "-q", "--help", "-h",
    }  # fmt: skip
    assert offered["predict"] == {"--output", "-o", "--format", "--quiet", "-q", "--help", "-h"}
    assert offered["report"] == {"--help", "-h"}
    assert offered["export"] == {"--format", "--output", "-o", "--help", "-h"}
    assert offered["check"] == {"--format", "--output", "-o", "--ignore", "--select", "--seconds", "--help", "-h"}
    assert offered["explain"] == {"--help", "-h"}
    assert offered["doctor"] == {"--tests", "--no-tests", "--help", "-h"}


def _words(command: str) -> set[str]:
    from typer.main import get_command

    group = get_command(cli.app)
    found = group.commands[command]  # type: ignore[attr-defined]
    words = {word for each in found.params for word in (*each.opts, *each.secondary_opts) if word.startswith("-")}
    return words | set(found.context_settings.get("help_option_names", ["--help", "-h"]))


@pytest.mark.parametrize(
    "command", [[], ["run"], ["predict"], ["report"], ["export"], ["check"], ["explain"], ["doctor"]]
)
def test_every_command_explains_itself(command: list[str]) -> None:
    """`--help` and `-h` say the same."""
    long, short = (runner.invoke(cli.app, [*command, word]) for word in ("--help", "-h"))
    assert long.exit_code == 0
    assert "Usage" in long.output
    assert long.output == short.output


def test_the_version_is_told() -> None:
    """One line with the version of the package."""
    assert runner.invoke(cli.app, ["--version"]).output == f"epochal {__version__}\n"


def test_a_finished_run_ends_with_zero(
    finished: Whole, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options of the command line reach the recipe: the same request finds the same run, told or quiet."""
    assert _main(monkeypatch, "run", finished.data, *_options(finished)) == 0
    assert "is finished" in capsys.readouterr().out
    assert _main(monkeypatch, "run", finished.data, *_options(finished), "-q") == 0
    assert capsys.readouterr() == ("", "")


def test_predictions_can_be_piped(
    finished: Whole, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Standard output holds the table alone."""
    assert _main(monkeypatch, "predict", finished.folder.path, finished.data / "test", "--format", "json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 40


def test_the_name_of_the_output_decides_its_format(
    finished: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--output p.json` is JSON without more words; an ending that is no format is an error."""
    assert _main(monkeypatch, "predict", finished.folder.path, finished.data / "test", "-o", tmp_path / "p.JSON") == 0
    assert len(json.loads((tmp_path / "p.JSON").read_text())) == 40
    assert _main(monkeypatch, "predict", finished.folder.path, finished.data / "test", "-o", tmp_path / "p.xlsx") == 2


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_folder_as_output_gets_table_and_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """`--output out/` makes out/predictions.csv and out/masks; without it, or with a file, there is no place."""
    run = run_with(tmp_path / "run", facts_of("segmentation")).path
    photos = folder_of({"a/x.png": png(1, side=40), "b/x.png": png(2, side=33)}, tmp_path / "photos")
    out = tmp_path / "out"
    assert _main(monkeypatch, "predict", run, photos, "--output", f"{out}/", "--format", kind) == 0
    assert {each.relative_to(out).as_posix() for each in out.rglob("*.*")} == {
        f"predictions.{kind}",
        "masks/a/x.png",
        "masks/b/x.png",
    }
    for more in ([], ["--output", tmp_path / "table.csv"]):
        assert _main(monkeypatch, "predict", run, photos, *more) == 2


def test_reports_and_exports_name_what_they_wrote(
    finished: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The path, and for an export how far its outputs were from the model's."""
    folder = copied(finished.folder, tmp_path / "run")
    assert _main(monkeypatch, "report", folder.path) == 0
    assert _main(monkeypatch, "export", folder.path, "--format", "torch") == 0
    told = capsys.readouterr().out
    assert f"Wrote {folder.report}" in told
    assert f"Wrote {folder.path / 'model.pt2'}" in told
    assert "largest difference of a logit" in told


def test_checking_ends_with_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """0 where nothing is wrong, 3 where an error is found, 2 where the program cannot be had."""
    (tmp_path / "checked.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def build(*last):\n"
        "    model = nn.Sequential(nn.Linear(3, 2), *last)\n"
        "    batch = torch.randn(32, 3), torch.arange(32) % 2\n"
        "    return {'model': model, 'data': batch, 'loss': nn.CrossEntropyLoss()}\n"
        "def bad():\n    return build(nn.Softmax(1))\n"
    )
    monkeypatch.chdir(tmp_path)
    assert _main(monkeypatch, "check", "checked.py:build", "--select", "double-softmax") == 0
    assert _main(monkeypatch, "check", "checked.py:bad", "--format", "json", "-o", "out.json", "--seconds", 0) == 3
    assert json.loads((tmp_path / "out.json").read_text())["ok"] is False
    assert _main(monkeypatch, "check", "checked.py:none") == 2
    assert _main(monkeypatch, "check", "checked.py:build", "--format", "yaml") == 2
    assert _main(monkeypatch, "explain", "EP250") == 0
    assert "double-softmax" in capsys.readouterr().out


@pytest.mark.parametrize(("healthy", "code"), [(True, 0), (False, 3)])
def test_the_doctor_ends_with_its_verdict(monkeypatch: pytest.MonkeyPatch, *, healthy: bool, code: int) -> None:
    """0 where the engine keeps its promises, 3 where it does not."""
    monkeypatch.setattr("epochal.stages.doctor.examine_machine", lambda **_: healthy)
    assert _main(monkeypatch, "doctor", "--no-tests") == code


def _raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(predict_module, "predict_files", fail)


def test_an_error_of_ours_is_three_lines_and_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happened, what was expected, what to do, on standard error."""
    _raising(monkeypatch, CheckFailed("It is odd.", expected="an even one.", remedy="add one."))
    assert _main(monkeypatch, "predict", "run", "images") == 3
    said = capsys.readouterr()
    assert said.err == "epochal: It is odd.\n  expected:   an even one.\n  what to do: add one.\n"


def test_ctrl_c_ends_with_the_code_of_a_shell(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """130, and the promise that the same command continues."""
    _raising(monkeypatch, KeyboardInterrupt())
    assert _main(monkeypatch, "predict", "run", "images") == 130
    assert "the same command continues" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO])
def test_trouble_with_the_disk_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    """The system's words and the place."""
    _raising(monkeypatch, OSError(number, os.strerror(number), "runs/x/journal.jsonl"))
    assert _main(monkeypatch, "predict", "run", "images") == 2
    told = capsys.readouterr().err
    assert os.strerror(number) in told
    assert "runs/x/journal.jsonl" in told


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not the user's to mend is not dressed up as if it were."""
    _raising(monkeypatch, OSError(errno.EBADF, os.strerror(errno.EBADF)))
    monkeypatch.setattr(sys, "argv", ["epochal", "predict", "run", "images"])
    with pytest.raises(OSError, match="Bad file descriptor"):
        cli.main()


def test_names_that_the_terminal_cannot_spell_do_no_harm(finished: Whole) -> None:
    """With an ASCII terminal class names are written as escapes: no crash, nothing lost."""
    ended = subprocess.run(
        [sys.executable, "-m", "epochal.cli", "predict", str(finished.folder.path), str(finished.data / "val")],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "l\\xe4ngs" in ended.stdout
