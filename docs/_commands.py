"""The page of the command line, from the same objects that print `--help`."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from epochal.cli import app

HEAD = """# Command line

<!-- Written by docs/_commands.py from the program's own help: change src/epochal/cli.py, then run ./go docs -->

`epochal --help` lists the commands, `epochal COMMAND --help` explains one.

| exit code | meaning |
|---|---|
| 0 | done |
| 2 | something in the command or in the data cannot be used; the message says what and what to do |
| 3 | a check stopped the run: its finding says what is wrong |
| 4 | the budget ended first; the best model so far is saved where there is one |
| 130 | interrupted with Ctrl-C; the same command continues |
"""


def commands() -> dict[str, Any]:
    """Name -> command object, in the order of the help."""
    group: Any = typer.main.get_command(app)  # typer keeps its own copy of click, without public types
    return dict(group.commands)


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_section(name, command) for name, command in commands().items())


def flags() -> dict[str, list[str]]:
    """Every option of every command: a test keeps this set from growing unnoticed."""
    return {
        name: sorted(flag for each in command.params for flag in [*each.opts, *each.secondary_opts] if flag[0] == "-")
        for name, command in commands().items()
    }


def _section(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = " ".join(["epochal", name, *(each.metavar or each.name.upper() for each in arguments), "[OPTIONS]"])
    rows = [
        f"| {_cell(_spelling(each))} | {_cell(each.help or '')}{_default(each)} |"
        for each in command.params
        if not each.hidden
    ]
    table = ["| | |", "|---|---|", *rows, ""]
    return "\n".join([f"\n## epochal {name}", "", f"```text\n{usage}\n```", "", *_prose(command.help or ""), *table])


def _spelling(each: Any) -> str:
    if each.param_type_name == "argument":
        return f"`{each.metavar or each.name.upper()}`"
    value = "" if _is_flag(each) else f" {each.metavar or _kind(each)}"
    return ", ".join(f"`{flag}{value if flag.startswith('--') else ''}`" for flag in [*each.opts, *each.secondary_opts])


def _is_flag(each: Any) -> bool:
    return isinstance(each.default, bool)


def _kind(each: Any) -> str:
    annotation = each.type_descriptor.annotation
    if issubclass(annotation, Enum):
        return "|".join(str(member.value) for member in annotation)
    name = str(annotation.__name__)
    return {"str": "TEXT", "int": "NUMBER", "float": "NUMBER"}.get(name, name.upper())


def _default(each: Any) -> str:
    if each.default in (None, False) or each.required:
        return ""
    value = getattr(each.default, "value", each.default)
    return f" Default: {each.opts[0] if value is True else value}."


def _prose(text: str) -> Iterator[str]:
    """Paragraphs as they are; lines that the help indents become one block of code."""
    code: list[str] = []
    for line in text.splitlines():
        if line.startswith("    "):
            code.append(line.strip())
        elif line.strip():
            yield from _block(code)
            code = []
            yield line
        elif not code:
            yield ""  # a paragraph ends
    yield from _block(code)
    yield ""


def _block(code: list[str]) -> list[str]:
    return ["```console", *code, "```", ""] if code else []


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
