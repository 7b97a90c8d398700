"""From the house's docstrings to Markdown: examples and drawings become blocks of code, labels stand out."""

import re
import textwrap
from collections.abc import Iterator

LABELS = "Shapes|Units|Raises|Source"


def markdown(text: str) -> str:
    r"""A docstring as Markdown.

    >>> markdown("Half of `x`.\n\nUnits: as `x`.  Source: school.").split("\n\n")
    ['Half of `x`.', '**Units** as `x`.', '**Source** school.']
    >>> markdown("Its use:\n\n>>> 4 / 2\n2.0").splitlines()[2:]
    ['```pycon', '>>> 4 / 2', '2.0', '```']
    """
    return "\n\n".join(_block(block) for block in _blocks(text.strip("\n").splitlines()))


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines that belong together: a paragraph, an example, or a drawing with its blank lines."""
    block: list[str] = []
    for line in lines:
        if _kind(line) == "blank":
            if block and _kind(block[0]) == "indented":
                block.append("")
            elif block:
                yield block
                block = []
            continue
        ended = block and _kind(block[0]) == "indented" and _kind(line) != "indented"
        begun = block and _kind(block[0]) == "prose" and _kind(line) in ("example", "indented") and not _is_list(block)
        if ended or begun:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _kind(line: str) -> str:
    if not line.strip():
        return "blank"
    if line.startswith(">>> "):
        return "example"
    return "indented" if line.startswith("    ") else "prose"


def _is_list(block: list[str]) -> bool:
    return bool(re.match(r"([-*+]|\d+\.) ", block[0]))


def _block(lines: list[str]) -> str:
    text = "\n".join(lines).rstrip()
    kind = _kind(lines[0])
    if kind == "example":
        return f"```pycon\n{text}\n```"
    if kind == "indented":
        return f"```text\n{textwrap.dedent(text)}\n```"
    return _paragraph(text)


def _paragraph(text: str) -> str:
    """Labels such as `Units:` begin a paragraph each; what Markdown would misread is escaped."""
    apart = re.sub(rf"(^|\s+)({LABELS}):\s+", r"\n\n**\2** ", text).lstrip("\n")
    return re.sub(r"^([#>])", r"\\\1", apart, flags=re.MULTILINE)
