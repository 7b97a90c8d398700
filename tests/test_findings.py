"""Rules stamp what they find, and carry the cases that prove them."""

from collections.abc import Iterator

import pytest

from epochal.findings import Observation, Rule, Severity, examine, rule


def make(name: str = "too-big", severity: Severity = Severity.WARN) -> Rule[int]:
    @rule(name, code="EP990", severity=severity, tips=["K1.1"])
    def look(number: int) -> Iterator[Observation]:
        """Big numbers are hard to read."""
        if number > 9:
            grave = Severity.STOP if number > 99 else None
            yield Observation("number", str(number), expected="9 at most", remedy="halve it", severity=grave)

    return look


def test_a_finding_carries_its_rule() -> None:
    """Name, code, severity and tips come from the rule, the rest from the observation."""
    (finding,) = make()(10)
    assert finding.to_json() == {
        "rule": "too-big",
        "code": "EP990",
        "severity": "warning",
        "where": "number",
        "measured": "10",
        "expected": "9 at most",
        "remedy": "halve it",
        "cause": "",
        "tips": ["K1.1"],
    }


def test_an_observation_may_be_graver_than_its_rule() -> None:
    """A rule that warns can still stop on an extreme case."""
    (finding,) = make()(100)
    assert finding.severity is Severity.STOP


def test_examine_puts_the_gravest_first() -> None:
    """Findings are read from the top."""
    found = examine([make("one", Severity.NOTE), make("two", Severity.ERROR)], 10)
    assert [finding.rule for finding in found] == ["two", "one"]


@pytest.mark.parametrize("name", ["TooBig", "too_big", "-big"])
def test_rule_names_are_kebab_case(name: str) -> None:
    """A name that would not read well after 'ignore' is our mistake, and asserted."""
    with pytest.raises(AssertionError, match="kebab"):
        rule(name, code="EP990", severity=Severity.NOTE)
