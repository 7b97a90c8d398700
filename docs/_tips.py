"""The table of tips: where each is built, which tests hold it, which page explains it; found by ids that are quoted."""

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import _blocks
import _rules

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
CLEAR = re.compile(r"\b(?:K\d|W\d)\.\d{1,2}\b")  # no word of another trade looks like these
SHORT = re.compile(r"\b[WLS]\d{1,2}\b(?!\.\d)")  # L1 is a norm too: only in brackets or after the word tip
RANGE = re.compile(r"\b([KWLS](?:\d\.)?)(\d{1,2}) to \1(\d{1,2})\b")  # W3.1 to W3.4
QUOTED = re.compile(r"\(([KWLS]\d[KWLS\d., ]*)\)|[Tt]ips? ((?:[KWLS]\d[\d.]*(?:, | and | )?)+)")
EXAMPLE = re.compile(r"^\s*(>>>|\.\.\.) .*$", flags=re.MULTILINE)  # a rule made up for a docstring proves nothing
LATER, PARTLY = "later", "partly"  # the tables of what is not built, and why, and of what is missing where it is
MOST = 8  # names in a cell

HEAD = """# Tips

<!-- Written by docs/_tips.py from the ids that sources, tests and pages quote: run ./go docs -->

Four guides to training deep networks, their tips in our own words: where each is built, the tests that hold it, and the
page that explains it. K is Karpathy's recipe in its version with 33 tips, W Wei's must-know tricks, L Lim's ten tips, S
the summary of tricks. A tip counts as built as soon as a source file says that it serves it.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What is known of the tips of one row: names in the code, test files, links to pages, what is left to build."""

    name: str
    where: tuple[str, ...]
    tests: tuple[str, ...]
    pages: tuple[str, ...]
    later: str = ""  # why it waits
    missing: str = ""


def page() -> str:
    """The whole page."""
    found = rows()
    lines = [HEAD]
    for section, named in names().items():
        lines += [f"## {section}", "", "| tip | what it says | where | test | page |", "|---|---|---|---|---|"]
        lines += [_line(ids, found[ids]) for ids in named] + [""]
    return "\n".join(lines)


def names() -> dict[str, dict[str, str]]:
    """Section -> ids -> name."""
    return {section: found for section, found in _file().items() if section not in {LATER, PARTLY}}


def later() -> dict[str, str]:
    """Id -> why it is not built."""
    return _file()[LATER]


def partly() -> dict[str, str]:
    """Id -> what is missing of it."""
    return _file()[PARTLY]


def rows() -> dict[str, Row]:
    """Ids of each row -> what code, tests and pages say of them."""
    built, tested, explained = _definitions(), _quotes(ROOT / "tests"), _explained()
    found = {}
    for named in names().values():
        for ids, name in named.items():
            places = sorted({place for each in ids.split() for place in built.get(each, [])})
            mirrors = filter(None, (_mirror(file) for file, _ in places))
            tests = dict.fromkeys([*mirrors, *(file for each in ids.split() for file in tested.get(each, []))])
            found[ids] = Row(
                name=name,
                where=tuple(f"{_module(file)}.{definition}".rstrip(".") for file, definition in places),
                tests=tuple(file.relative_to(ROOT).as_posix() for file in tests),
                pages=tuple(dict.fromkeys(link for each in ids.split() for link in explained.get(each, []))),
                later=next((later()[each] for each in ids.split() if each in later()), ""),
                missing="; ".join(partly()[each] for each in ids.split() if each in partly()),
            )
    return found


def quoted(text: str) -> set[str]:
    """The ids in a sentence.

    >>> sorted(quoted("Decay, L2 or L1, never on norms (W6.1, S13); see tip L4."))
    ['L4', 'S13', 'W6.1']
    >>> sorted(quoted("Where weights begin (W3.1 to W3.3)."))
    ['W3.1', 'W3.2', 'W3.3']
    """
    text = RANGE.sub(lambda each: ", ".join(f"{each[1]}{n}" for n in range(int(each[2]), int(each[3]) + 1)), text)
    found = set(CLEAR.findall(text))
    for groups in QUOTED.findall(text):
        found |= {name for group in groups for name in SHORT.findall(group)}
    return found


def ids(source: str) -> set[str]:
    """The ids that a source file quotes in its docstrings, its comments and the tips of its rules."""
    return _said(ast.parse(source)).union(*map(quoted, re.findall(r"#(.*)", source)))


def _file() -> dict[str, dict[str, str]]:
    return tomllib.loads((DOCS / "tips.toml").read_text(encoding="utf-8"))


def _line(ids: str, row: Row) -> str:
    if row.later or not row.where:
        return f"| {ids} | {row.name} | not built{': ' if row.later else ''}{row.later} | | |"
    where = _cell([f"{{py:obj}}`{name} <epochal.{name}>`" for name in row.where])
    name = f"{row.name} (missing: {row.missing})" if row.missing else row.name
    return f"| {ids} | {name} | {where} | {_cell([f'`{each}`' for each in row.tests])} | {_cell(row.pages)} |"


def _cell(parts: Sequence[str]) -> str:
    more = [f"and {len(parts) - MOST} more"] if len(parts) > MOST else []
    return "<br>".join([*parts[:MOST], *more])


def _mirror(source: Path) -> Path | None:
    file = ROOT / "tests" / source.relative_to(ROOT / "src" / "epochal")
    test = file.with_name(f"test_{file.name}")
    return test if test.is_file() else None


def _module(source: Path) -> str:
    return ".".join(source.relative_to(ROOT / "src" / "epochal").with_suffix("").parts).removesuffix(".__init__")


def _definitions() -> dict[str, set[tuple[Path, str]]]:
    """Id -> file and public name of each function, class or rule that quotes it, or the file alone."""
    found: dict[str, set[tuple[Path, str]]] = defaultdict(set)
    for file in sorted((ROOT / "src").rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        seen: set[str] = set()
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                for each in _said(node):
                    found[each].add((file, node.name))
                    seen.add(each)
        for each in ids(source) - seen:
            found[each].add((file, ""))
    return found


def _explained() -> dict[str, list[str]]:
    """Id -> links to the pages whose headings name it, and to the rules that carry it."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, text in _blocks.pages().items():
        for heading in _blocks.headings(text):
            for each in sorted(quoted(heading)):
                title = re.sub(r" \([KWLS]\d.*\)$", "", heading)
                found[each].append(f"[{title}](blocks/{name}.md#{_blocks.slug(heading)})")
    for rule, _ in _rules.rules().values():
        for each in rule.tips:
            found[each].append(f"[{rule.name}](rules/{rule.name}.md)")
    return found


def _quotes(folder: Path) -> dict[str, list[Path]]:
    """Id -> files whose strings (docstrings, tips of rules, help) or comments quote it."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.rglob("*.py")):
        for name in sorted(ids(file.read_text(encoding="utf-8"))):
            found[name].append(file)
    return found


def _said(tree: ast.AST) -> set[str]:
    """The ids in the strings of a piece of code."""
    strings: Iterator[ast.Constant] = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    said = [EXAMPLE.sub("", node.value) for node in strings if isinstance(node.value, str)]
    alone = {text for text in said if SHORT.fullmatch(text)}  # tips=["L4"]
    return alone.union(*map(quoted, said))
