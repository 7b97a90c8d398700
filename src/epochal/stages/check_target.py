"""Where somebody's program is found: `package.module:function`, or `train.py:function`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from epochal.errors import SettingError


def build(target: str) -> Any:
    """Import the module, call the function without arguments, and give what it returns.

    The current folder is searched first, as `python -m` does.
    Raises: SettingError if there is no such module or function, or if it raises; the place in the user's code is named.
    """
    where, _, name = target.rpartition(":")
    if not where or not name:
        raise SettingError(
            f"The program is {target!r}.",
            expected="MODULE:FUNCTION or FILE.py:FUNCTION.",
            remedy="for example train.py:build, where build() returns a dict of model, data, loss and optimizer.",
        )
    module = _module(where)
    function = getattr(module, name, None)
    if not callable(function):
        known = [each for each, value in vars(module).items() if callable(value) and not each.startswith("_")]
        raise SettingError.unknown(f"function of {where}", name, known=known or ["a function"])
    try:
        return function()
    except (Exception, SystemExit) as error:
        raise _raised(f"{target} raised", error) from error


def _module(where: str) -> ModuleType:
    file = Path(where)
    if file.suffix == ".py" and not file.is_file():
        raise SettingError(
            f"There is no file {where}.", expected="a Python file.", remedy="give its path from the current folder."
        )
    sys.path.insert(0, str(file.resolve().parent if file.suffix == ".py" else Path.cwd()))
    try:
        return _from_file(file) if file.suffix == ".py" else importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name and where.startswith(error.name):
            raise SettingError(
                f"There is no module {where}.",
                expected="a module that Python can import from here.",
                remedy="give the path of its file instead, as in train.py:build.",
            ) from error
        raise _raised(f"Importing {where} raised", error) from error
    except (Exception, SystemExit) as error:
        raise _raised(f"Importing {where} raised", error) from error
    finally:
        sys.path.pop(0)


def _from_file(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None, "the ending is .py"  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module  # dataclasses and pickling look their module up
    spec.loader.exec_module(module)
    return module


def _raised(what: str, error: BaseException) -> SettingError:
    """The user's error in one line with its place, never a traceback."""
    from epochal.stages.examination import place, said

    line = f"{error.filename}:{error.lineno}" if isinstance(error, SyntaxError) else place(error)
    return SettingError(
        f"{what} {said(error)}" + (f" at {line}." if line else "."),
        expected="a function that returns a dict, or an object with model, data, loss, optimizer.",
        remedy="mend that line, then check again.",
    )
