"""The table of tips: which are built, where, and which test proves each; found by the ids that the code quotes."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
CLEAR = re.compile(r"\b(?:K\d|W\d)\.\d{1,2}\b")  # no word of another trade looks like these
SHORT = re.compile(r"\b[WLS]\d{1,2}\b(?!\.\d)")  # L1 is a norm too: only in brackets or after the word tip
QUOTED = re.compile(r"\(([KWLS]\d[KWLS\d., ]*)\)|[Tt]ips? ((?:[KWLS]\d[\d.]*(?:, | and | )?)+)")
EXAMPLE = re.compile(r"^\s*(>>>|\.\.\.) .*$", flags=re.MULTILINE)  # a rule made up for a docstring proves nothing

HEAD = """# Tips

<!-- Written by docs/_tips.py from the ids that sources and tests quote: run ./go docs -->

Four guides to training deep networks, their tips in our own words, where each is built, and the tests that hold it.
K is Karpathy's recipe in its version with 33 tips, W Wei's must-know tricks, L Lim's ten tips, S the summary of tricks.
A tip is listed as soon as a source file says that it serves it; tips that nothing serves yet are left out.
"""


def page() -> str:
    """The whole page."""
    built, tested = _quotes(ROOT / "src"), _quotes(ROOT / "tests")
    lines = [HEAD]
    for section, rows in names().items():
        shown = list(_rows(rows, built=built, tested=tested))
        if shown:
            lines += [f"## {section}", "", "| tip | what it says | where | test |", "|---|---|---|---|", *shown, ""]
    return "\n".join(lines)


def names() -> dict[str, dict[str, str]]:
    """Section -> ids -> name."""
    return tomllib.loads((DOCS / "tips.toml").read_text(encoding="utf-8"))


def quoted(text: str) -> set[str]:
    """The ids in a sentence.

    >>> sorted(quoted("Decay, L2 or L1, never on norms (W6.1, S13); see tip L4."))
    ['L4', 'S13', 'W6.1']
    """
    found = set(CLEAR.findall(text))
    for groups in QUOTED.findall(text):
        found |= {name for group in groups for name in SHORT.findall(group)}
    return found


def _rows(rows: dict[str, str], *, built: dict[str, list[Path]], tested: dict[str, list[Path]]) -> Iterator[str]:
    for ids, name in rows.items():
        where = sorted({file for each in ids.split() for file in built.get(each, [])})
        tests = {file for each in ids.split() for file in tested.get(each, [])} | set(filter(None, map(_mirror, where)))
        if where:
            yield f"| {ids} | {name} | {_files(where)} | {_files(sorted(tests))} |"


def _files(files: list[Path]) -> str:
    return "<br>".join(f"`{file.relative_to(ROOT).as_posix().removeprefix('src/epochal/')}`" for file in files)


def _mirror(source: Path) -> Path | None:
    file = ROOT / "tests" / source.relative_to(ROOT / "src" / "epochal")
    test = file.with_name(f"test_{file.name}")
    return test if test.is_file() else None


def _quotes(folder: Path) -> dict[str, list[Path]]:
    """Id -> files whose strings (docstrings, tips of rules, help) or comments quote it."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.rglob("*.py")):
        for name in sorted(ids(file.read_text(encoding="utf-8"))):
            found[name].append(file)
    return found


def ids(source: str) -> set[str]:
    """The ids that a source file quotes in its docstrings, its comments and the tips of its rules."""
    strings = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    said = [EXAMPLE.sub("", text) for text in strings if isinstance(text, str)]
    texts = said + re.findall(r"#(.*)", source)
    alone = {text for text in texts if SHORT.fullmatch(text)}  # tips=["L4"]
    return alone.union(*map(quoted, texts))
