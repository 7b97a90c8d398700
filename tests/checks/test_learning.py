"""Facts about the rules on the first steps of learning."""

from typing import Any

import numpy as np
import pytest

from epochal.checks.learning import CHANCE, RULES, has_signal
from epochal.findings import Rule
from epochal.testing import assert_rule_holds


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[Any]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


def test_chance_is_rarely_taken_for_signal() -> None:
    """Of 4,000 sets of 256 losses without a gain, no more than promised look like one, luck allowed for."""
    source = np.random.default_rng(0)
    alarms = sum(has_signal(source.normal(0, 1, 256)) for _ in range(4000))
    assert alarms <= 10 * 4000 * CHANCE


def test_a_tenth_of_a_spread_is_seen_on_two_thousand() -> None:
    """A gain of a tenth of the losses' spread is found on 2,000 samples in nearly all cases."""
    source = np.random.default_rng(0)
    assert sum(has_signal(source.normal(0.1, 1, 2000)) for _ in range(100)) >= 70


def test_broken_losses_are_no_signal() -> None:
    """NaN or infinite gains are never a signal."""
    assert not has_signal(np.array([1.0, np.nan, 1.0]))
    assert not has_signal(np.array([1.0, np.inf, 1.0]))
