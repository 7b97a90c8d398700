"""A rule's page in the terminal, read from the sources: nothing is imported, so it answers at once."""

from __future__ import annotations

import ast
import difflib
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from epochal.errors import SettingError

_ROOMS = ("checks", "monitors")
_SOURCES = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the sources say of one rule."""

    name: str
    code: str
    severity: str
    tips: tuple[str, ...]
    doc: str
    module: str
    expected: tuple[str, ...]
    remedies: tuple[str, ...]
    fires: tuple[str, ...]  # names of cases
    silent: tuple[str, ...]
    thresholds: tuple[str, ...]  # `NAME = value  # why`

    @property
    def what(self) -> str:
        """The first sentence."""
        return " ".join(self.doc.split("\n\n")[0].split())


@cache
def known_rules() -> tuple[Page, ...]:
    """Every rule, in the order of the codes.

    >>> known_rules()[0].code
    'EP101'
    """
    files = [file for room in _ROOMS for file in sorted((_SOURCES / room).glob("*.py"))]
    return tuple(sorted((page for file in files for page in _pages(file)), key=lambda page: page.code))


def explain(name: str) -> str:
    """The page of a rule, by its name or code.

    Raises: SettingError if there is no such rule, with the nearest that there are.

    >>> explain("EP402").splitlines()[0]
    'flat-loss (EP402, warning)'
    """
    for page in known_rules():
        if name.lower() in {page.name, page.code.lower()}:
            return _told(page)
    names = [page.name for page in known_rules()]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or [each for each in names if name in each][:3]
    raise SettingError(
        f"There is no rule {name!r}.",
        expected="the name or the code of a rule.",
        remedy=f"did you mean {', '.join(near)}?" if near else "epochal explain lists all of them.",
    )


def listing() -> str:
    """All rules, one line each.

    >>> "EP402" in listing()
    True
    """
    pages = known_rules()
    width = max(len(page.name) for page in pages)
    lines = [f"{page.code}  {page.name:<{width}}  {page.severity:<8} {page.what}" for page in pages]
    return "\n".join([*lines, "", f"{len(pages)} rules. `epochal explain NAME` tells more of one."])


def _told(page: Page) -> str:
    parts = [f"{page.name} ({page.code}, {page.severity})", "", page.doc, ""]
    for title, rows in (
        ("Expected", page.expected),
        ("What to do", page.remedies),
        ("It speaks on", page.fires),
        ("It stays silent on", page.silent),
        ("Thresholds", page.thresholds),
    ):
        if rows:
            parts += [title, *(textwrap.indent(each, "  ") for each in rows), ""]
    tips = f"Tips {' '.join(page.tips)}. " if page.tips else ""
    return "\n".join([*parts, f"{tips}Source: src/{page.module.replace('.', '/')}.py"])


def _pages(file: Path) -> Iterator[Page]:
    text = file.read_text(encoding="utf-8")
    if "@rule(" not in text:
        return
    tree = ast.parse(text)
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    constants = _constants(tree, text.splitlines())
    cases = _cases(tree)
    for function in functions.values():
        made = next((each for each in function.decorator_list if _is_rule(each)), None)
        if isinstance(made, ast.Call):
            options = {each.arg: each.value for each in made.keywords}
            used, reached = _names(function, functions)
            yield Page(
                name=_text(made.args[0]),
                code=_text(options["code"]),
                severity=_severity(options["severity"]),
                tips=tuple(ast.literal_eval(options["tips"])) if "tips" in options else (),
                doc=inspect.cleandoc(ast.get_docstring(function) or ""),
                module=f"epochal.{file.parent.name}.{file.stem}",
                expected=tuple(_keywords(reached, "expected")),
                remedies=tuple(_keywords(reached, "remedy")),
                fires=tuple(cases.get((function.name, "fires_on"), ())),
                silent=tuple(cases.get((function.name, "silent_on"), ())),
                thresholds=tuple(value for name, value in constants.items() if name in used),
            )


def _is_rule(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "rule"


def _severity(node: ast.expr) -> str:
    name = node.attr if isinstance(node, ast.Attribute) else ""
    return {"WARN": "warning"}.get(name, name.lower())


def _text(node: ast.expr) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ast.unparse(node)


def _names(function: ast.FunctionDef, functions: dict[str, ast.FunctionDef]) -> tuple[set[str], list[ast.FunctionDef]]:
    """Names that a function uses, by way of the functions of its module as well; and those functions."""
    reached, waiting, used = [function], [function], set()
    while waiting:
        names = {each.id for each in ast.walk(waiting.pop()) if isinstance(each, ast.Name)}
        used |= names
        more = [functions[name] for name in sorted(names) if name in functions and functions[name] not in reached]
        reached += more
        waiting += more
    return used, reached


def _keywords(reached: list[ast.FunctionDef], name: str) -> Iterator[str]:
    """What is passed under this name where an observation is made; parts that are measured stand in braces."""
    seen = set()
    for function in reached:
        for node in ast.walk(function):
            if isinstance(node, ast.keyword) and node.arg == name:
                for text in _sentences(node.value):
                    if text not in seen:
                        seen.add(text)
                        yield text


def _sentences(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _sentences(node.body)
        yield from _sentences(node.orelse)
    elif isinstance(node, ast.Constant):
        yield str(node.value)
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(each.value) if isinstance(each, ast.Constant) else "{" + ast.unparse(each)[3:-2] + "}"
            for each in node.values
        )


def _constants(tree: ast.Module, lines: list[str]) -> dict[str, str]:
    """Name -> a threshold with the comment that stands above it or beside it."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and all(each.isupper() for each in _targets(node)):
            above: list[str] = []
            row = node.lineno - 2
            while row >= 0 and lines[row].startswith("#"):
                above.insert(0, lines[row].lstrip("# "))
                row -= 1
            own = " ".join(lines[node.lineno - 1 : node.end_lineno])
            if isinstance(node.value, ast.Constant | ast.UnaryOp | ast.Tuple) and len(own) < 160:
                why = f"\n  {' '.join(above)}" if above else ""
                found |= dict.fromkeys(_targets(node), own + why)
    return found


def _targets(node: ast.Assign) -> list[str]:
    return [each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)]


def _cases(tree: ast.Module) -> dict[tuple[str, str], list[str]]:
    """(function of the rule, fires_on or silent_on) -> names of cases, in order."""
    found: dict[tuple[str, str], list[str]] = {}
    for node in tree.body:
        call = node.value if isinstance(node, ast.Expr) else None
        while isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            owner: ast.expr = call
            while isinstance(owner, ast.Call) and isinstance(owner.func, ast.Attribute):
                owner = owner.func.value
            if isinstance(owner, ast.Name) and call.args:
                found.setdefault((owner.id, call.func.attr), []).insert(0, _text(call.args[0]))
            call = call.func.value
    return found
