"""One page for each rule, from the Rule object: what it finds, the cases that prove it, what it says on them."""

import ast
import importlib
import inspect
import pkgutil
import sys
import textwrap
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import _docstrings
from epochal.findings import Case, Rule

ROOMS = ("epochal.checks", "epochal.monitors")
HEAD = """# Rules

<!-- Written by docs/_rules.py from the rules themselves: change a rule, then run ./go docs -->

Each rule is named for the fault that it finds. It looks at evidence that was measured before, and says where the fault
is, what was measured, what was expected and what to do. Every rule has cases on which it must speak and cases on which
it must stay silent; a test runs them all, and the rule's page shows them.
"""
NOTE = "<!-- Written by docs/_rules.py from the rule itself: change {place}, then run ./go docs -->"


def rules() -> dict[str, tuple[Rule[Any], str]]:
    """Code -> rule and the module in which it stands, in the order of the codes."""
    found = {
        value.code: (value, module.__name__)
        for module in _modules()
        for value in vars(module).values()
        if isinstance(value, Rule) and value.look.__module__ == module.__name__
    }
    return dict(sorted(found.items()))


def pages() -> dict[str, str]:
    """Page name -> text: the list of rules, and each rule."""
    listed = rules()
    return {"index": _index(listed)} | {each.name: _page(each, place) for each, place in listed.values()}


def _modules() -> Iterator[ModuleType]:
    for room in ROOMS:
        package = importlib.import_module(room)
        for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda each: each.name):
            yield importlib.import_module(f"{room}.{info.name}")


def _index(listed: dict[str, tuple[Rule[Any], str]]) -> str:
    rows = ["| rule | code | severity | what it finds | tips |", "|---|---|---|---|---|"]
    for code, (each, _) in listed.items():
        tips = " ".join(each.tips)
        rows.append(f"| [{each.name}]({each.name}.md) | {code} | {each.severity} | {_first_sentence(each)} | {tips} |")
    names = [each.name for each, _ in listed.values()]
    return "\n".join([HEAD, *rows, "", "```{toctree}", ":hidden:", "", *names, "```", ""])


def _page(each: Rule[Any], place: str) -> str:
    path = "src/" + place.replace(".", "/") + ".py"
    facts = [f"**{each.code}**", f"severity: {each.severity}"]
    facts += ["tips: " + " ".join(each.tips)] if each.tips else []
    lines = [f"# {each.name}", "", NOTE.format(place=path), "", " · ".join(facts) + f" · `{place}`", ""]
    lines += [_docstrings.markdown(inspect.cleandoc(each.doc)), ""]
    lines += ["## Where it speaks", ""]
    for case in each.firing:
        lines += _case(case) + _said(each, case)
    lines += ["## Where it stays silent", ""]
    for case in each.silent:
        lines += _case(case)
    return "\n".join(lines).rstrip() + "\n"


def _case(case: Case[Any]) -> list[str]:
    return [f"**{case.name}**", "", "```python", _source(case), "```", ""]


def _said(each: Rule[Any], case: Case[Any]) -> list[str]:
    lines: list[str] = []
    for finding in each(case.build()):
        lines += [f"> **{finding.where}**: {finding.measured}"]
        parts = {"expected": finding.expected, "cause": finding.cause, "what to do": finding.remedy}
        lines += [f">\n> {name}: {text}" for name, text in parts.items() if text]
        lines += [""]
    return lines


def _source(case: Case[Any]) -> str:
    """What builds the evidence, as it stands in the source: the body of a lambda, or a whole function."""
    build: Any = case.build
    if build.__name__ != "<lambda>":
        return textwrap.dedent(inspect.getsource(build)).strip()
    module = inspect.getsource(sys.modules[build.__module__])
    for node in ast.walk(ast.parse(module)):
        if isinstance(node, ast.Call) and len(node.args) > 1 and isinstance(node.args[1], ast.Lambda):
            name, function = node.args[0], node.args[1]
            if ast.unparse(name) == repr(case.name) and function.lineno == build.__code__.co_firstlineno:
                return textwrap.dedent(
                    " " * function.body.col_offset + (ast.get_source_segment(module, function.body) or "")
                )
    message = f"The case {case.name!r} is not written as fires_on(name, lambda: ...) or silent_on(name, lambda: ...)."
    raise LookupError(message)


def _first_sentence(each: Rule[Any]) -> str:
    return " ".join(each.doc.split("\n\n")[0].split()).replace("|", "\\|")
