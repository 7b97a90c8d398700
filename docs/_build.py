"""Build the documentation: `python docs/_build.py` writes the generated pages first, `--check` only compares them."""

import sys

from sphinx.cmd.build import main as sphinx

import _pages


def main(arguments: list[str]) -> int:
    """Pages, then HTML; any warning of Sphinx is an error."""
    if "--check" in arguments:
        old = list(_pages.stale())
        if old:
            print(f"Out of date: {', '.join(old)}. Run ./go docs and commit what it writes.")
            return 1
    else:
        _pages.write()
    target = _pages.DOCS / "_build" / "html"
    return int(sphinx(["-b", "html", "-E", "-W", "--keep-going", "-q", str(_pages.DOCS), str(target)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
