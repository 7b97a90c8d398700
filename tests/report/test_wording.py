from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.report.wording import GAP, between, count, counted, duration, epoch, figure, listed, percent, share


@given(st.floats(0.0001, 0.9999))
def test_no_share_is_rounded_to_all_or_nothing(value: float) -> None:
    """Only everything is 100 %, and only nothing is 0 %; the rest is within its last digit."""
    assert 0 < float(share(value)) < 100
    assert float(share(value)) == pytest.approx(value * 100, abs=0.05)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1.0, "100"), (0.0, "0"), (0.9996, "99.96"), (0.912, "91.2"), (None, "–"), (1 - 1e-7, "100"), (1e-15, "0")],
)
def test_shares_read_as_per_cent(value: float | None, shown: str) -> None:
    """One decimal, or as many as keep the number true."""
    assert share(value) == shown


def test_units_do_not_part_from_their_numbers() -> None:
    """A no-break space stands between a number and its unit."""
    assert percent(0.5) == f"50.0{GAP}%"
    assert percent(None) == "–"


def test_half_an_interval_is_none() -> None:
    """An interval has two ends or is not shown."""
    assert between(0.1, 0.2) == "10.0 to 20.0"
    assert between(None, 0.2) == between(0.1, None) == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.0 s"), (9.94, "9.9 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (90_000, "25 h"), (None, "–")],
)
def test_durations_are_said_as_people_do(seconds: float | None, shown: str) -> None:
    """The two largest units that matter."""
    assert duration(seconds).replace(GAP, " ") == shown


@given(st.floats(0, 1e7))
def test_a_duration_never_says_sixty(seconds: float) -> None:
    """Sixty seconds are a minute, sixty minutes an hour."""
    words = duration(seconds).split(GAP)
    assert "60" not in [number for number, unit in zip(words[::2], words[1::2], strict=True) if unit in {"s", "min"}]


def test_counts_agree_with_their_nouns() -> None:
    """One image, two images, two classes."""
    assert [counted(1, "image"), counted(2000, "image"), counted(2, "class", many="classes")] == [
        "1 image",
        "2,000 images",
        "2 classes",
    ]
    assert count(None) == "–"


def test_figures_say_what_they_know() -> None:
    """Three digits, thousands separated, no trailing zeros."""
    assert [figure(2.30258), figure(0.1), figure(98_765.4), figure(None)] == ["2.3", "0.1", "98,765", "–"]
    assert [epoch(7.0), epoch(7.26)] == ["7", "7.3"]


def test_long_lists_are_counted() -> None:
    """A sentence names a few and counts the rest."""
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdef"), most=2) == "a, b and 4 more"
