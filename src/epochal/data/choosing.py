"""Which columns of a table are the target, and of which task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from epochal.data.cells import TARGET_NAMES, Column
from epochal.errors import DataError

Kind = Literal["classification", "multi-label", "regression", "segmentation"]
KINDS: tuple[Kind, ...] = ("classification", "multi-label", "regression", "segmentation")

MEASURES = ("numbers", "few", "marks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The task, its columns, and why: half a sentence that follows the name of the table.

    `one_hot` where columns of 0 and 1 name one class for each picture.
    """

    kind: Kind
    columns: tuple[Column, ...]
    why: str
    one_hot: bool = False


def choose(columns: Sequence[Column], *, table: str, task: Kind | None = None) -> Choice:
    """Choose the task from what the columns hold, or the columns for the `task` that was asked for.

    Words are classes, several of them in a cell many labels, and so are columns of 0 and 1 side by side; numbers of
    many values are measurements, whole numbers of few values are classes.

    Raises: DataError if no column is a target, or several could be, or none fits the task.

    >>> from epochal.data.cells import judge
    >>> choice = choose([judge("angle", ["0.5", "1.25", "3.5"])], table="t.csv")
    >>> choice.kind, choice.why
    ('regression', "measures 'angle' (3 different values)")
    """
    if task is not None:
        return _asked(columns, task, table=table)
    text = [column for column in columns if column.holds in ("words", "lists")]
    measured = [column for column in columns if column.holds in ("numbers", "few")]
    many = [column for column in measured if column.holds == "numbers"]
    marks = [column for column in columns if column.holds == "marks"]
    if text and not (_hinted(many) and not _hinted(text)):
        return _of_text(_single(text, table=table), beside=many)
    if many:
        return _regression(measured)
    if len(marks) > 1:
        return _of_marks(marks)
    if len(measured) > 1 and not _hinted(measured):
        return _regression(measured)
    if measured or marks:
        return _of_few(_single([*measured, *marks], table=table))
    raise _none(columns, table=table)


def _asked(columns: Sequence[Column], task: Kind, *, table: str) -> Choice:
    numeric = [column for column in columns if column.holds in MEASURES]
    text = [column for column in columns if column.holds in ("words", "lists")]
    marks = [column for column in columns if column.holds == "marks"]
    if task == "regression" and numeric:
        hinted = [column for column in _hinted(numeric) if column.holds != "marks"]
        return _regression(hinted or [column for column in numeric if column.holds != "marks"] or numeric)
    if task == "classification" and (text or numeric):
        one = _single(text or numeric, table=table)
        return Choice(kind=task, columns=(one,), why=f"names a class in {one.name!r} ({one.distinct} different)")
    if task == "multi-label" and (text or marks):
        if text:
            one = _single(text, table=table)
            return Choice(kind=task, columns=(one,), why=f"lists labels in {one.name!r}, as was asked")
        return Choice(kind=task, columns=tuple(marks), why=f"marks {_named(marks)} with 0 and 1, as was asked")
    raise _unfit(columns, task, table=table)


def _hinted(columns: Sequence[Column]) -> list[Column]:
    return [column for column in columns if column.name.lower() in TARGET_NAMES]


def _single(columns: Sequence[Column], *, table: str) -> Column:
    """The one column, or the one that is called as targets are."""
    hinted = _hinted(columns)
    if len(columns) == 1 or len(hinted) == 1:
        return (hinted or list(columns))[0]
    raise DataError(
        f"{table} has several columns that could be the target: {_named(columns)}.",
        expected="one column with the class of each picture.",
        remedy="call the right one 'label', or delete the others.",
    )


def _of_text(column: Column, *, beside: Sequence[Column]) -> Choice:
    unused = f"; {_named(beside)} unused: --task regression takes measurements" if beside else ""
    if column.holds == "lists":
        why = f"lists labels in {column.name!r}, set apart by {column.separator!r}: a picture may have several"
        return Choice(kind="multi-label", columns=(column,), why=why + unused)
    why = f"names one of {column.distinct} classes in {column.name!r} for each picture"
    return Choice(kind="classification", columns=(column,), why=why + unused)


def _regression(columns: Sequence[Column]) -> Choice:
    told = f"({columns[0].distinct:,} different values)" if len(columns) == 1 else "(numbers of many values)"
    return Choice(kind="regression", columns=tuple(columns), why=f"measures {_named(columns)} {told}")


def _of_marks(columns: Sequence[Column]) -> Choice:
    sums = np.sum([column.values for column in columns], axis=0)
    if (sums[np.isfinite(sums)] == 1).all():
        why = f"marks with a 1 in exactly one of {_named(columns)} which class a picture is of"
        return Choice(kind="classification", columns=tuple(columns), why=why, one_hot=True)
    why = f"marks with 0 and 1 which of {_named(columns)} a picture shows: it may be several"
    return Choice(kind="multi-label", columns=tuple(columns), why=why)


def _of_few(column: Column) -> Choice:
    why = (
        f"gives {column.name!r} as whole numbers with {column.distinct} different values only, which are taken for"
        " classes; --task regression takes them for measurements"
    )
    return Choice(kind="classification", columns=(column,), why=why)


def _named(columns: Sequence[Column]) -> str:
    names = [repr(column.name) for column in columns]
    shown = names if len(names) <= 5 else [*names[:4], f"{len(names) - 4} more"]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]


_REASONS = {
    "counter": "counts the rows", "constant": "never changes", "texts": "hardly ever says the same twice",
    "nothing": "holds no value", "numbers": "holds numbers", "few": "holds whole numbers of few values",
    "marks": "holds 0 and 1", "words": "holds words", "lists": "holds lists of words",
}  # fmt: skip


def _told(columns: Sequence[Column]) -> str:
    return ", ".join(f"{column.name!r} {_REASONS[column.holds]}" for column in columns) or "it has no other column"


def _none(columns: Sequence[Column], *, table: str) -> DataError:
    return DataError(
        f"{table} names pictures and has no target beside them: {_told(columns)}.",
        expected="a column of numbers (regression), of names (classification), or of lists of names (multi-label).",
        remedy="add the column, one cell for each picture.",
    )


def _unfit(columns: Sequence[Column], task: Kind, *, table: str) -> DataError:
    needed = {
        "regression": "a column of numbers with more than one value.",
        "classification": "a column with the class of each picture.",
        "multi-label": "a column with lists of labels (a;b), or columns of 0 and 1.",
        "segmentation": "a folder of images and one of masks with the same names: a table holds no masks.",
    }[task]
    return DataError(
        f"{table} has no target for {task}: {_told(columns)}.",
        expected=needed,
        remedy="leave --task out and let the data say it, or add what is missing.",
    )
