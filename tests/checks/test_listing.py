"""Findings name enough files to go and look, never a screenful."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.checks.listing import MOST, capped, counted, named
from epochal.findings import Observation, Severity


@given(keys=st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=9), most=st.integers(1, 5))
def test_every_key_is_named_or_counted(keys: list[str], most: int) -> None:
    """What is not shown is counted, and nothing is counted that is shown."""
    said = named(keys, most=most)
    shown, _, rest = said.partition(" and ")
    assert shown.split(", ") == keys[:most]
    assert rest == ("" if len(keys) <= most else f"{len(keys) - most} more")


@pytest.mark.parametrize(("count", "said"), [(0, "0 boxes"), (1, "1 box"), (12345, "12,345 boxes")])
def test_nouns_agree_with_their_number(count: int, said: str) -> None:
    """One box, several boxes."""
    assert counted(count, "box", plural="boxes") == said


@pytest.mark.parametrize("total", [1, MOST, MOST + 1, 3 * MOST])
def test_a_flood_is_counted(total: int) -> None:
    """Up to a hundred findings stand for themselves; the rest is one more, as grave as they are."""
    flood = (
        Observation(f"{n}.jpg", "empty", expected="bytes", remedy="fetch it", severity=Severity.ERROR)
        for n in range(total)
    )
    seen = list(capped(flood, total=total))
    assert len(seen) == min(total, MOST) + (total > MOST)
    assert {each.severity for each in seen} == {Severity.ERROR}
    if total > MOST:
        assert seen[-1].measured == f"{total - MOST:,} more of the same kind"
