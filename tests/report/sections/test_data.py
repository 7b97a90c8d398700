from __future__ import annotations

from epochal.report.record import Record
from epochal.report.sections.data import DataView, build
from report.clock import CLASSES, Event
from report.markup import Page


def seen(**measured: object) -> DataView | None:
    """The section for these measurements."""
    return build(
        Record.of([{"kind": "measurement", "name": f"data.{name}", "value": value} for name, value in measured.items()])
    )


def test_splits_and_classes_are_counted(events: list[Event], page: Page) -> None:
    """Each split has its share, each class its count in each split."""
    view = build(Record.of(events))
    assert view is not None
    assert [(row.name, row.counts[0]) for row in view.splits] == [
        ("train", "44,865"),
        ("val", "4,865"),
        ("test", "4,865"),
    ]
    assert [row.name for row in view.classes] == CLASSES
    assert view.classes[1].counts == ("4,497", "497", "497")
    assert "Classes" in [each.text for each in page.all("caption")]


def test_nothing_measured_is_no_section() -> None:
    """Without a word about the data there is nothing to show."""
    assert seen() is None
    assert seen(fingerprint="ab12") is None


def test_splits_may_be_bare_counts() -> None:
    """A journal that knows no classes still has its splits."""
    view = seen(splits={"train": 90, "test": 10})
    assert view is not None
    assert [row.counts for row in view.splits] == [("90", "90.0\xa0%"), ("10", "10.0\xa0%")]
    assert view.classes == ()


def test_leaks_come_before_mere_copies() -> None:
    """Groups of identical images across splits stand first."""
    view = seen(duplicates={"within": [["a", "b"]], "across": [["c", "d"]]})
    assert view is not None
    assert [where for where, _ in view.duplicates] == ["across splits", "inside one split"]


def test_long_lists_are_cut_and_counted() -> None:
    """Ten thousand broken files do not fill the page, but are not hidden."""
    view = seen(problems=[{"key": f"{index}.jpg", "problem": "empty"} for index in range(10_000)])
    assert view is not None
    assert (len(view.problems), view.problems_left_out) == (200, 9_800)
    assert view.lead == "10,000 files to look at."


def test_kept_files_are_told_apart() -> None:
    """A file with a wrong extension that was read says so."""
    view = seen(problems=[{"key": "a.png", "problem": "is a JPEG", "kept": True}])
    assert view is not None
    assert view.problems == (("a.png", "is a JPEG (kept)"),)
