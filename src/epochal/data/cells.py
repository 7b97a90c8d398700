"""What a column of text cells holds: measurements, marks of 0 and 1, names of classes, lists of names, or nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

Holds = Literal["numbers", "few", "marks", "words", "lists", "counter", "constant", "texts", "nothing"]

# Words that people and programs write where a value is missing.
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nil", "-", "--", "?", "missing"})
SEPARATORS = (";", "|")
# Whole numbers with at most so many different values, each standing this often on average, are taken for classes:
# grades, stars, counts of fingers. Ages, years and temperatures have more.
FEW, EACH = 20, 5
# Names of classes come again: a column in which words come less than twice on average holds remarks or identities,
# unless its name says that it is the target; then it is enough that any comes again.
AGAIN = 2
TARGET_NAMES = frozenset(
    {"label", "labels", "class", "classes", "category", "categories", "target", "targets", "tag", "tags", "value",
     "values", "truth", "ground_truth", "annotation", "annotations"}
)  # fmt: skip
# A column with such a name, or none, that rises by one from row to row counts the rows.
COUNTER_NAMES = frozenset({"", "id", "index", "idx", "no", "nr", "#", "row", "number", "unnamed: 0", "column 1"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """A column and what it holds; `values` are its cells as numbers, NaN where a cell is none.

    >>> judge("grade", ["1", "2"] * 6).holds, judge("tags", ["a;b", "b", "a;b", "a"]).holds
    ('few', 'lists')
    """

    name: str
    cells: tuple[str, ...]
    values: Float64[np.ndarray, " n"]
    holds: Holds
    separator: str = ""

    @property
    def distinct(self) -> int:
        """How many different values or words there are, those that are missing left out."""
        if self.holds in ("numbers", "few", "marks", "counter"):
            return len(np.unique(self.values[np.isfinite(self.values)]))
        return len({cell for cell in self.cells if not is_missing(cell)})


def is_missing(cell: str) -> bool:
    """Tell a cell that stands for no value.

    >>> is_missing("N/A"), is_missing("0")
    (True, False)
    """
    return cell.lower() in MISSING


def number(cell: str, *, decimal: str = ".") -> float:
    """Read a number as people write it; NaN where a cell is none.

    >>> number("0,5", decimal=","), number("1e-3"), number("1_000"), number("inf")
    (0.5, 0.001, nan, inf)
    """
    if "_" in cell:  # Python reads 1_000, nobody else writes it
        return math.nan
    try:
        return float(cell.replace(",", ".") if decimal == "," and "." not in cell else cell)
    except ValueError:
        return math.nan


def parts(cell: str, separator: str) -> list[str]:
    """The words of a cell that holds several.

    >>> parts("cat; dog;", ";")
    ['cat', 'dog']
    """
    words = [part.strip() for part in cell.split(separator)] if separator else [cell]
    return [word for word in words if not is_missing(word)]


def judge(name: str, cells: Sequence[str], *, decimal: str = ".") -> Column:
    """Say what a column holds.

    `numbers`: values measured; `few`: whole numbers of few kinds; `marks`: 0 and 1 alone; `words`: names that come
    again; `lists`: several names in a cell, set apart by `;` or `|`; `counter`: the number of the row; `constant`: one
    value throughout; `texts`: words that hardly ever come again; `nothing`.
    """
    values = np.asarray([number(cell, decimal=decimal) for cell in cells], dtype=np.float64)
    filled = [cell for cell in cells if not is_missing(cell)]
    numeric = int((~np.isnan(values)).sum())
    holds: Holds
    separator = ""
    if not filled and not numeric:
        holds = "nothing"
    elif numeric > len(filled) / 2:
        holds = _of_numbers(values, name=name.lower())
    else:
        holds, separator = _of_words(filled, hinted=name.lower() in TARGET_NAMES)
    return Column(name=name, cells=tuple(cells), values=values, holds=holds, separator=separator)


def _of_numbers(values: Float64[np.ndarray, " n"], *, name: str) -> Holds:
    finite = values[np.isfinite(values)]
    kinds = np.unique(finite)
    if len(kinds) < 2:
        return "constant" if len(kinds) else "nothing"
    if set(kinds.tolist()) <= {0.0, 1.0}:
        return "marks"
    if name in COUNTER_NAMES and len(finite) == len(values) and (np.diff(values) == 1).all():
        return "counter"
    whole = bool((kinds == np.rint(kinds)).all())
    return "few" if whole and len(kinds) <= FEW and len(finite) >= EACH * len(kinds) else "numbers"


def _of_words(filled: Sequence[str], *, hinted: bool) -> tuple[Holds, str]:
    separator = max(SEPARATORS, key=lambda sign: sum(sign in cell for cell in filled))
    if any(separator in cell for cell in filled):
        words = [word for cell in filled for word in parts(cell, separator)]
        if _come_again(words, hinted=hinted):
            return "lists", separator
    if len(set(filled)) == 1:
        return "constant", ""
    return ("words" if _come_again(filled, hinted=hinted) else "texts"), ""


def _come_again(words: Sequence[str], *, hinted: bool) -> bool:
    kinds = len(set(words))
    return len(words) > kinds if hinted else len(words) >= AGAIN * kinds
