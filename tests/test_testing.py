"""The proof of a rule fails wherever the rule does."""

from collections.abc import Iterator

import pytest

from epochal.findings import Observation, Rule, Severity, rule
from epochal.testing import assert_rule_holds


def odd(remedy: str = "add one") -> Rule[int]:
    @rule("odd", code="EP991", severity=Severity.NOTE)
    def look(number: int) -> Iterator[Observation]:
        """Odd numbers cannot be halved."""
        if number % 2:
            yield Observation("number", str(number), expected="an even one", remedy=remedy)

    return look


def test_a_rule_with_true_cases_holds() -> None:
    """Firing on the bad case and silence on the good one is all that is asked."""
    assert_rule_holds(odd().fires_on("three", lambda: 3).silent_on("four", lambda: 4))


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (odd().silent_on("four", lambda: 4), "no case on which it fires"),
        (odd().fires_on("three", lambda: 3), "no case on which it stays silent"),
        (odd().fires_on("four", lambda: 4).silent_on("four", lambda: 4), "stayed silent"),
        (odd().fires_on("three", lambda: 3).silent_on("five", lambda: 5), "fired on its good case"),
        (odd(remedy="").fires_on("three", lambda: 3).silent_on("four", lambda: 4), "remedy is empty"),
    ],
)
def test_a_rule_that_does_not_hold_fails(subject: Rule[int], message: str) -> None:
    """Each way in which a rule can be unproven is told apart."""
    with pytest.raises(AssertionError, match=message):
        assert_rule_holds(subject)
