"""Facts about the rules on outputs, loss and targets: each holds on its cases, and its name and code are its own."""

from typing import Any

import pytest

from epochal.checks.outputs import RULES
from epochal.findings import Rule
from epochal.testing import assert_rule_holds


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[Any]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


def test_codes_are_distinct() -> None:
    """Every rule has a code and a name of its own."""
    assert len({each.code for each in RULES}) == len({each.name for each in RULES}) == len(RULES)
