"""Stage 6: the page and the last lines, drawn from the journal alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epochal.lines import read_lines
from epochal.report.page import render
from epochal.report.summary import summary
from epochal.stages.folder import RunFolder, write_atomically

if TYPE_CHECKING:
    from epochal.stages.session import Session


def write_report(folder: RunFolder) -> None:
    """Draw `report.html`; nothing but the journal is read."""
    write_atomically(folder.report, render(read_lines(folder.journal)))


def tell_verdict(session: Session) -> None:
    """The verdict in a few lines, and where to look further."""
    session.progress.line("")
    for line in summary(session.journal.events):
        session.progress.line(line)
    folder = session.folder
    session.progress.line(f"Report: {folder.report}")
    session.progress.line(f"Use it: epochal predict {folder.path} IMAGES")
