from __future__ import annotations

from epochal.report.record import Record
from epochal.report.sections.images import batch, filters, others
from report.clock import Event
from report.markup import Page


def test_the_batch_is_cut_into_its_images(page: Page) -> None:
    """Each image of the batch is a cell with its class, all cut from one picture."""
    assert len(page.all("image", id="batch-0")) == 1
    assert len(page.all("use", href="#batch-0")) == 32
    assert len(page.all("use", href="#filters-0")) == 32


def test_facts_about_a_picture_stand_below_it(events: list[Event]) -> None:
    """Measurements that begin with the name of the picture belong to it."""
    view = batch(Record.of(events))
    assert view is not None
    assert view.facts == (("Range", "−2.0 to 2.1"), ("Shape", "256 × 3 × 32 × 32"))


def test_the_newest_picture_of_a_name_holds(events: list[Event]) -> None:
    """Filters drawn twice are drawn as they were last."""
    drawn = next(event for event in events if event.get("name") == "filters")
    view = filters(Record.of([drawn, {**drawn, "caption": "at the end"}]))
    assert view is not None
    assert [sheet.caption for sheet in view.sheets] == ["at the end"]


def test_variants_of_a_name_stand_together(events: list[Event]) -> None:
    """`filters.linear` is one more picture of the same section, not a stray."""
    drawn = next(event for event in events if event.get("name") == "filters")
    record = Record.of([drawn, {**drawn, "name": "filters.linear"}])
    view = filters(record)
    assert view is not None
    assert [sheet.anchor for sheet in view.sheets] == ["filters-0", "filters-1"]
    assert others(record) is None


def test_a_picture_that_cannot_be_shown_is_named() -> None:
    """The section stands, and says what is wrong."""
    view = others(Record.of([{"kind": "picture", "name": "map", "media": "image/svg+xml"}]))
    assert view is not None
    assert [(each.name, each.reason) for each in view.unshown] == [("map", "its type, image/svg+xml, is not shown")]


def test_no_picture_is_no_section() -> None:
    """Without pictures there is nothing to show."""
    assert batch(Record.of([])) is filters(Record.of([])) is others(Record.of([])) is None
