"""The documentation says what the program does: generated pages are fresh, commands and rules are all there."""

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest
from PIL import Image

import _blocks
import _commands
import _pages
import _python
import _rules
import _tips
from epochal.recipe.config import settle
from epochal.testing import assert_rule_holds
from epochal.transforms.by_name import check_names

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BLOCKS = sorted(file.name for file in (DOCS / "blocks").glob("*.md") if file.stem != "index")
PROVEN = ("Augmentation", "The network", "Losses and penalties", "Optimisation")  # sections that are complete, and W2
SCRIPTS = sorted(file.stem for file in DOCS.glob("_*.py"))

FLAGS = {
    "run": {
        *("--budget", "-b", "--out", "-o", "--seed", "--task", "--image-size", "--recipe", "--set", "--fresh"),
        *("--quiet", "-q"),
    },
    "check": {"--format", "--output", "-o", "--ignore", "--select", "--seconds"},
    "explain": set(),
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


def test_reasons_stand_beside_what_waits() -> None:
    """What is not built, or not wholly, is a tip of one of the guides, and says why or what is missing."""
    known = {each for rows in _tips.names().values() for ids in rows for each in ids.split()}
    listed = _tips.later() | _tips.partly()
    assert set(listed) <= known
    assert all(listed.values())
    assert "(missing: dead units" in _tips.page()


def _proven() -> dict[str, _tips.Row]:
    """Rows of the complete sections, those aside that wait for a reason."""
    listed = {ids for section in PROVEN for ids in _tips.names()[section]}
    return {ids: row for ids, row in _tips.rows().items() if not row.later and (ids in listed or ids.startswith("W2."))}


@pytest.mark.parametrize("part", ["where", "tests", "pages"])
def test_every_tip_of_the_complete_sections_is_built_tested_and_explained(part: str) -> None:
    """Each row has a function or module that serves it, a test file, and a page whose heading or rule names it."""
    assert [ids for ids, row in _proven().items() if not getattr(row, part)] == []


def test_rows_that_wait_are_not_shown_as_built() -> None:
    """A row with a reason names no code, whatever quotes its id."""
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in _tips.page().splitlines() if " | " in line}
    assert all("not built" in lines[ids] for ids, row in _tips.rows().items() if row.later)


@pytest.mark.parametrize("name", BLOCKS)
def test_python_on_the_pages_of_blocks_runs(name: str) -> None:
    """What a reader copies from such a page, from top to bottom, works."""
    text = (DOCS / "blocks" / name).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert blocks
    room: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, name, "exec"), room)


@pytest.mark.parametrize("name", BLOCKS)
def test_settings_on_the_pages_of_blocks_are_settings(name: str) -> None:
    """Each `--set` of a page names a key that the recipe has, with a value that it takes."""
    text = (DOCS / "blocks" / name).read_text(encoding="utf-8")
    for line in re.findall(r"^epochal run .*$", text, flags=re.MULTILINE):
        words = shlex.split(line)
        settle(overrides=[words[at + 1] for at, word in enumerate(words) if word == "--set"])


def test_quotations_are_the_rows_of_the_files() -> None:
    """A page takes over the rows that it asks for, word for word, and an unknown row is an error."""
    file = "results/blocks-layers.md"
    rows = [line for line in (ROOT / "benchmarks" / file).read_text().splitlines() if line.startswith("| ASPP")]
    assert [line for line in _blocks.quotation(file, ["ASPP"]).splitlines() if line.startswith("| ASPP")] == rows
    with pytest.raises(LookupError, match="no row"):
        _blocks.quotation(file, ["nonsense"])


def test_pages_of_blocks_name_transforms_that_exist() -> None:
    """The names of augmentations on their page are those of the table."""
    text = (DOCS / "blocks" / "augmentation.md").read_text(encoding="utf-8")
    check_names(sorted({each for each in re.findall(r'"([a-z-]+)"', text) if each != "classification"}))


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
