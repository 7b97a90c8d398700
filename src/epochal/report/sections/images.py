"""Sections that are a picture with its explanation: the batch as the network sees it, the first-layer filters."""

from __future__ import annotations

from dataclasses import dataclass

from epochal.report.fields import text
from epochal.report.pictures import Sheet, Unshown, sheets_of
from epochal.report.record import Record

_SECTIONS = ("batch", "filters", "dynamics", "errors")  # names that have a section of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagesView:
    """Pictures, those that cannot be shown, and facts that were measured about them."""

    lead: str
    sheets: tuple[Sheet, ...]
    unshown: tuple[Unshown, ...]
    facts: tuple[tuple[str, str], ...] = ()


def batch(record: Record) -> ImagesView | None:
    """The batch just before the network (tip K2.10), or None.

    >>> batch(Record.of([])) is None
    True
    """
    lead = "Decoded, augmented, normalised, and drawn back: if something looks wrong here, the network learns from it."
    return _named(record, "batch", lead=lead)


def filters(record: Record) -> ImagesView | None:
    """The first layer's filters (tip K4.11), or None.

    >>> filters(Record.of([])) is None
    True
    """
    lead = (
        "Smooth edges and colours are the mark of a layer that has learned; noise means that it has not, "
        "or that it was regularised too little."
    )
    return _named(record, "filters", lead=lead)


def others(record: Record) -> ImagesView | None:
    """Pictures that no other section shows, or None.

    >>> others(Record.of([])) is None
    True
    """
    newest = {text(event.get("name")): event for event in record.select("picture")}
    rest = [event for name, event in newest.items() if name.split(".")[0] not in _SECTIONS]
    sheets, unshown = sheets_of(rest, anchor="other")
    return ImagesView(lead="", sheets=tuple(sheets), unshown=tuple(unshown)) if rest else None


def _named(record: Record, name: str, *, lead: str) -> ImagesView | None:
    events = record.pictures(name)
    if not events:
        return None
    sheets, unshown = sheets_of(events, anchor=name)
    facts = tuple(
        (
            key.partition(".")[2].replace("_", " ").capitalize(),
            " ".join(filter(None, (text(event.get("value")), text(event.get("unit"))))),
        )
        for key, event in record.measurements().items()
        if key.startswith(f"{name}.")
    )
    return ImagesView(lead=lead, sheets=tuple(sheets), unshown=tuple(unshown), facts=facts)
