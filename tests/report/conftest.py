"""The imagined run and its page, made once."""

from __future__ import annotations

import pytest

from epochal.report.page import render
from report.clock import Event
from report.markup import Page
from report.scenario import full_run


@pytest.fixture(scope="session")
def events() -> list[Event]:
    """The journal of a run that finished."""
    return full_run()


@pytest.fixture(scope="session")
def document(events: list[Event]) -> str:
    """Its report."""
    return render(events)


@pytest.fixture(scope="session")
def page(document: str) -> Page:
    """The report, read."""
    return Page.read(document)
