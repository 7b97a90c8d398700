"""Stage 6: the page and the last lines, drawn from the journal alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from epochal.lines import read_lines
from epochal.report.page import render
from epochal.report.summary import summary
from epochal.stages.folder import RunFolder
from epochal.stages.progress import Progress
from epochal.writing import write_atomically


def write_report(folder: RunFolder) -> None:
    """Draw `report.html`; nothing but the journal is read."""
    write_atomically(folder.report, render(read_lines(folder.journal)))


def tell_verdict(folder: RunFolder, events: Iterable[Mapping[str, object]], *, progress: Progress) -> None:
    """The verdict in a few lines, and where to look further."""
    progress.line("")
    for line in summary(events):
        progress.line(line)
    progress.line(f"Report: {folder.report}")
    progress.line(f"Use it: epochal predict {folder.path} IMAGES")
