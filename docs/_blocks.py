"""The pages of building blocks: written by hand, with tables that are quoted from the files of measurements.

A page says `<!-- measured: results/loop.md: first row; second row -->`; what stands between that line and
`<!-- end of measured -->` is written here: the rows that begin so, and where and on what they were measured.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

DOCS = Path(__file__).resolve().parent
FOLDER = DOCS / "blocks"
BENCHMARKS = DOCS.parent / "benchmarks"
END = "<!-- end of measured -->"
QUOTATION = re.compile(
    r"^<!-- measured: (\S+?)(?:: ([^\n]+))? -->\n.*?^" + re.escape(END) + "$", re.MULTILINE | re.DOTALL
)

HEAD = """# Building blocks

<!-- Written by docs/_blocks.py from the pages in docs/blocks/: change one of them, then run ./go docs -->

What the guides advise, one page for each family: what it is, when it helps, how to ask for it, and what was measured
here. Tables are quoted from the files that the scripts in `benchmarks/` wrote. [Tips](../tips.md) lists every tip with
its page.

| page | what is in it |
|---|---|
"""


def pages() -> dict[str, str]:
    """Page name -> text, with all quotations fresh, and the index."""
    written = {file.stem: refreshed(file.read_text(encoding="utf-8")) for file in _files()}
    rows = [f"| [{_title(text)}]({name}.md) | {_lead(text)} |" for name, text in written.items()]
    listed = ["", "```{toctree}", ":hidden:", "", *written, "```", ""]
    return {"index": HEAD + "\n".join([*rows, *listed]), **written}


def refreshed(text: str) -> str:
    """A page whose quotations say what the files of measurements say now."""
    return QUOTATION.sub(lambda found: "\n".join([_opening(found), "", quotation(*_asked(found)), "", END]), text)


def quotation(file: str, rows: Sequence[str] = ()) -> str:
    """Tables of a file of measurements, all rows or those that begin so, and the circumstances they were taken in.

    Raises: LookupError for rows that the file does not have.

    >>> print(quotation("healthy/depth.md", ["tanh"]))  # doctest: +ELLIPSIS
    | activation | in front of it | 1 deep | ...
    """
    title, *blocks = (BENCHMARKS / file).read_text(encoding="utf-8").strip().split("\n\n")
    told = [" ".join(block.split()) for block in blocks if not block.startswith(("|", "#"))]
    tables = list(_tables(blocks, rows=rows))
    for row in rows:
        if not any(line.startswith(f"| {row}") for table in tables for line in table.splitlines()):
            message = f"{file} has no row that begins with {row!r}."
            raise LookupError(message)
    source = f"*{title.removeprefix('# ')}* (`benchmarks/{file}`, whole among the [measurements](../measurements.md))"
    return "\n\n".join([*tables, f"> {source}: {' '.join(told)}"])


def headings(text: str) -> Iterator[str]:
    r"""The headings of a page, which name the tips that it explains.

    >>> list(headings("# Dropout\n\n## DropPath (S17)\n"))
    ['Dropout', 'DropPath (S17)']
    """
    outside = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (line.lstrip("# ") for line in outside.splitlines() if re.match(r"#{1,3} ", line))


def slug(heading: str) -> str:
    """The anchor that Sphinx gives to a heading.

    >>> slug("Batch, layer and group (L1, W6.1)")
    'batch-layer-and-group-l1-w61'
    """
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _files() -> list[Path]:
    return sorted(file for file in FOLDER.glob("*.md") if file.stem != "index")


def _tables(blocks: Sequence[str], *, rows: Sequence[str]) -> Iterator[str]:
    """Each table with rows that are asked for, under the heading it stands under."""
    heading = ""
    for block in blocks:
        if block.startswith("#"):
            heading = block.lstrip("# ")
        if not block.startswith("|"):
            continue
        columns, rule, *lines = block.splitlines()
        wanted = [line for line in lines if not rows or any(line.startswith(f"| {row}") for row in rows)]
        if wanted:
            said = [f"**{heading}**", ""] if heading else []
            yield "\n".join([*said, columns, rule, *(line for line, _ in groupby(wanted))])


def _asked(found: re.Match[str]) -> tuple[str, list[str]]:
    file, rows = found.groups()
    return file, [each.strip() for each in rows.split(";")] if rows else []


def _opening(found: re.Match[str]) -> str:
    return found.group().splitlines()[0]


def _title(text: str) -> str:
    return next(headings(text))


def _lead(text: str) -> str:
    """The first paragraph below the title."""
    return " ".join(text.split("\n\n")[1].split())
