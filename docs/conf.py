"""How Sphinx builds these pages. measurements.md and the pages below python/ are written at each build and not kept."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import _measurements  # noqa: E402
import _python  # noqa: E402 - it stands beside this file
from epochal import __version__  # noqa: E402

project = "epochal"
author = "the epochal authors"
project_copyright = "the epochal authors, Apache-2.0"
release = version = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

suppress_warnings = ["ref.python"]  # two rooms may each have a `Fit`; the signature then links to the first

html_theme = "furo"
html_title = "epochal"
html_static_path = ["_static"]
html_theme_options = {"navigation_with_keys": True}
toc_object_entries_show_parents = "hide"
add_module_names = False


def _write_reference() -> None:
    folder = HERE / "python"
    folder.mkdir(exist_ok=True)
    fresh = {folder / f"{name}.md": text for name, text in _python.pages().items()}
    for old in set(folder.glob("*.md")) - set(fresh):
        old.unlink()
    fresh[HERE / "measurements.md"] = _measurements.page()
    for file, text in fresh.items():
        if not file.is_file() or file.read_text(encoding="utf-8") != text:  # an untouched page is not built again
            file.write_text(text, encoding="utf-8")


_write_reference()
