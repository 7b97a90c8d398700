"""Facts about the rule on images that the network to begin from has seen before."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.checks.heritage import RULES, Heritage, start_saw_held_out
from epochal.checks.specimens import Specimen, table_of
from epochal.findings import Rule, Severity
from epochal.testing import assert_rule_holds

ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["train", "val", "test"])), min_size=1, max_size=9)


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[Heritage]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


@given(ROWS, ROWS)
def test_the_rule_agrees_with_a_loop_over_pairs(now: list[tuple[str, str]], before: list[tuple[str, str]]) -> None:
    """It fires where a test picture was in train or val of the earlier run, or a validation picture in train."""
    tables = [
        table_of([Specimen(key=str(row), picture=picture, split=split) for row, (picture, split) in enumerate(rows)])
        for rows in (now, before)
    ]
    used = {"test": {"train", "val"}, "val": {"train"}}
    expected = [
        held for held in used if any(p == q and a == held and b in used[held] for p, a in now for q, b in before)
    ]
    assert [each.where for each in start_saw_held_out(Heritage(table=tables[0], earlier=tables[1]))] == expected


def test_the_share_and_the_names_are_told() -> None:
    """One of four test images is a quarter, and its name is given."""
    held = [Specimen(key=f"{n}.jpg", split="test") for n in range(4)]
    heritage = Heritage(table=table_of([Specimen(key="own"), *held]), earlier=table_of([Specimen(key="2.jpg")]))
    (finding,) = start_saw_held_out(heritage)
    assert finding.severity is Severity.ERROR
    assert finding.measured.startswith("1 sample (25.0%) of test")
    assert "2.jpg" in finding.measured
