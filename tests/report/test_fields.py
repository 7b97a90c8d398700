from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.report.fields import items, mapping, number, numbers, rows, text, texts, whole

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(ANYTHING)
def test_reading_never_fails(value: object) -> None:
    """Every reader makes something of the right type of anything."""
    assert number(value) is None or math.isfinite(number(value) or 0.0)
    assert whole(value) is None or isinstance(whole(value), int)
    assert isinstance(text(value), str)
    assert isinstance(items(value), list)
    assert all(isinstance(key, str) for key in mapping(value))
    assert all(isinstance(row, dict) for row in rows(value))
    assert len(numbers(value)) == len(texts(value)) == len(items(value))


@pytest.mark.parametrize("value", ["nan", "0.5", float("nan"), float("-inf"), 10**400, True, None, [1]])
def test_what_is_no_number_is_none(value: object) -> None:
    """Numbers that JSON cannot hold come as texts and are missing, as is a truth value."""
    assert number(value) is None


def test_texts_are_for_people() -> None:
    """Truth is yes or no, long floats are cut, whole things stay whole."""
    assert text(value=True) == "yes"
    assert text(1 / 3) == "0.333333"
    assert text(12345.678) == "12,346"
    assert text(2041) == "2041"
    assert text({"width": 32, "sizes": [1, 2]}) == "width: 32, sizes: 1, 2"
