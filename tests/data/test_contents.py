"""Facts about the catalogue as a value."""

import numpy as np

from epochal.data.contents import Catalogue
from epochal.data.entries import Entry
from epochal.data.mask_layout import Masks
from epochal.data.sources import open_source


def entry(key: str, *, stamp: int = 1, problem: str | None = None) -> Entry:
    """A small file."""
    return Entry(key=key, size=1, stamp=stamp, problem=problem)


def made(**changes: object) -> Catalogue:
    """Three pictures with values."""
    facts: dict[str, object] = {
        "source": open_source("digits"), "entries": tuple(entry(key) for key in "abc"), "classes": ("low", "high"),
        "labels": (0, 1, 1), "splits": ("", "train", "test"), "kind": "regression", "columns": ("x",),
        "targets": np.array([[1], [2], [3]], np.float32), "problems": {1: "p: 1"}, "notes": {2: ("n: 2",)},
    }  # fmt: skip
    return Catalogue(**(facts | changes))  # type: ignore[arg-type]


def test_names_are_columns_of_values_or_classes() -> None:
    """What is measured is named by columns, what is told apart by classes."""
    assert made().names == ("x",)
    assert made(kind="multi-label").names == ("low", "high")


def test_select_moves_everything() -> None:
    """Labels, splits, targets, masks, problems and notes follow their pictures."""
    masks = Masks(entries=tuple(entry(key) for key in "xyz"), meaning=(0,) * 256, numbers=(0,))
    part = made(masks=masks).select([2, 1])
    assert [each.key for each in part.entries] == ["c", "b"]
    assert (part.labels, part.splits) == ((1, 1), ("test", "train"))
    assert part.targets is not None
    assert part.masks is not None
    assert part.targets.tolist() == [[3], [2]]
    assert [each.key for each in part.masks.entries] == ["z", "y"]
    assert (dict(part.problems), dict(part.notes)) == ({1: "p: 1"}, {0: ("n: 2",)})


def test_files_are_all_that_a_run_depends_on() -> None:
    """Pictures, masks that exist, tables: each changes the fingerprint."""
    masks = Masks(entries=(entry("x"), entry("y", problem="no-mask: y")), meaning=(0,) * 256, numbers=(0,))
    found = made(masks=masks, companions=(entry("t.csv"),))
    assert [each.key for each in found.files] == ["a", "b", "c", "x", "t.csv"]
    other = made(masks=masks, companions=(entry("t.csv", stamp=2),))
    assert found.fingerprint() != other.fingerprint()
    assert made().fingerprint() != found.fingerprint()
