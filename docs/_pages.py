"""The pages that are written by the program, all in one place: path below docs/ -> text."""

from collections.abc import Iterator
from pathlib import Path

import _blocks
import _commands
import _recipe
import _rules
import _tips

DOCS = Path(__file__).resolve().parent
GENERATED_FOLDER = DOCS / "rules"  # holds nothing written by hand


def pages() -> dict[str, str]:
    """Every generated page that is kept in the repository."""
    return {
        "commands.md": _commands.page(),
        "recipe.md": _recipe.page(),
        "tips.md": _tips.page(),
        **{f"blocks/{name}.md": text for name, text in _blocks.pages().items()},
        **{f"rules/{name}.md": text for name, text in _rules.pages().items()},
    }


def stale() -> Iterator[str]:
    """Paths whose text differs from what the program says now, or that no longer belong to anything."""
    fresh = pages()
    for path, text in fresh.items():
        file = DOCS / path
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            yield path
    for file in GENERATED_FOLDER.glob("*.md"):
        if f"rules/{file.name}" not in fresh:
            yield f"rules/{file.name}"


def write() -> None:
    """Bring the pages in the repository up to date."""
    fresh = pages()
    for path in list(stale()):
        file = DOCS / path
        if path not in fresh:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(fresh[path], encoding="utf-8")
        print(f"wrote docs/{path}")
