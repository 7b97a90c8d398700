"""Rules about what a network that a run begins from has seen before."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from epochal.checks.listing import counted, named
from epochal.checks.specimens import Specimen, many, table_of
from epochal.data.table import SampleTable
from epochal.findings import Observation, Severity, rule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heritage:
    """The samples of this run beside those of the run that it begins from."""

    table: SampleTable
    earlier: SampleTable


@rule("start-saw-held-out", code="EP123", severity=Severity.ERROR, tips=["K1.1", "W4.4"])
def start_saw_held_out(heritage: Heritage) -> Iterator[Observation]:
    """The network that the run begins from was taught, or chosen by, images that this run holds back to judge it.

    It may know them by heart, so the score promises too much, though no picture stands in two splits of this run.
    Mostly both runs split the same data, with other seeds or shares: give both the same. Images are compared by their
    pixels, so copies under other names are found; crops and other versions of a picture are not. Images of one single
    colour do not count. The same images may choose in both runs: val may hold what val held.
    """
    table, earlier = heritage.table, heritage.earlier
    for split, used in (("test", ("train", "val")), ("val", ("train",))):
        rows = np.concatenate([_told_apart(earlier, earlier.index(each)) for each in used])
        known = {bytes(name) for name in earlier.pixel_hashes[rows]}
        held = table.index(split)
        seen = [row for row in _told_apart(table, held).tolist() if bytes(table.pixel_hashes[row]) in known]
        if seen:
            taught = " or ".join(used)
            yield Observation(
                split,
                f"{counted(len(seen), 'sample')} ({len(seen) / len(held):.1%}) of {split} were in {taught} of"
                f" the earlier run: {named([table.keys[row] for row in seen])}",
                expected="none.",
                remedy="run both with the same seed and shares, or begin from a run on other images.",
            )


def _told_apart(table: SampleTable, rows: np.ndarray) -> np.ndarray:
    """Without images of one single colour, which are all alike."""
    kept: np.ndarray = rows[(table.lows[rows] != table.highs[rows]).any(axis=1)]
    return kept


def _split(train: int, val: int, *, test: int) -> SampleTable:
    splits = ["train"] * train + ["val"] * val + ["test"] * test
    return table_of([Specimen(key=str(row), split=split) for row, split in enumerate(splits)])


_BLACK = [Specimen(key=split, picture="black", split=split, std=(0, 0, 0)) for split in ("train", "test")]

start_saw_held_out.fires_on(
    "the same data, split otherwise", lambda: Heritage(table=_split(10, 4, test=6), earlier=_split(14, 4, test=2))
).fires_on(
    "a test image under another name",
    lambda: Heritage(
        table=table_of([*many(20), Specimen(key="new.jpg", picture="old.jpg", split="test")]),
        earlier=table_of([Specimen(key="old.jpg"), *many(5, split="val")]),
    ),
).silent_on(
    "the same data, split alike", lambda: Heritage(table=_split(10, 4, test=6), earlier=_split(10, 4, test=6))
).silent_on(
    "other images",
    lambda: Heritage(table=table_of([*many(20), *many(5, split="test")]), earlier=table_of([Specimen(key="x")])),
).silent_on("black images in both", lambda: Heritage(table=table_of(_BLACK), earlier=table_of(_BLACK)))

RULES = (start_saw_held_out,)
