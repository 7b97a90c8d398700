"""What was learned from: splits, classes, sizes, and the files that need a look."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from epochal.report import wording
from epochal.report.comparisons import bar
from epochal.report.fields import items, mapping, number, numbers, rows, text, texts
from epochal.report.histogram import histogram
from epochal.report.metric import Metric
from epochal.report.record import Record

_MOST_PROBLEMS = 200
_MOST_GROUPS = 100
_MOST_CHARTS = 8
_TITLES = {"multi-label": "Images that have each label", "pixels": "Share of the labelled pixels"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A split or a class: its counts, and a bar that compares it with the others."""

    name: str
    counts: tuple[str, ...]
    bar: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueChart:
    """How the values of one column are distributed, and which group has which colour."""

    name: str
    svg: Markup
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataView:
    """What the data section shows."""

    lead: str
    facts: tuple[tuple[str, str], ...]
    splits: tuple[Row, ...]
    values: tuple[ValueChart, ...]
    values_left_out: int
    class_heads: tuple[str, ...]
    classes: tuple[Row, ...]
    classes_title: str
    problems: tuple[tuple[str, str], ...]
    problems_left_out: int
    duplicates: tuple[tuple[str, tuple[str, ...]], ...]
    duplicates_left_out: int


def build(record: Record) -> DataView | None:
    """The data section, or None where nothing was measured about the data.

    >>> splits = {"train": {"cat": 3, "dog": 1}}
    >>> build(Record.of([{"kind": "measurement", "name": "data.splits", "value": splits}])).lead
    '4 images in 2 classes.'
    """
    task = Metric.of(record).task
    told, images = _splits(record), _images(record, task=task)
    problems, duplicates = _problems(record), _duplicates(record)
    facts, charts, pixels = _facts(record), _values(record), _pixels(record)
    if not (told or images or problems or duplicates or facts or charts or pixels):
        return None
    classes = record.classes or sorted({name for each in told.values() for name in each if name})
    if task == "regression":
        classes = []  # its names are those of values
    by_class = pixels or {split: counts for split, counts in told.items() if set(counts) & set(classes)}
    return DataView(
        lead=_lead(images, classes=classes, problems=len(problems), duplicates=len(duplicates)),
        facts=facts,
        splits=_split_rows(images),
        values=charts[:_MOST_CHARTS],
        values_left_out=max(0, len(charts) - _MOST_CHARTS),
        class_heads=tuple(by_class),
        classes=_class_rows(by_class, classes=classes, write=wording.percent if pixels else wording.count),
        classes_title=_TITLES["pixels"] if pixels else _TITLES.get(task, "Classes"),
        problems=tuple(problems[:_MOST_PROBLEMS]),
        problems_left_out=max(0, len(problems) - _MOST_PROBLEMS),
        duplicates=tuple(duplicates[:_MOST_GROUPS]),
        duplicates_left_out=max(0, len(duplicates) - _MOST_GROUPS),
    )


def _splits(record: Record) -> dict[str, dict[str, float]]:
    """Counts by split and class; a bare count of a split stands under the empty class name."""
    told = mapping(record.measured("data.splits"))
    return {
        split: {name: found for name, each in mapping(value).items() if (found := number(each)) is not None}
        if isinstance(value, Mapping)
        else {"": number(value) or 0.0}
        for split, value in told.items()
    }


def _images(record: Record, *, task: str) -> dict[str, float]:
    """Images in each split: as measured, else summed over the classes where an image has one class only."""
    told = mapping(record.measured("data.images"))
    known = {split: found for split, each in told.items() if (found := number(each)) is not None}
    if known:
        return known
    alone = {split: each for split, each in _splits(record).items() if task != "multi-label" or set(each) <= {"images"}}
    return {split: sum(each.values()) for split, each in alone.items()}


def _lead(images: dict[str, float], *, classes: list[str], problems: int, duplicates: int) -> str:
    parts = []
    if images:
        inside = f" in {wording.counted(len(classes), 'class', many='classes')}" if classes else ""
        parts.append(f"{wording.counted(sum(images.values()), 'image')}{inside}")
    if problems:
        parts.append(f"{wording.counted(problems, 'file')} to look at")
    if duplicates:
        parts.append(f"{wording.counted(duplicates, 'group')} of identical images")
    return ", ".join(parts) + "." if parts else ""


def _split_rows(images: dict[str, float]) -> tuple[Row, ...]:
    total = sum(images.values()) or 1.0
    return tuple(
        Row(name=split, counts=(wording.count(amount), wording.percent(amount / total)), bar=bar(amount / total))
        for split, amount in images.items()
    )


def _class_rows(
    splits: dict[str, dict[str, float]], *, classes: list[str], write: Callable[[float | None], str]
) -> tuple[Row, ...]:
    """Counts, or shares, of each class in each split; the bars compare their sums."""
    sums = {name: sum(each.get(name, 0.0) for each in splits.values()) for name in classes}
    largest = max(sums.values(), default=0.0) or 1.0
    if not any(sums.values()):
        return ()
    return tuple(
        Row(
            name=name,
            counts=tuple(write(each.get(name, 0.0)) for each in splits.values()),
            bar=bar(sums[name] / largest),
        )
        for name in classes
    )


def _pixels(record: Record) -> dict[str, dict[str, float]]:
    """Share of the pixels of each class by split, as measured on masks."""
    return {
        split: {name: found for name, each in mapping(shares).items() if (found := number(each)) is not None}
        for split, shares in mapping(record.measured("data.pixels")).items()
        if mapping(shares)
    }


def _values(record: Record) -> tuple[ValueChart, ...]:
    """The distribution of each measured value, the splits over each other."""
    charts = []
    for name, each in mapping(record.measured("data.values")).items():
        told = mapping(each)
        edges = [edge for edge in numbers(told.get("edges")) if edge is not None]
        groups = {split: [count or 0.0 for count in numbers(counts)] for split, counts in told.items()}
        shown = {split: counts for split, counts in groups.items() if split != "edges" and sum(counts) > 0}
        svg = histogram(shown, edges=edges, label=name)
        if svg:
            charts.append(ValueChart(name=name, svg=svg, groups=tuple(shown)))
    return tuple(charts)


def _facts(record: Record) -> tuple[tuple[str, str], ...]:
    """Short facts about the files, those that were measured."""
    sizes = [numbers(each) for each in items(record.measured("data.sizes"))]
    shown = [
        f"{wording.count(w)} × {wording.count(h)}"
        + (f" ({wording.count(n)})" if n is not None and len(sizes) > 1 else "")
        for w, h, n in ((*each, None, None, None)[:3] for each in sizes)
    ]
    size, channels = number(record.measured("data.image_size")), number(record.measured("data.channels"))
    received = (
        f"{size:.0f} × {size:.0f}" + (f", {wording.counted(channels, 'channel')}" if channels else "") if size else ""
    )
    height, width = ([*numbers(record.measured("data.input_size")), None, None])[:2]
    if height and width:
        received = f"{width:.0f} × {height:.0f}" + (f", {wording.counted(channels, 'channel')}" if channels else "")
    task = record.decisions().get("task", {})
    facts = [
        ("Task", ": ".join(part for part in (text(task.get("value")), text(task.get("reason"))) if part)),
        ("Source", text(record.measured("data.source"))),
        ("Pixels", wording.listed(shown, most=4) if shown else ""),
        ("The network receives", received),
        ("Carved from train", wording.listed(texts(record.measured("data.carved")))),
        ("Formats", _tally(record.measured("data.formats"))),
        ("Modes", _tally(record.measured("data.modes"))),
        ("No pictures, left out", wording.listed(texts(record.measured("data.ignored")), most=6)),
        ("Mean of channels", ", ".join(wording.figure(each) for each in numbers(record.measured("data.mean")))),
        ("Spread of channels", ", ".join(wording.figure(each) for each in numbers(record.measured("data.std")))),
    ]
    return tuple((name, value) for name, value in facts if value)


def _tally(value: object) -> str:
    """Counts by name in a line, the largest first."""
    found = sorted(((number(each) or 0.0, name) for name, each in mapping(value).items()), reverse=True)
    return wording.listed([f"{name} {wording.count(amount)}" for amount, name in found], most=5) if found else ""


def _problems(record: Record) -> list[tuple[str, str]]:
    return [
        (text(each.get("key")), text(each.get("problem")) + (" (kept)" if each.get("kept") is True else ""))
        for each in rows(record.measured("data.problems"))
    ]


def _duplicates(record: Record) -> list[tuple[str, tuple[str, ...]]]:
    """Groups of identical images: those that reach across splits first, since they matter most."""
    told = record.measured("data.duplicates")
    kinds = {"across": "across splits", "within": "inside one split"}
    groups = mapping(told) if isinstance(told, Mapping) else {"within": told}
    return [
        (label, tuple(texts(group)))
        for kind, label in kinds.items()
        for group in items(groups.get(kind))
        if texts(group)
    ]
