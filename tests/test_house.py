"""The house rules that no other tool checks: sizes, names, places, metadata, what importing costs."""

import ast
import re
import resource
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import metadata, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import epochal

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "epochal"
SOURCES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted(file for file in (ROOT / "tests").rglob("*.py") if file.name.startswith("test_"))
SHAPED_ROOMS = ("stats", "losses", "layers", "transforms")
PURE_ROOMS = ("stats", "losses", "layers", "transforms", "models", "optim", "tasks", "ensembles", "report")
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc"}
IMPORT_NAMES = {"pillow": "PIL"}  # where a package is imported under another name
Function = ast.FunctionDef | ast.AsyncFunctionDef


def _place(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def _functions(file: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def _lines_of_code(function: Function) -> int:
    """From `def` to the end, without the docstring: long explanations are welcome."""
    assert function.end_lineno is not None
    first = function.body[0]
    has_docstring = ast.get_docstring(function, clean=False) is not None
    told = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
    return function.end_lineno - function.lineno + 1 - told


def test_no_file_is_longer_than_300_lines() -> None:
    """A module holds one idea; where it grows past 300 lines there are two."""
    long = {_place(file): n for file in SOURCES + TESTS if (n := len(file.read_text().splitlines())) > 300}
    assert long == {}


def test_no_function_is_longer_than_40_lines() -> None:
    """A function fits on a screen, docstring not counted."""
    long = {
        f"{_place(file)}:{each.name}": n
        for file in SOURCES
        for each in _functions(file)
        if (n := _lines_of_code(each)) > 40
    }
    assert long == {}


def test_no_name_says_nothing() -> None:
    """A room or file called utils, common or manager has no noun; things in it belong elsewhere."""
    assert [_place(file) for file in SOURCES if EMPTY_NAMES & set(file.relative_to(SOURCE).with_suffix("").parts)] == []


def test_every_source_file_has_its_test() -> None:
    """`src/epochal/room/noun.py` is tested in `tests/room/test_noun.py`."""
    missing = [
        _place(file)
        for file in SOURCES
        if file.name not in {"__init__.py", "__main__.py"}
        and not (ROOT / "tests" / file.relative_to(SOURCE).parent / f"test_{file.name}").is_file()
    ]
    assert missing == []


def test_every_test_states_its_fact() -> None:
    """Each test function has a docstring that says what is true."""
    silent = [
        f"{_place(file)}:{each.name}"
        for file in TESTS
        for each in _functions(file)
        if each.name.startswith("test_") and not ast.get_docstring(each)
    ]
    assert silent == []


def test_every_public_function_of_a_pure_room_shows_its_use() -> None:
    """Where no disk and no clock is touched, each public function has an example, which the tests run."""
    files = [file for room in PURE_ROOMS for file in (SOURCE / room).rglob("*.py")]
    silent = [
        f"{_place(file)}:{each.name}"
        for file in files
        for each in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(each, ast.FunctionDef)
        and not each.name.startswith("_")
        and ">>>" not in (ast.get_docstring(each) or "")
    ]
    assert silent == []


def test_shaped_rooms_keep_real_annotations() -> None:
    """Where shapes are checked while tests run, annotations are objects, not strings."""
    files = [file for room in SHAPED_ROOMS for file in (SOURCE / room).rglob("*.py")]
    assert [_place(file) for file in files if "from __future__ import annotations" in file.read_text()] == []


def test_nothing_is_left_for_later() -> None:
    """No stub and no test that cannot fail is kept."""
    weak = re.compile(r"\bassert True\b|pytest\.skip\(\)|\braise NotImplementedError\b|#\s*TO" + "DO")
    assert [_place(file) for file in SOURCES + TESTS if file != Path(__file__) and weak.search(file.read_text())] == []


def test_no_path_of_a_machine_is_in_the_tree() -> None:
    """What one machine calls its folders is nobody else's business, and breaks on every other machine."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    anyones = re.compile(r"(?<![\w.~])/(?:home|root|Users|opt|mnt)/\w")
    own = f"{ROOT.parent}/"
    found = []
    for name in filter(None, listed.stdout.split("\0")):
        file = ROOT / name
        content = file.read_bytes() if file.is_file() else b""
        text = "" if b"\0" in content else content.decode("utf-8", errors="replace")
        if anyones.search(text) or (len(own) > 6 and own in text):
            found.append(name)
    assert found == []


def test_the_metadata_tell_the_truth() -> None:
    """The installed package names its version, licence, Python and program as the sources do."""
    told = metadata("epochal")
    assert told["Version"] == epochal.__version__
    assert told["License-Expression"] == "Apache-2.0"
    assert told["Requires-Python"] == ">=3.11"
    assert (ROOT / "LICENSE").read_text().lstrip().startswith("Apache License")
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"] == {"epochal": "epochal.cli:main"}


def test_every_import_is_declared() -> None:
    """What the sources import is the standard library, epochal, or a declared dependency."""
    declared = {canonicalize_name(each.name) for each in _requirements() if _is_for_users(each)}
    names = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in declared} | {"epochal"}
    unknown = {
        f"{_place(file)}: {name}"
        for file in SOURCES
        for name in _imports(file)
        if name not in names and name not in sys.stdlib_module_names
    }
    assert unknown == set()


def _requirements() -> list[Requirement]:
    return [Requirement(line) for line in requires("epochal") or []]


def _is_for_users(each: Requirement) -> bool:
    return each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in ("onnx", "parquet"))


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name.split(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def test_constraints_name_every_dependency() -> None:
    """Development uses one set of versions, none of which exists on one machine alone."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {canonicalize_name(line.split("==")[0]): line.split("==")[1] for line in lines}
    needed = {canonicalize_name(each.name) for each in _requirements() if _is_for_development(each)} - {"epochal"}
    assert needed - set(pinned) == set()
    assert [name for name, version in pinned.items() if "+" in version] == []


def _is_for_development(each: Requirement) -> bool:
    """Whether `./go setup` installs it: what the extra `dev` gathers, or what everyone needs."""
    return each.marker is None or each.marker.evaluate({"extra": "dev"})


def _modules_after(code: str) -> set[str]:
    loaded = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sorted(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(loaded.stdout.split())


def test_importing_epochal_is_light() -> None:
    """`import epochal` loads neither torch nor anything else that is not ours or Python's."""
    roots = {name.split(".")[0] for name in _modules_after("import epochal") - _modules_after("pass")}
    assert roots - set(sys.stdlib_module_names) == {"epochal"}


def test_the_front_door_and_the_rooms_share_no_name() -> None:
    """Importing a room sets an attribute of its name on the package: a function of that name would vanish behind it."""
    rooms = {file.relative_to(SOURCE).parts[0].removesuffix(".py") for file in SOURCES}
    assert set(epochal.__all__) & rooms == set()


@pytest.mark.parametrize(
    "room", ["history", "findings", "recipe.journal", "recipe.recipe", "report", "stats", "monitors"]
)
def test_judging_and_drawing_need_no_torch(room: str) -> None:
    """A saved run can be judged and drawn where PyTorch is not installed."""
    assert "torch" not in _modules_after(f"import epochal.{room}")


def _work_of_children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def test_help_loads_no_torch(record_property: Callable[[str, object], None]) -> None:
    """`epochal --help` answers without PyTorch; how long it took is told at the end, and judged by nobody."""
    program = (
        "import sys\nfrom epochal.cli import main\nsys.argv = ['epochal', '--help']\ntry: main()\nexcept SystemExit: "
    )
    started, worked = time.perf_counter(), _work_of_children()
    shown = subprocess.run(
        [sys.executable, "-c", f"{program}sys.exit('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=False,
    )
    passed, worked = time.perf_counter() - started, _work_of_children() - worked
    record_property("measured", f"epochal --help: {passed:.2f} s, {worked:.2f} of them at work (wanted: under 0.5)")
    assert shown.returncode == 0, shown.stderr
    assert "Usage" in shown.stdout
