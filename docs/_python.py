"""The Python reference, read from the source without importing it: one page for each room."""

import ast
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import _docstrings

SOURCE = Path(__file__).resolve().parent.parent / "src" / "epochal"
CORE = "core"  # the page of the files that stand in no room
Definition = ast.FunctionDef | ast.ClassDef


def pages() -> dict[str, str]:
    """Page name -> text: an index, and one page for each room."""
    files = sorted((file for file in SOURCE.rglob("*.py") if not _hidden(file)), key=lambda file: (_room(file), file))
    rooms = {room: _page(room, list(group)) for room, group in groupby(files, key=_room)}
    return {"index": _index(rooms), **rooms}


def _hidden(file: Path) -> bool:
    return any(part.startswith("_") for part in file.relative_to(SOURCE).with_suffix("").parts if part != "__init__")


def _room(file: Path) -> str:
    parts = file.relative_to(SOURCE).parts
    return CORE if len(parts) == 1 else parts[0]


def _index(rooms: dict[str, str]) -> str:
    return "\n".join(
        [
            "# Python",
            "",
            "Every room of the package, its public names, and the examples that the tests run.",
            "",
            "```{toctree}",
            ":maxdepth: 1",
            "",
            *sorted(rooms, key=lambda room: (room != CORE, room)),
            "```",
            "",
        ]
    )


def _page(room: str, files: list[Path]) -> str:
    title = "The core" if room == CORE else f"epochal.{room}"
    return "\n".join([f"# {title}", "", *(line for file in files for line in _module(file))]) + "\n"


def _module(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    name = ".".join(["epochal", *file.relative_to(SOURCE).with_suffix("").parts]).removesuffix(".__init__")
    documented = [node for node in tree.body if isinstance(node, Definition) and not node.name.startswith("_")]
    is_room = file.name == "__init__.py"
    if not is_room:
        yield f"## {name}\n"
    yield f"```{{py:module}} {name}\n```\n"
    yield _docstrings.markdown(ast.get_docstring(tree) or "") + "\n"
    source = file.read_text(encoding="utf-8")
    for node in documented:
        yield from _definition(node, source, depth=0)


def _definition(node: Definition, source: str, *, depth: int) -> Iterator[str]:
    """A directive of Sphinx, whose content is the docstring, the fields and the methods."""
    fence = "`" * (8 - depth)
    content = [_docstrings.markdown(ast.get_docstring(node) or "")]
    if isinstance(node, ast.ClassDef):
        kind, signature = "class", node.name
        content += _fields(node, source)
        methods = [each for each in node.body if isinstance(each, ast.FunctionDef) and not each.name.startswith("_")]
        content += [line for each in methods for line in _definition(each, source, depth=depth + 1)]
    elif {"property", "cached_property"} & set(map(_decorator, node.decorator_list)):
        kind, signature = "property", node.name
    else:
        kind, signature = ("method" if depth else "function"), _signature(node, drop_self=depth > 0)
    yield "\n".join([f"{fence}{{py:{kind}}} {signature}", *_options(node), "", *content, fence, ""])


def _options(node: Definition) -> list[str]:
    said = [f":{name}:" for name in map(_decorator, node.decorator_list) if name in {"classmethod", "staticmethod"}]
    if isinstance(node, ast.FunctionDef) and node.returns and "property" in map(_decorator, node.decorator_list):
        return [f":type: {ast.unparse(node.returns)}"]
    return said


def _decorator(node: ast.expr) -> str:
    return ast.unparse(node).split("(")[0].rpartition(".")[2]


def _signature(node: ast.FunctionDef, *, drop_self: bool) -> str:
    arguments = ast.unparse(node.args)
    if drop_self and "staticmethod" not in map(_decorator, node.decorator_list):
        arguments = re.sub(r"^(self|cls)(, )?", "", arguments)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({arguments}){returns}"


def _fields(node: ast.ClassDef, source: str) -> list[str]:
    """The fields of a dataclass or the members of an enumeration, with the comments that explain them."""
    lines = source.splitlines()
    shown: list[str] = []
    for each in node.body:
        if isinstance(each, ast.AnnAssign | ast.Assign):
            target = each.target if isinstance(each, ast.AnnAssign) else each.targets[0]
            if not ast.unparse(target).startswith("_"):
                shown += [line.removeprefix("    ") for line in lines[each.lineno - 1 : each.end_lineno]]
    return ["", "```python", *shown, "```", ""] if shown else []
