"""Facts about reading targets from cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.cells import judge
from epochal.data.choosing import Choice, Kind
from epochal.data.targets import Targets, rarest, read, strata
from epochal.errors import DataError


def given_cells(kind: Kind, columns: dict[str, list[str]], *, one_hot: bool = False) -> Targets:
    """Targets of rows 2, 3, ... of t.csv."""
    judged = tuple(judge(name, cells) for name, cells in columns.items())
    rows = len(next(iter(columns.values())))
    where = [f"t.csv, row {row + 2}" for row in range(rows)]
    return read(Choice(kind=kind, columns=judged, why="", one_hot=one_hot), where=where, table="t.csv")


def test_every_broken_number_is_located() -> None:
    """NaN, infinity, words, empty cells and numbers too large are problems with table, row, column and cell."""
    cells = ["1.5", "nan", "inf", "-inf", "n/a", "five", "", "1e39", "2.5"]
    found = given_cells("regression", {"angle": cells, "height": ["1.5"] * 8 + ["2"]})
    assert found.problems == {
        1: "bad-target: t.csv, row 3: 'angle' is nan, not a finite number",
        2: "bad-target: t.csv, row 4: 'angle' is inf, not a finite number",
        3: "bad-target: t.csv, row 5: 'angle' is -inf, not a finite number",
        4: "bad-target: t.csv, row 6: 'angle' is 'n/a', not a finite number",
        5: "bad-target: t.csv, row 7: 'angle' is 'five', not a finite number",
        6: "bad-target: t.csv, row 8: 'angle' is empty, not a number",
        7: "bad-target: t.csv, row 9: 'angle' is 1e39, not a finite number",
    }
    assert found.values[[0, 8]].tolist() == [[1.5, 1.5], [2.5, 2.0]]
    assert np.isnan(found.values[list(found.problems)]).all()
    assert found.values.dtype == np.float32
    assert found.names == ("angle", "height")


def test_a_row_with_one_broken_value_is_left_out_whole() -> None:
    """With two columns the second may be the broken one, and names it."""
    found = given_cells("regression", {"x": ["1.5", "2.5"], "y": ["3.5", "?"]})
    assert found.problems == {1: "bad-target: t.csv, row 3: 'y' is '?', not a finite number"}


def test_classes_in_order() -> None:
    """Words are sorted as words, numbers as numbers; 1, 1.0 and 01 are one class."""
    assert given_cells("classification", {"c": ["dog", "cat", "dog"]}).labels.tolist() == [1, 0, 1]
    found = given_cells("classification", {"c": ["10", "9", "1.0", "01", "1"] * 20})
    assert found.names == ("1", "9", "10")
    assert found.labels[:5].tolist() == [2, 1, 0, 0, 0]


def test_a_missing_class_is_located() -> None:
    """An empty cell is no class of its own."""
    found = given_cells("classification", {"c": ["dog", "", "cat", "N/A", "dog"]})
    assert found.problems == {
        1: "bad-target: t.csv, row 3: 'c' is empty, not the name of a class",
        3: "bad-target: t.csv, row 5: 'c' is N/A, not the name of a class",
    }
    assert found.labels.tolist() == [1, -1, 0, -1, 1]


def test_one_class_is_too_few() -> None:
    """With one class every answer is right."""
    with pytest.raises(DataError, match=r"t\.csv gives one class only in 'c': dog"):
        given_cells("classification", {"c": ["dog", "dog", ""]})


def test_lists_become_marks() -> None:
    """Each label has a column, in the order of names; an empty cell has none of them."""
    found = given_cells("multi-label", {"tags": ["b;a", "b", "", "b; c", "a"]})
    assert found.names == ("a", "b", "c")
    assert found.values.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0]]
    assert not found.problems


def test_marks_are_0_or_1() -> None:
    """Another mark, or none, is located."""
    found = given_cells("multi-label", {"rain": ["0", "1", "1"], "sun": ["1", "", "0.5"]})
    assert found.problems == {
        1: "bad-target: t.csv, row 3: 'sun' is empty, not 0 or 1",
        2: "bad-target: t.csv, row 4: 'sun' is 0.5, not 0 or 1",
    }
    assert found.values.tolist() == [[0, 1], [0, 0], [0, 0]]


def test_one_hot_columns_are_one_class() -> None:
    """The class is the column with the 1."""
    found = given_cells("classification", {"a": ["1", "0", "x"], "b": ["0", "1", "0"]}, one_hot=True)
    assert (found.names, found.labels.tolist(), list(found.problems)) == (("a", "b"), [0, 1, -1], [2])


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=300))
def test_strata_of_values_are_even_and_ordered(values: list[float]) -> None:
    """A higher value never lies in a lower stratum; without ties none holds twice the share of another."""
    targets = Targets(
        kind="regression", names=("x",), labels=np.full(len(values), -1), problems={},
        values=np.asarray(values, np.float32)[:, None],
    )  # fmt: skip
    names, numbers = strata(targets)
    order = np.argsort(values, kind="stable")
    assert (np.diff(numbers[order]) >= 0).all()
    assert numbers.min() >= 0
    assert numbers.max() < len(names)
    if len(set(np.asarray(values, np.float32).tolist())) == len(values) >= 10:
        counts = np.bincount(numbers, minlength=len(names))
        assert counts.max() <= 2 * counts.min()


def test_broken_values_have_no_stratum() -> None:
    """A row without a value is dealt with none."""
    targets = Targets(
        kind="regression", names=("x",), labels=np.full(3, -1), problems={1: "x"},
        values=np.array([[1], [np.nan], [2]], np.float32),
    )  # fmt: skip
    assert strata(targets)[1].tolist() == [0, -1, 0]
    empty = np.full((2, 1), np.nan, np.float32)
    nothing = Targets(kind="regression", names=("x",), labels=np.full(2, -1), problems={}, values=empty)
    names, numbers = strata(nothing)
    assert names == ()
    assert numbers.tolist() == [-1, -1]


def test_rarest_label_decides() -> None:
    """A picture with a common and a rare label belongs to the rare one."""
    marks = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [0, 0, 0]], np.float32)
    assert rarest(marks).tolist() == [0, 0, 1, 2, -1]
    assert rarest(np.zeros((2, 0), np.float32)).tolist() == [-1, -1]
