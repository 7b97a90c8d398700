"""Spans of time are read and written as people do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.recipe.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("1.5m", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("2 h", 7200),
        ("1D", 86400),
        (" 0.5s ", 0.5),
    ],
)
def test_spans_are_understood(text: str, seconds: float) -> None:
    """Numbers alone are seconds; units may follow one another."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "ten", "10x", "m", "-5m", "0", "0s", "1m30", "nan", "inf"])
def test_nonsense_is_refused_with_an_example(text: str) -> None:
    """The error shows how to write a budget."""
    with pytest.raises(SettingError, match="--budget 10m"):
        parse_duration(text)


@given(st.integers(10, 10**6))
def test_what_is_written_can_be_read(seconds: int) -> None:
    """Formatting and parsing agree to the precision that is shown."""
    text = format_duration(seconds).replace("min", "m")
    assert abs(parse_duration(text) - seconds) <= (30 if seconds >= 3600 else 0)
