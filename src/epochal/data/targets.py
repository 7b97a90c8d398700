"""From cells to targets: class numbers, values or marks for each row, and what is wrong with single cells."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float32, Int64

from epochal.data.cells import Column, is_missing, number, parts
from epochal.data.choosing import Choice, Kind
from epochal.errors import DataError

# Regression is divided into splits by so many equal parts of the values, each holding at least so many samples.
BINS, IN_A_BIN = 10, 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """The target of each row, as the task wants it; rows with a problem hold nothing.

    `names` are classes, labels or value columns. `labels` are classes, -1 without one or elsewhere; `values` are
    measurements or marks.

    Shapes: labels (n,), values (n, k); k is 0 for classification.
    """

    kind: Kind
    names: tuple[str, ...]
    labels: Int64[np.ndarray, " n"]
    values: Float32[np.ndarray, "n k"]
    problems: dict[int, str]


def read(choice: Choice, *, where: Sequence[str], table: str) -> Targets:
    """Read the target of every row; `where` names each row for messages.

    Raises: DataError if no class, or only one, is left.

    >>> from epochal.data.cells import judge
    >>> from epochal.data.choosing import choose
    >>> column = judge("angle", ["0.5", "none", "inf", "2.5"])
    >>> found = read(choose([column], table="t.csv"), where=["t.csv, row 2"] * 4, table="t.csv")
    >>> found.values.ravel().tolist(), found.problems[2]
    ([0.5, nan, nan, 2.5], "bad-target: t.csv, row 2: 'angle' is inf, not a finite number")
    """
    if choice.kind == "regression":
        return _measured(choice.columns, where)
    if choice.kind == "multi-label":
        return _listed(choice.columns[0], where) if _in_words(choice.columns) else _marked(choice.columns, where)
    return _one_hot(choice.columns, where) if choice.one_hot else _classes(choice.columns[0], where, table=table)


def _in_words(columns: Sequence[Column]) -> bool:
    return columns[0].holds in ("lists", "words")


def _measured(columns: Sequence[Column], where: Sequence[str]) -> Targets:
    values = np.stack([column.values for column in columns], axis=1)
    problems = _not_finite(columns, where)
    values[list(problems)] = np.nan
    return Targets(
        kind="regression",
        names=tuple(column.name for column in columns),
        labels=np.full(len(where), -1, dtype=np.int64),
        values=values.astype(np.float32),
        problems=problems,
    )


def _not_finite(columns: Sequence[Column], where: Sequence[str]) -> dict[int, str]:
    problems: dict[int, str] = {}
    for column in columns:
        for row in np.flatnonzero(~(np.abs(column.values) <= np.finfo(np.float32).max)).tolist():
            cell = column.cells[row]
            said = repr(cell) if cell and math.isnan(number(cell)) and cell.lower() != "nan" else cell or "empty"
            lacks = "a finite number" if cell else "a number"
            problems.setdefault(row, f"bad-target: {where[row]}: {column.name!r} is {said}, not {lacks}")
    return problems


def _marked(columns: Sequence[Column], where: Sequence[str]) -> Targets:
    values = np.stack([column.values for column in columns], axis=1)
    problems: dict[int, str] = {}
    for row, at in np.argwhere(~np.isin(values, (0.0, 1.0))).tolist():
        cell = columns[at].cells[row] or "empty"
        problems.setdefault(row, f"bad-target: {where[row]}: {columns[at].name!r} is {cell}, not 0 or 1")
    values[list(problems)] = 0
    return Targets(
        kind="multi-label",
        names=tuple(column.name for column in columns),
        labels=np.full(len(where), -1, dtype=np.int64),
        values=values.astype(np.float32),
        problems=problems,
    )


def _listed(column: Column, where: Sequence[str]) -> Targets:
    words = [parts(cell, column.separator) for cell in column.cells]
    names = sorted({word for cell in words for word in cell})
    at = {name: number for number, name in enumerate(names)}
    values = np.zeros((len(where), len(names)), dtype=np.float32)
    for row, cell in enumerate(words):
        values[row, [at[word] for word in cell]] = 1
    return Targets(
        kind="multi-label",
        names=tuple(names),
        labels=np.full(len(where), -1, dtype=np.int64),
        values=values,
        problems={},
    )


def _one_hot(columns: Sequence[Column], where: Sequence[str]) -> Targets:
    marks = _marked(columns, where)
    problems = dict(marks.problems)
    labels = marks.values.argmax(axis=1).astype(np.int64)
    labels[list(problems)] = -1
    return Targets(
        kind="classification", names=marks.names, labels=labels, values=_nothing(len(where)), problems=problems
    )


def _classes(column: Column, where: Sequence[str], *, table: str) -> Targets:
    numeric = column.holds in ("few", "marks", "numbers", "counter")
    words = [_word(value, cell) if numeric else cell for value, cell in zip(column.values, column.cells, strict=True)]
    found = Counter(word for word in words if not is_missing(word))
    if len(found) < 2:
        only = ", ".join(found) or "none"
        raise DataError(
            f"{table} gives one class only in {column.name!r}: {only}.",
            expected="at least two classes: with one, every answer is right.",
            remedy="add pictures of another class.",
        )
    names = sorted(found, key=(lambda word: (number(word), word)) if numeric else None)
    at = {name: label for label, name in enumerate(names)}
    labels = np.asarray([at.get(word, -1) for word in words], dtype=np.int64)
    problems = {
        row: f"bad-target: {where[row]}: {column.name!r} is {column.cells[row] or 'empty'}, not the name of a class"
        for row in np.flatnonzero(labels < 0).tolist()
    }
    return Targets(
        kind="classification", names=tuple(names), labels=labels, values=_nothing(len(where)), problems=problems
    )


def _word(value: float, cell: str) -> str:
    """One name for 1, 1.0 and 01."""
    if not math.isfinite(value):
        return ""
    return str(int(value)) if value == int(value) else cell


def _nothing(count: int) -> Float32[np.ndarray, "n 0"]:
    return np.zeros((count, 0), dtype=np.float32)


def strata(targets: Targets) -> tuple[tuple[str, ...], Int64[np.ndarray, " n"]]:
    """By what samples are dealt to splits: names, and for each row the number of one of them, or -1.

    Classes as they are; equal parts of the first value column; the rarest label that a picture has.

    >>> values = np.arange(40, dtype=np.float32)[:, None]
    >>> even = Targets(kind="regression", names=("x",), labels=np.full(40, -1), values=values, problems={})
    >>> names, numbers = strata(even)
    >>> names[0], np.bincount(numbers).tolist()
    ('0 to 9.75', [10, 10, 10, 10])
    """
    if targets.kind == "regression":
        return _quantiles(targets.values[:, 0])
    if targets.kind == "multi-label":
        return targets.names, rarest(targets.values)
    return targets.names, targets.labels


def rarest(values: Float32[np.ndarray, "n k"]) -> Int64[np.ndarray, " n"]:
    """The rarest label that each row has; -1 for a row without any.

    >>> rarest(np.array([[1, 0], [1, 1], [0, 0]], np.float32)).tolist()
    [0, 1, -1]
    """
    if not values.shape[1]:
        return np.full(len(values), -1, dtype=np.int64)
    counts = np.where(values > 0, values.sum(axis=0), np.inf)
    return np.where((values > 0).any(axis=1), counts.argmin(axis=1), -1)


def _quantiles(values: Float32[np.ndarray, " n"]) -> tuple[tuple[str, ...], Int64[np.ndarray, " n"]]:
    known = np.isfinite(values)
    if not known.any():
        return (), np.full(len(values), -1, dtype=np.int64)
    bins = int(np.clip(known.sum() // IN_A_BIN, 1, BINS))
    edges = np.unique(np.quantile(values[known].astype(np.float64), np.linspace(0, 1, bins + 1)))
    inner = edges[1:-1]
    numbers = np.searchsorted(inner, values.astype(np.float64), side="right")
    ends = [edges[0], *inner, edges[-1]]
    names = tuple(f"{low:g} to {high:g}" for low, high in pairwise(ends))
    return names or (f"{edges[0]:g}",), np.where(known, numbers, -1).astype(np.int64)
