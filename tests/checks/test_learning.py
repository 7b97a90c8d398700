"""Facts about the rules on the first steps of learning."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from epochal.checks.learning import CHANCE, INPUT_RULES, RULES, InputDependence, has_signal
from epochal.findings import Rule, Severity, examine
from epochal.testing import assert_rule_holds


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[Any]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


@pytest.mark.parametrize("boldness", [0.1, 1.0, 2.0])
def test_chance_is_rarely_taken_for_signal(boldness: float) -> None:
    """Answers that have nothing to do with the labels, timid or bold, rarely look like a signal."""
    source = np.random.default_rng(0)
    # Log ratios of probabilities that are 1 on average, as those of unrelated answers are.
    gains = source.normal(-(boldness**2) / 2, boldness, (1500, 256))
    assert sum(has_signal(gain) for gain in gains) <= 10 * 1500 * CHANCE


def test_a_small_honest_gain_is_seen() -> None:
    """Right in a fifth of cases instead of a tenth, and saying so, is seen on 500 samples nearly always."""
    source = np.random.default_rng(0)
    hits = source.random((100, 500)) < 0.2
    gains = np.where(hits, np.log(0.2 / 0.1), np.log(0.8 / 0.9))
    assert sum(has_signal(gain) for gain in gains) >= 95


def test_rounding_is_no_signal() -> None:
    """A gain that is certain, and smaller than anything that matters, does not count."""
    assert not has_signal(np.full(500, 1e-6) + np.random.default_rng(0).normal(0, 1e-9, 500))


def test_broken_losses_are_no_signal() -> None:
    """NaN or infinite gains are never a signal."""
    assert not has_signal(np.array([1.0, np.nan, 1.0]))
    assert not has_signal(np.array([1.0, np.inf, 1.0]))


def test_a_bold_network_that_knows_something_is_seen() -> None:
    """Right in a quarter of cases instead of a tenth and far too sure: its loss is worse, it is seen all the same."""
    source = np.random.default_rng(0)
    hits = source.random(1000) < 0.25
    gain = np.where(hits, np.log(10), -8.0)  # certain of one class in each case
    assert gain.mean() < -5
    assert has_signal(gain)


def test_a_bold_network_that_knows_nothing_is_not_seen() -> None:
    """Right in a tenth of cases as chance has it: however bold, it gains nothing."""
    source = np.random.default_rng(0)
    for boldness in (1.0, 4.0, 30.0):
        hits = source.random((200, 500)) < 0.1
        sure = 1 / (1 + 9 * np.exp(-boldness))  # its probability for the class it names
        gains = np.where(hits, np.log(sure / 0.1), np.log((1 - sure) / 9 / 0.1 + 1e-300))
        assert not any(has_signal(gain) for gain in gains)


def test_a_trial_of_a_few_steps_decides_nothing() -> None:
    """What looks unlearnable after twelve steps is a note; after sixty-four it is an error."""
    gain = tuple(float(value) for value in np.linspace(-0.06, 0.03, 150))
    trial = InputDependence(gain=gain, blind_loss=0.5, answer_spread=0.4, steps=12, seconds=3.0, ended="time")
    (early,) = examine(INPUT_RULES, trial)
    (late,) = examine(INPUT_RULES, replace(trial, steps=64))
    assert (early.severity, late.severity) == (Severity.NOTE, Severity.ERROR)
