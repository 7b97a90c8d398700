"""A table and the pictures it names, brought together row by row."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Int64

from epochal.data.choosing import Kind, choose
from epochal.data.contents import Catalogue
from epochal.data.entries import Entry, Source
from epochal.data.layout import SPLIT_FOLDERS
from epochal.data.target_table import TargetTable
from epochal.data.targets import Targets, read, strata
from epochal.errors import DataError


@dataclass(slots=True, kw_only=True)
class _Place:
    """One picture and the row from which its target comes; -1 where there is none."""

    entry: Entry
    row: int
    problem: str | None = None
    notes: list[str] = field(default_factory=list)


def catalogue_of_table(
    source: Source, pictures: Sequence[Entry], *, table: TargetTable, ignored: Sequence[str], task: Kind | None
) -> Catalogue:
    """The catalogue of pictures whose targets stand in a table.

    A row that cannot be used becomes a problem of its picture, with the table's name and the row's number: a cell
    that holds no target, a file that does not exist, two rows that contradict each other. Pictures that no row names
    are `stray`.

    Raises: DataError if no column is a target, or if no row can be used.
    """
    choice = choose(table.columns, table=table.name, task=task)
    targets = read(choice, where=table.where, table=table.name)
    places = sorted(_places(pictures, table=table, targets=targets), key=lambda place: place.entry.key)
    if all(place.problem or place.entry.problem for place in places):
        problem = next((place.problem or place.entry.problem for place in places), "it has no rows")
        raise DataError(
            f"No row of {table.name} can be used; the first: {problem}.",
            expected="for each picture one row with its target.",
            remedy="correct the table.",
        )
    rows = np.asarray([place.row for place in places], dtype=np.int64)
    names, stratum = strata(targets)
    named = {picture for picture in table.pictures if picture is not None}
    return Catalogue(
        source=source,
        entries=tuple(place.entry for place in places),
        classes=names,
        labels=tuple(np.where(rows >= 0, stratum[rows], -1).tolist()),
        splits=_splits(places, table),
        ignored=tuple(key for key in ignored if key not in {entry.key for entry in table.entries}),
        stray=tuple(entry.key for number, entry in enumerate(pictures) if number not in named),
        kind=choice.kind,
        reason=_reason(table, choice.why, named=len(named)),
        columns=targets.names if choice.kind == "regression" else (),
        targets=None if choice.kind == "classification" else _values(targets, rows),
        problems={number: place.problem for number, place in enumerate(places) if place.problem},
        notes={number: tuple(place.notes) for number, place in enumerate(places) if place.notes},
        companions=table.entries,
    )


def _reason(table: TargetTable, why: str, *, named: int) -> str:
    unused = f"; {', '.join(table.unused)} also names pictures and is not used" if table.unused else ""
    return f"{table.name} names {named:,} pictures in {table.file_column!r} and {why}{unused}."


def _values(targets: Targets, rows: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n k"]:
    values: Float32[np.ndarray, "n k"] = targets.values[rows].copy()
    values[rows < 0] = np.nan if targets.kind == "regression" else 0
    return values


def _places(pictures: Sequence[Entry], *, table: TargetTable, targets: Targets) -> list[_Place]:
    by_picture: dict[int, list[int]] = defaultdict(list)
    by_cell: dict[str, list[int]] = defaultdict(list)
    for row, picture in enumerate(table.pictures):
        if picture is None:
            by_cell[table.cells[row]].append(row)
        else:
            by_picture[picture].append(row)
    places = [_place(pictures[picture], rows, table=table, targets=targets) for picture, rows in by_picture.items()]
    return places + [_missing(cell, rows, table=table) for cell, rows in by_cell.items()]


def _missing(cell: str, rows: Sequence[int], *, table: TargetTable) -> _Place:
    where = table.where[rows[0]]
    problem = f"missing-file: {where}: " + (f"there is no picture {cell}" if cell else "it names no file")
    return _Place(entry=Entry(key=cell or where, size=0, stamp=0, problem=problem), row=-1, problem=problem)


def _place(entry: Entry, rows: Sequence[int], *, table: TargetTable, targets: Targets) -> _Place:
    """One row as it is; of several the one that holds a target, if they do not contradict each other."""
    sound = [row for row in rows if row not in targets.problems]
    if not sound:
        return _Place(entry=entry, row=-1, problem=targets.problems[rows[0]])
    first = sound[0]
    place = _Place(entry=entry, row=first)
    for row in rows:
        if row in targets.problems:
            place.notes.append(f"row-left-out: {targets.problems[row].partition(': ')[2]}")
    others = [row for row in sound[1:] if not _same(first, row, table=table, targets=targets)]
    if others:
        where = table.where[others[0]]
        said, other = _told(first, targets), _told(others[0], targets)
        place.problem = f"contradiction: {table.where[first]} says {said}, {where} says {other}"
        place.row = -1
    elif len(sound) > 1:
        place.notes.append(f"named-twice: {' and '.join(table.where[row] for row in sound[:3])} say the same")
    return place


def _same(one: int, other: int, *, table: TargetTable, targets: Targets) -> bool:
    splits = table.splits
    return (
        bool(targets.labels[one] == targets.labels[other])
        and bool((targets.values[one] == targets.values[other]).all())
        and (splits is None or splits[one] == splits[other])
    )


def _told(row: int, targets: Targets) -> str:
    if targets.kind == "classification":
        return targets.names[int(targets.labels[row])]
    if targets.kind == "multi-label":
        return ";".join(name for name, mark in zip(targets.names, targets.values[row], strict=True) if mark) or "none"
    return ", ".join(f"{value:g}" for value in targets.values[row].tolist())


def _splits(places: Sequence[_Place], table: TargetTable) -> tuple[str, ...]:
    if table.splits is not None:
        return tuple(table.splits[place.row] if place.row >= 0 else "" for place in places)
    found = [
        next((SPLIT_FOLDERS[word] for word in place.entry.key.lower().split("/")[:-1] if word in SPLIT_FOLDERS), "")
        for place in places
    ]
    return tuple(found) if "train" in found else ("",) * len(places)
