"""Mistakes of the user: three lines that help, exit code 2, and nothing done."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from faults.program import epochal
from pictures import folder_of, png, two_classes


def _helpful(err: str) -> bool:
    """What happened, what was expected, what to do; no traceback."""
    words = ("epochal:", "expected:", "what to do:")
    return "Traceback" not in err and all(word in err for word in words)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "network.widht=64"], "did you mean network.width?"),
        (["--set", "widht=64"], "network.width"),
        (["--set", "network.width=3"], "network.width is 3"),
        (["--set", "seed"], "no equals sign"),
        (["--task", "translation"], "task is 'translation'"),
        (["--budget", "soon"], "budget is 'soon'"),
        (["--budget", "0"], "budget is '0'"),
        (["--image-size", "9000"], "data.image_size is 9000"),
        (["--image-size", "4"], "data.image_size is 4"),
        (["--recipe", "nowhere.toml"], "nowhere.toml cannot be read"),
    ],
)
def test_a_wrong_value_is_named_with_a_way_out(stripes: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    """The key, its value, what it may be, and the nearest name where it is unknown."""
    ended = epochal("run", stripes, *arguments, cwd=tmp_path)
    assert ended.code == 2
    assert _helpful(ended.err)
    assert said in ended.err


@pytest.mark.parametrize("text", ["network = [", "[network]\nwidht = 3", "\x00\xff"])
def test_a_recipe_that_cannot_be_used_is_refused(stripes: Path, tmp_path: Path, text: str) -> None:
    """No TOML, an unknown key, or no text at all."""
    (tmp_path / "mine.toml").write_bytes(text.encode("latin-1"))
    ended = epochal("run", stripes, "--recipe", "mine.toml", cwd=tmp_path)
    assert (ended.code, _helpful(ended.err)) == (2, True)
    assert "mine.toml" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["run", "digits", "--epochs", "3"], ["trian", "digits"], ["export", "x", "--format", "keras"]],
)
def test_an_unknown_option_or_command_is_usage(tmp_path: Path, arguments: list[str]) -> None:
    """The usage line and what was not understood."""
    ended = epochal(*arguments, cwd=tmp_path)
    assert ended.code == 2
    assert "Usage" in ended.err
    assert "Traceback" not in ended.err


def test_a_path_that_is_not_there_offers_its_neighbours(stripes: Path, tmp_path: Path) -> None:
    """A slip of the finger is easily mended."""
    ended = epochal("run", stripes.with_name("stirpes"), cwd=tmp_path)
    assert (ended.code, _helpful(ended.err)) == (2, True)
    assert str(stripes) in ended.err


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "holds no images"),
        ({"notes.txt": b"words"}, "holds no images"),
        ({"1.png": png(1), "2.png": png(2)}, "no class folders"),
        ({"cat/1.png": png(1), "cat/2.png": png(2)}, "one class only, cat"),
        ({"cat/1.png": png(1)}, "a single image"),
        ({"cat/1.png": png(1), "dog/1.png": png(2)}, "too few different images"),
        ({"cat/1.png": b"broken", "dog/1.png": b"broken"}, "can be read"),
        ({f"train/{key}": b"broken" for key in two_classes(3)} | two_classes(3, top="test/"), "left to train on"),
    ],
)
def test_data_that_teach_nothing_are_refused(tmp_path: Path, files: dict[str, bytes], said: str) -> None:
    """Empty, without classes, one class, one image, too few, unreadable: each in its own words."""
    data = tmp_path / "photos"
    data.mkdir()
    ended = epochal("run", folder_of(files, data), cwd=tmp_path)
    assert (ended.code, _helpful(ended.err)) == (2, True)
    assert said in ended.err


def test_a_budget_for_nothing_says_so(stripes: Path, tmp_path: Path) -> None:
    """Exit code 4 and what would be enough, before any work is begun."""
    ended = epochal("run", stripes, "--budget", "0.000001s", cwd=tmp_path)
    assert (ended.code, _helpful(ended.err)) == (4, True)
    assert "ended before there was a model" in ended.err
    assert "--budget" in ended.err


def test_a_budget_too_small_to_train_leaves_the_best_so_far(stripes: Path, tmp_path: Path) -> None:
    """Exit code 4 with a usable, evaluated model, again and again."""
    command = ("run", stripes, "--budget", "1.5s", "--set", "runtime.threads=1", "--out", "run")
    ended = epochal(*command, cwd=tmp_path)
    assert ended.code == 4, ended.err
    assert (tmp_path / "run" / "model.safetensors").exists()
    assert (tmp_path / "run" / "summary.json").exists()
    assert "skipped" in ended.out
    assert epochal(*command, cwd=tmp_path).code == 4
    said = epochal("predict", "run", stripes / "test", "--quiet", cwd=tmp_path)
    assert (said.code, len(said.out.splitlines())) == (0, 31)


def _broken_batch() -> None:
    """Let the network receive NaN."""
    from unittest import mock

    from epochal.checks.batch import describe_batch

    def broken(images: Any, labels: Any, **known: Any) -> object:
        return describe_batch(images * float("nan"), labels, **known)

    mock.patch("epochal.stages.skeleton.describe_batch", broken).start()


def test_a_check_that_says_stop_stops_with_three(stripes: Path, tmp_path: Path) -> None:
    """Exit code 3, the rule by name, and a report that shows it."""
    ended = epochal(
        "run", stripes, "--budget", "60s", "--set", "runtime.threads=1", "--out", "run", cwd=tmp_path,
        trouble=_broken_batch,
    )  # fmt: skip
    assert (ended.code, _helpful(ended.err)) == (3, True)
    assert "broken-input" in ended.err
    assert "broken-input" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "broken-input" in (tmp_path / "run" / "findings.json").read_text(encoding="utf-8")


def test_a_reader_that_has_gone_is_no_crash() -> None:
    """`epochal --help | true` leaves no traceback behind."""
    command = [sys.executable, "-m", "epochal.cli", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (1, "")
