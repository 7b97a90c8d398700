"""The documentation says what the program does: generated pages are fresh, commands and rules are all there."""

import doctest
import importlib
import re
from pathlib import Path

import pytest
from PIL import Image

import _commands
import _pages
import _python
import _rules
import _tips
from epochal.testing import assert_rule_holds

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SCRIPTS = sorted(file.stem for file in DOCS.glob("_*.py"))

FLAGS = {
    "run": {
        *("--budget", "-b", "--out", "-o", "--seed", "--task", "--image-size", "--recipe", "--set", "--fresh"),
        *("--quiet", "-q"),
    },
    "predict": {"--output", "-o", "--format", "--quiet", "-q"},
    "report": set(),
    "export": {"--format", "--output", "-o"},
    "doctor": {"--tests", "--no-tests"},
}


def test_generated_pages_are_fresh() -> None:
    """The pages in the repository are what the program writes now; `./go docs` brings them up to date."""
    assert list(_pages.stale()) == []


def test_the_flags_of_the_command_line_are_settled() -> None:
    """A new option goes into the recipe, where `--set` reaches it, unless this set is changed on purpose."""
    assert {name: set(flags) for name, flags in _commands.flags().items()} == FLAGS


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_every_command_is_documented(page: str) -> None:
    """A reader meets each command in the README and on the page of the command line."""
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [name for name in _commands.commands() if f"epochal {name}" not in text] == []


def test_documented_commands_exist() -> None:
    """Pages name no command that the program does not have."""
    pages = [ROOT / "README.md", *DOCS.glob("*.md")]
    named = {
        name
        for page in pages
        for name in re.findall(r"^(?:\./go|epochal) ([a-z]+)", page.read_text(), flags=re.MULTILINE)
    }
    assert named - set(_commands.commands()) - {"test", "docs", "setup", "pin"} == set()


def test_every_rule_has_name_and_code_of_its_own() -> None:
    """A name or a code, once given, stands for one rule."""
    rules = [rule for rule, _ in _rules.rules().values()]
    assert rules
    assert len({rule.name for rule in rules}) == len({rule.code for rule in rules}) == len(rules)


@pytest.mark.parametrize("code", sorted(_rules.rules()))
def test_every_rule_holds(code: str) -> None:
    """Each rule fires on its bad cases, which its page shows, and is silent on its good ones."""
    assert_rule_holds(_rules.rules()[code][0])


def test_tips_quoted_in_the_code_exist() -> None:
    """An id in a source or a test is an id of one of the guides."""
    known = {each for rows in _tips.names().values() for ids in rows for each in ids.split()}
    quoted = {name for file in (ROOT / "src").rglob("*.py") for name in _tips.ids(file.read_text(encoding="utf-8"))}
    assert quoted - known == set()


def test_the_python_reference_shows_every_public_name() -> None:
    """A public function or class of a room is on the page of that room."""
    pages = _python.pages()
    assert "{py:function} examine(" in pages["core"]
    assert "{py:class} Batch" in pages["data"]
    assert "{py:method} replace(**changes: Any) -> Self" in pages["data"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_examples_of_the_scripts_run(name: str) -> None:
    """The examples in the docstrings of the scripts are true."""
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_python_on_the_first_pages_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies from the first pages works."""
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(8):
            colour = (16 * number, 200, 40) if label == "cat" else (40, 16 * number, 200)
            Image.new("RGB", (16, 16), colour).save(tmp_path / "photos" / label / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})
