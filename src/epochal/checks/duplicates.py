"""Rules about samples that show the same pixels: copies, leaks between splits, labels that contradict."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from epochal.checks.listing import capped, counted, named
from epochal.checks.specimens import Specimen, many, table_of
from epochal.data.table import SPLITS, SampleTable
from epochal.findings import Observation, Severity, rule

# Up to this share of copies the effect on a score drowns in its interval, whatever the size of the set; beyond it
# a copied class is learnt by heart. Healthy sets measure 0 (CIFAR-10, digits: benchmarks/healthy/data.md).
MANY = 0.01


@rule("duplicates-across-splits", code="EP120", severity=Severity.ERROR, tips=["K1.1"])
def duplicates_across_splits(table: SampleTable) -> Iterator[Observation]:
    """The same picture stands in two splits: the network is examined on what it was taught.

    Every such sample is a question whose answer was given away, so the score promises too much. Copies inside
    train/ do not hurt a validation split that epochal carves itself, for it keeps copies together; this rule is
    about splits that came as folders. Delete the copies from train/, never from test/, or old scores on that
    test set can no longer be compared. Images of one single colour do not count.
    """
    groups = _groups(table)
    for first, second in combinations(SPLITS[1:], 2):
        shared = [group for group in groups if {first, second} <= {SPLITS[table.split_codes[row]] for row in group}]
        if shared:
            yield _leak(table, shared, splits=(first, second))


@rule("conflicting-labels", code="EP121", severity=Severity.WARN, tips=["K1.1", "K1.2"])
def conflicting_labels(table: SampleTable) -> Iterator[Observation]:
    """The same picture carries two different labels: at least one of them is wrong.

    No network can satisfy both, so the loss has a floor above zero, and the class borders blur. Look at each and
    keep the right one. Images of one single colour do not count: they have a rule of their own.
    """
    groups = [group for group in _groups(table) if len({table.labels[row] for row in group}) > 1]
    yield from capped((_conflict(table, group) for group in groups), total=len(groups))


@rule("duplicate-samples", code="EP122", severity=Severity.NOTE, tips=["K1.1"])
def duplicate_samples(table: SampleTable) -> Iterator[Observation]:
    """The same picture stands more than once in a split, with the same label.

    Each copy counts again in the loss, as if that sample mattered more; in a test split it counts again in the
    score. Few copies do no harm. More than one in a hundred get a warning: delete them, or know that they are
    oversampling on purpose.
    """
    for split in SPLITS:
        rows = table.index(split)
        groups = [group for group in _groups(table, rows) if len({table.labels[row] for row in group}) == 1]
        extra = sum(len(group) - 1 for group in groups)
        if extra:
            yield Observation(
                split or "all files",
                f"{counted(extra, 'superfluous copy', plural='superfluous copies')} among {len(rows):,} samples: "
                + "; ".join(named([table.keys[row] for row in group]) for group in groups[:3]),
                expected="each picture once.",
                remedy="delete the copies, unless they are oversampling on purpose.",
                severity=Severity.WARN if extra > MANY * len(rows) else None,
            )


def _groups(table: SampleTable, rows: np.ndarray | None = None) -> list[list[int]]:
    """Rows with equal pixels, two or more together, in the order of their first row; constant images left out."""
    rows = table.index() if rows is None else rows
    rows = rows[(table.lows[rows] != table.highs[rows]).any(axis=1)]
    if not len(rows):
        return []
    hashes = np.ascontiguousarray(table.pixel_hashes[rows]).view(f"V{table.pixel_hashes.shape[1]}")[:, 0]
    order = np.argsort(hashes, kind="stable")
    edges = np.flatnonzero(hashes[order][1:] != hashes[order][:-1]) + 1
    groups = [sorted(rows[part].tolist()) for part in np.split(order, edges) if len(part) > 1]
    return sorted(groups)


def _leak(table: SampleTable, shared: Sequence[Sequence[int]], *, splits: tuple[str, str]) -> Observation:
    taught, examined = splits
    code = SPLITS.index(examined)
    affected = sum(int((table.split_codes[list(group)] == code).sum()) for group in shared)
    share = affected / max(1, len(table.index(examined)))
    pairs = "; ".join(named([table.keys[row] for row in group]) for group in shared[:3])
    return Observation(
        f"{taught} and {examined}",
        f"{counted(affected, 'sample')} of {examined} ({share:.1%}) also in {taught}: {pairs}",
        expected="no picture in two splits.",
        remedy=f"delete the copies from {taught}.",
    )


def _conflict(table: SampleTable, group: Sequence[int]) -> Observation:
    names = Counter(table.classes[table.labels[row]] if table.labels[row] >= 0 else "no class" for row in group)
    return Observation(
        named([table.keys[row] for row in group]),
        "the same pixels are labelled " + ", ".join(f"{name} ({count}x)" for name, count in names.most_common()),
        expected="one label for one picture.",
        remedy="look at it and keep the right label.",
    )


_HEALTHY = [*many(40), *many(10, split="test")]


def _copied(count: int, *, label: int | None = None, split: str = "train") -> SampleTable:
    copies = [
        Specimen(
            key=f"copy{row}.jpg", picture=_HEALTHY[row].key, label=row % 2 if label is None else label, split=split
        )
        for row in range(count)
    ]
    return table_of([*_HEALTHY, *copies])


duplicates_across_splits.fires_on("a test image in train", lambda: _copied(1, split="test")).fires_on(
    "a validation image in train", lambda: _copied(2, split="val")
).silent_on("a copy in its own split", lambda: _copied(1)).silent_on(
    "black images in both",
    lambda: table_of([Specimen(key=split, picture="black", split=split, std=(0, 0, 0)) for split in ("train", "test")]),
)
conflicting_labels.fires_on("a cat that is also a dog", lambda: _copied(1, label=1)).silent_on(
    "a copy with the same label", lambda: _copied(1)
)
duplicate_samples.fires_on("one copy", lambda: _copied(1)).fires_on("ten copies", lambda: _copied(10)).silent_on(
    "different pictures", lambda: table_of(_HEALTHY)
).silent_on("a copy in another split", lambda: _copied(1, split="val")).silent_on(
    "a copy with another label", lambda: _copied(1, label=1)
)

IMAGE_RULES = (duplicates_across_splits, duplicate_samples)
RULES = (*IMAGE_RULES, conflicting_labels)
