"""The page of measurements: the tables that the scripts in benchmarks/ wrote, one after the other."""

import re
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"

HEAD = """# Measurements

What was measured, on which machine, with how many rounds. Each table was written by a script in `benchmarks/`, which
measures again when it is started. Processor time stands where machines were busy: trust ratios, not absolute figures.
"""


def page() -> str:
    """The whole page; each table keeps its title, one level down."""
    files = sorted(file for file in BENCHMARKS.rglob("*.md") if file.name != "README.md")
    return "\n".join([HEAD, *(lowered(file.read_text(encoding="utf-8")) for file in files)])


def lowered(text: str) -> str:
    """Headings one level deeper, blocks of code untouched.

    >>> lowered("# Cost")
    '## Cost'
    """
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else re.sub(r"^#", "##", part, flags=re.MULTILINE) for part in parts)
