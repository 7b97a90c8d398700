"""What the report shows of the data: counts, sizes, distributions, and what was left out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from epochal.checks.listing import named
from epochal.data.table import SPLITS, SampleTable

if TYPE_CHECKING:
    from epochal.data.catalogue import Catalogue
    from epochal.data.scan import Scan
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session
    from epochal.tasks.task import Task

_LISTED = 200  # problem files, and groups of duplicates, that go to the journal
_BARS = 20  # of the histogram of a value
_MASKS = 500  # of each split whose pixels are counted


def take_census(session: Session, inspected: Inspected, *, scanned: Scan) -> None:
    """Write down what the report shows of the data, and tell the most of it."""
    table, task = inspected.table, inspected.task
    session.measure(
        "task",
        {
            "name": task.name,
            "metric": task.metric.name,
            "higher_is_better": task.metric.higher_is_better,
            "unit": task.metric.unit,
            "period": _period(task),
        },
    )
    plain: dict[str, object] = {
        "data.source": session.source,
        "data.classes": list(inspected.task.names),
        "data.splits": {split: _counts(inspected, split) for split in SPLITS[1:]},
        "data.images": {split: len(table.index(split)) for split in SPLITS[1:]},
        "data.image_size": inspected.image_size,
        "data.channels": inspected.channels,
        "data.sizes": sizes(table),
        "data.modes": dict(Counter(table.modes)),
        "data.formats": dict(Counter(table.formats)),
        "data.mean": list(inspected.mean),
        "data.std": list(inspected.std),
        "data.problems": _problems(table),
        "data.duplicates": _duplicates(table),
    }
    for name, value in plain.items():
        session.measure(name, value)
    session.measure("data.carved", list(inspected.carved), note="splits that no folder gave, carved from train")
    session.measure("data.input_size", list(inspected.size), note="height and width of the network's input")
    if inspected.task.name == "regression":
        session.measure("data.values", _histograms(inspected))
    if inspected.task.dense:
        session.measure("data.pixels", _pixel_shares(inspected), note=f"of up to {_MASKS} masks of each split")
    _tell(session, inspected, scanned=scanned)


def _tell(session: Session, inspected: Inspected, *, scanned: Scan) -> None:
    pictures = scanned.catalogue
    session.measure("data.ignored", list(pictures.ignored[:_LISTED]), note="files that are no pictures")
    session.measure("data.stray", list(pictures.stray[:_LISTED]), note=f"pictures {_stray(pictures)}, left out")
    for why, keys in {_stray(pictures): pictures.stray, "no pictures": pictures.ignored}.items():
        if keys:
            session.progress.line(f"  left out, {why}: {named(keys)}")
    for remark in scanned.remarks:
        session.progress.line(f"  {remark}")
    train, val, test = len(inspected.train), len(inspected.val), len(inspected.splits.test)
    session.progress.line(
        f"  {len(inspected.table.index()):,} images, {_told(inspected.task)}: {train:,} to train, {val:,} to validate,"
        f" {test:,} sealed for the test" + (" (from the cache)" if scanned.from_cache else "")
    )


def _period(task: Task) -> float | None:
    """The circle on which the one column of values lies; None for anything else."""
    values = task.describe().get("values", ())
    return values[0].get("period") if len(values) == 1 else None


def _stray(pictures: Catalogue) -> str:
    if pictures.kind == "segmentation":
        return "without a mask"
    return "outside any class folder" if not pictures.companions else "without a row in the table"


def _told(task: Task) -> str:
    """What there is to tell apart, or to measure."""
    return ", ".join(task.names) if task.name == "regression" else f"{len(task.names)} classes"


def sizes(table: SampleTable) -> list[list[int]]:
    """Width, height and count of each size, the most frequent first."""
    usable = table.index()
    counts = Counter(zip(table.widths[usable].tolist(), table.heights[usable].tolist(), strict=True))
    return [[width, height, count] for (width, height), count in counts.most_common(12)]


def _counts(inspected: Inspected, split: str) -> dict[str, int]:
    """Samples of each class; those that have a label; or all of them, where nothing is counted by class."""
    table = inspected.table
    if inspected.task.name == "classification":
        return table.counts(split)
    if inspected.task.name == "multi-label" and split != "test":
        samples = inspected.train if split == "train" else inspected.val
        positives = samples.targets.sum(axis=0)
        return {name: int(count) for name, count in zip(inspected.task.names, positives, strict=True)}
    return {"images": len(table.index(split))}


def _problems(table: SampleTable) -> list[dict[str, str]]:
    listed = sorted(table.problems.items())[:_LISTED]
    return [{"key": table.keys[row], "problem": problem} for row, problem in listed]


def _histograms(inspected: Inspected) -> dict[str, Any]:
    """How each value is spread in train and val; the test split stays sealed."""
    spread = {}
    for column, name in enumerate(inspected.task.names):
        train, val = (samples.targets[:, column] for samples in (inspected.train, inspected.val))
        edges = np.histogram_bin_edges(np.concatenate([train, val]), bins=_BARS)
        spread[name] = {
            "edges": [round(float(edge), 6) for edge in edges],
            "train": np.histogram(train, edges)[0].tolist(),
            "val": np.histogram(val, edges)[0].tolist(),
        }
    return spread


def _pixel_shares(inspected: Inspected) -> dict[str, dict[str, float]]:
    """Share of each class among the labelled pixels of train and val."""
    names, shares = inspected.task.names, {}
    for split, samples in {"train": inspected.train, "val": inspected.val}.items():
        counts: Int[np.ndarray, " 256"] = np.zeros(256, np.int64)
        for row in samples.index[:_MASKS].tolist():
            counts += np.bincount(np.asarray(samples.labels[row]).ravel(), minlength=256)
        total = max(int(counts[: len(names)].sum()), 1)
        shares[split] = {name: round(int(counts[number]) / total, 6) for number, name in enumerate(names)}
    return shares


def _duplicates(table: SampleTable) -> dict[str, list[list[str]]]:
    """Groups of images with the same pixels, inside a split and across splits."""
    rows = table.index()
    groups: dict[bytes, list[int]] = {}
    for row, name in zip(rows.tolist(), table.pixel_hashes[rows], strict=True):
        groups.setdefault(name.tobytes(), []).append(row)
    found: dict[str, list[list[str]]] = {"across": [], "within": []}
    for group in groups.values():
        if len(group) > 1:
            kind = "across" if len(set(table.split_codes[group].tolist())) > 1 else "within"
            found[kind].append([table.keys[row] for row in group])
    return {kind: each[:_LISTED] for kind, each in found.items()}
