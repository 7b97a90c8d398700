"""`./go`: sets itself up once, refuses what it cannot do politely, hands exit codes through."""

import importlib.util
import os
import shutil
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, in a folder of its own where installing is only written down."""
    for name in ("go", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    loader = SourceFileLoader("go", str(tmp_path / "go"))
    spec = importlib.util.spec_from_loader("go", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    return module


@pytest.fixture
def installed(go: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been installed, one entry for each call of pip."""
    calls: list[str] = []

    def make() -> None:
        Path(go.tool("python")).parent.mkdir(parents=True, exist_ok=True)
        Path(go.tool("python")).touch()

    monkeypatch.setattr(go, "make_environment", make)
    monkeypatch.setattr(go, "must", lambda command: calls.append(command[-1]))
    return calls


def test_the_environment_is_made_once(go: ModuleType, installed: list[str]) -> None:
    """The second start installs nothing."""
    go.refresh(["onnx"])
    go.refresh(["onnx"])
    assert installed == [".[onnx]"]


def test_changed_constraints_install_again(go: ModuleType, installed: list[str]) -> None:
    """Another set of versions is taken up at the next start, with all extras that were there before."""
    go.refresh(["onnx"])
    with Path("constraints.txt").open("a") as file:
        file.write("# another day\n")
    go.refresh(["parquet"])
    assert installed == [".[onnx]", ".[onnx,parquet]"]


def test_development_brings_everything(go: ModuleType, installed: list[str]) -> None:
    """After `./go test`, `./go run` has nothing to add."""
    go.refresh(["dev"])
    go.refresh(["onnx", "parquet"])
    assert installed == [".[dev]"]


def test_an_interrupted_installation_is_done_again(go: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a finished installation counts."""
    attempts: list[str] = []

    def fail(command: list[str]) -> None:
        attempts.append(command[-1])
        raise SystemExit(1)

    monkeypatch.setattr(go, "make_environment", lambda: None)
    monkeypatch.setattr(go, "must", fail)
    for _ in range(2):
        with pytest.raises(SystemExit):
            go.refresh(["onnx"])
    assert attempts == [".[onnx]", ".[onnx]"]


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((3, 0), 3), ((0, 5), 5)])
def test_any_failed_check_fails_the_whole(
    go: ModuleType, monkeypatch: pytest.MonkeyPatch, codes: tuple[int, int], expected: int
) -> None:
    """All checks run, and the exit code is that of the first that failed."""
    commands = [[sys.executable, "-c", f"raise SystemExit({code})"] for code in codes]
    monkeypatch.setattr(go, "CHECKS", [("one", commands[0]), ("two", commands[1])])
    monkeypatch.setattr(go, "tool", lambda name: name)
    assert go.check([]) == expected


def test_an_unknown_check_is_named(go: ModuleType) -> None:
    """A wrong name is answered with the right ones."""
    with pytest.raises(SystemExit, match="no check is called taste; there are lint, format"):
        go.check(["taste"])


def test_without_arguments_it_explains_itself() -> None:
    """`./go` alone installs nothing and prints what it can do."""
    shown = subprocess.run([sys.executable, str(ROOT / "go")], capture_output=True, text=True, check=True)
    assert "./go run digits" in shown.stdout


def test_an_old_python_is_refused_politely() -> None:
    """Below 3.11, with nothing newer on the path, one sentence says what is needed."""
    trick = (
        f"import sys, runpy; sys.version_info = (3, 9, 1); runpy.run_path({str(ROOT / 'go')!r}, run_name='__main__')"
    )
    environment = {**os.environ, "PATH": "nowhere"}
    refused = subprocess.run(
        [sys.executable, "-c", trick], env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert (
        refused.stderr == "go: this is Python 3.9; epochal needs 3.11 or newer. Install one, then: python3.11 go ...\n"
    )


@pytest.mark.parametrize("script", ["go", ".ci/run"])
def test_the_scripts_can_be_started(script: str) -> None:
    """Both are executable in a clone."""
    assert os.access(ROOT / script, os.X_OK)
