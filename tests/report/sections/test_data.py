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


def measured(**values: object) -> DataView:
    """The section for these measurements, which make one; `task` names the task."""
    task = values.pop("task", "classification")
    told = {"name": task, "metric": "any", "higher_is_better": True, "unit": "share"}
    events: list[Event] = [{"kind": "measurement", "name": "task", "value": told}]
    events += [{"kind": "measurement", "name": f"data.{name}", "value": value} for name, value in values.items()]
    view = build(Record.of(events))
    assert view is not None
    return view


def test_positives_are_no_images() -> None:
    """With several labels for each image, labels do not add up to images: those are counted apart."""
    splits = {"train": {"sea": 70, "sky": 60}, "test": {"images": 20}}
    view = measured(task="multi-label", classes=["sea", "sky"], splits=splits, images={"train": 100, "test": 20})
    assert view.lead == "120 images in 2 classes."
    assert [(row.name, row.counts[0]) for row in view.splits] == [("train", "100"), ("test", "20")]
    assert (view.class_heads, view.classes_title) == (("train",), "Images that have each label")
    assert [row.counts for row in view.classes] == [("70",), ("60",)]
    alone = measured(task="multi-label", classes=["sea", "sky"], splits=splits)
    assert [row.name for row in alone.splits] == ["test"]


def test_pixels_are_shares_of_each_split() -> None:
    """Masks are told by what they hold, in per cent, for the splits that are open."""
    pixels = {"train": {"road": 0.75, "sky": 0.25}, "val": {"road": 0.5, "sky": 0.5}}
    splits = {name: {"images": count} for name, count in {"train": 80, "val": 10, "test": 10}.items()}
    view = measured(task="segmentation", classes=["road", "sky"], pixels=pixels, splits=splits)
    assert view.lead == "100 images in 2 classes."
    assert view.classes_title == "Share of the labelled pixels"
    assert [row.counts for row in view.classes] == [("75.0\xa0%", "50.0\xa0%"), ("25.0\xa0%", "50.0\xa0%")]


def test_values_have_a_histogram() -> None:
    """Train as bars, val as steps over them; the names of values are not classes."""
    values = {"angle": {"edges": [0.0, 1.0, 2.0], "train": [6, 4], "val": [1, 1]}}
    view = measured(task="regression", classes=["angle"], values=values, splits={"train": {"images": 10}})
    assert view.lead == "10 images."
    assert view.classes == ()
    (chart,) = view.values
    assert (chart.name, chart.groups) == ("angle", ("train", "val"))
    page = Page.read(chart.svg)
    assert (len(page.all("rect")), len(page.all("path"))) == (2, 1)


def test_many_values_are_cut_and_counted() -> None:
    """Eight histograms are drawn, the rest is counted; broken ones are left out."""
    good = {"edges": [0.0, 1.0], "train": [6]}
    view = measured(task="regression", values={f"v{index}": good for index in range(20)} | {"bad": {"edges": []}})
    assert (len(view.values), view.values_left_out) == (8, 12)


def test_the_input_may_be_oblong() -> None:
    """Width by height, as for files; the side alone where no more is told."""
    assert ("The network receives", "256 × 192, 3 channels") in measured(
        input_size=[192, 256], image_size=256, channels=3
    ).facts
    assert ("The network receives", "64 × 64") in measured(image_size=64).facts


def test_the_task_is_told_with_its_reason() -> None:
    """What was found and why stands among the facts about the data."""
    decision = {"kind": "decision", "key": "task", "value": "regression", "origin": "measured", "reason": "one number"}
    view = build(Record.of([decision]))
    assert view is not None
    assert view.facts[0] == ("Task", "regression: one number")
