"""Facts about what a column of cells holds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.cells import is_missing, judge, number, parts


@pytest.mark.parametrize(
    ("name", "cells", "holds"),
    [
        ("x", ["0.5", "1.5", "2.5"], "numbers"),
        ("x", ["0.5", "", "n/a", "2.5"], "numbers"),
        ("x", ["1", "2", "inf", "4"], "numbers"),
        ("value", [str(row) for row in range(30)], "numbers"),
        ("id", [str(row) for row in range(30)], "counter"),
        ("id", [str(row) for row in range(29, -1, -1)], "numbers"),
        ("age", [str(row % 40) for row in range(400)], "numbers"),
        ("grade", [str(row % 5 + 1) for row in range(50)], "few"),
        ("grade", [f"{row % 5 + 1}.0" for row in range(50)], "few"),
        ("grade", [str(row % 5) for row in range(10)], "numbers"),
        ("on", ["0", "1", "1.0", ""], "marks"),
        ("x", ["3", "3", "3"], "constant"),
        ("word", ["cat", "cat"], "constant"),
        ("word", ["cat", "dog", "cat", "dog", ""], "words"),
        ("word", ["a cat", "one dog", "an emu"], "texts"),
        ("label", ["cat", "dog", "emu", "cat"], "words"),
        ("word", ["cat", "dog", "emu", "cat"], "texts"),
        ("tags", ["cat;dog", "dog", "cat"], "lists"),
        ("tags", ["cat|dog", "dog|", "cat", ""], "lists"),
        ("note", ["dark; blurred", "nice", "fog"], "texts"),
        ("x", ["", "NA", "null"], "nothing"),
        ("x", ["nan", "NaN"], "nothing"),
    ],
)
def test_kinds_of_columns(name: str, cells: list[str], holds: str) -> None:
    """Each kind of column is told, with cells missing and broken among the sound ones."""
    assert judge(name, cells).holds == holds


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_exactly(value: float) -> None:
    """Whatever Python writes is read to the last bit, with a point or with a decimal comma."""
    assert number(repr(value)) == value
    assert number(repr(value).replace(".", ","), decimal=",") == value


@pytest.mark.parametrize("cell", ["", "x", "1_000", "1,5", "1 2", "0x10", "--1"])
def test_what_is_no_number(cell: str) -> None:
    """Cells that nobody would call a number are none."""
    assert math.isnan(number(cell))


def test_different_values_are_counted_without_the_missing() -> None:
    """Broken and missing cells are no value of their own."""
    assert judge("x", ["0.5", "0.50", "1.5", "", "inf", "x"]).distinct == 2
    assert judge("w", ["cat", "dog", "cat", "NA", "dog"]).distinct == 2


def test_parts_of_a_list() -> None:
    """Spaces and empty parts are no labels; without a separator the cell is one."""
    assert parts(" cat ; ;dog;", ";") == ["cat", "dog"]
    assert parts("a;b", "") == ["a;b"]
    assert parts("none", "") == []


def test_values_stand_beside_the_cells() -> None:
    """Every cell has its number, NaN where it is none."""
    column = judge("x", ["1", "two", "3", "4"])
    np.testing.assert_array_equal(column.values, [1, np.nan, 3, 4])
    assert is_missing("NULL")
    assert not is_missing("two")
