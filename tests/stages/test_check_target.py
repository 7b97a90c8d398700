"""Facts about finding a user's program: by module or file; what goes wrong there is told in one line."""

import sys
from pathlib import Path

import pytest

from epochal.errors import SettingError
from epochal.stages.check_target import build


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a module."""
    (tmp_path / "their_beside.py").write_text("VALUE = 7\n")
    (tmp_path / "their_train.py").write_text(
        "from their_beside import VALUE\ndef build():\n    return {'model': VALUE}\ndef boom():\n    return 1 / 0\n"
    )
    monkeypatch.chdir(tmp_path)
    for name in ("their_train", "their_beside"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


@pytest.mark.parametrize("target", ["their_train:build", "their_train.py:build", "./their_train.py:build"])
def test_modules_and_files_are_found(folder: Path, target: str) -> None:
    """With what lies beside them, and the search path as before."""
    path = list(sys.path)
    assert build(target) == {"model": 7}
    assert sys.path == path


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("their_train", "MODULE:FUNCTION"),
        ("absent_module:build", "no module"),
        ("absent.py:build", "no file"),
        ("their_train:bild", "did you mean build"),
        ("their_train.py:boom", "their_train.py:5"),
    ],
)
def test_what_goes_wrong_is_one_line(folder: Path, target: str, told: str) -> None:
    """With the place in the user's code where there is one."""
    with pytest.raises(SettingError, match=told):
        build(target)


def test_errors_of_importing_name_their_line(folder: Path) -> None:
    """A syntax error, and a missing package."""
    Path("bad_syntax.py").write_text("x = (\n")
    Path("bad_import.py").write_text("\nimport not_there_at_all\n")
    with pytest.raises(SettingError, match=r"bad_syntax\.py:1"):
        build("bad_syntax.py:build")
    with pytest.raises(SettingError, match=r"bad_import\.py:2"):
        build("bad_import:build")
