"""Facts about the rules over training curves."""

import subprocess
import sys

import numpy as np
import pytest

from epochal.findings import Rule, Severity
from epochal.history import History
from epochal.monitors.curves import RULES, diverging_loss, flat_loss
from epochal.testing import assert_rule_holds


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[History]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_short_histories_are_silent(subject: Rule[History]) -> None:
    """Without values, or with one or two, there is no curve to judge."""
    for losses in ([], [2.3], [2.3, 2.2]):
        assert not list(subject(History.of(loss=losses)))
    assert not list(subject(History.of(val_loss=[2.3])))


@pytest.mark.parametrize("seed", range(20))
def test_healthy_curves_raise_no_alarm_at_any_time(seed: int) -> None:
    """Exponential falls with noise, small batches and warm-up are silent however early one looks."""
    source = np.random.default_rng(seed)
    steps = np.arange(800)
    floor, noise = source.uniform(0.05, 1.5), source.uniform(0.01, 0.25)
    loss = floor + (2.3 - floor) * np.exp(-steps / source.uniform(40, 250)) + source.normal(0, noise, 800)
    rate = np.minimum(steps / 100, 1.0) * (1 - steps / 1000)
    for seen in (5, 20, 50, 100, 200, 400, 800):
        history = History.of(loss=loss[:seen].tolist(), lr=rate[:seen].tolist())
        for step in range(49, seen, 50):
            history.append(step=step, val_loss=float(loss[max(0, step - 20) : step + 1].mean()))
        assert [finding.rule for each in RULES for finding in each(history)] == []


def test_nan_names_its_first_step_and_cause() -> None:
    """NaN out of a calm curve is blamed on an operation, NaN after a rise on the rate."""
    (calm,) = diverging_loss(History.of(loss=[2.3, 2.2, 2.1, *[float("nan")] * 4]))
    assert (calm.where, calm.cause, calm.severity) == ("step 3", "an operation", Severity.STOP)
    wild = [2.3] * 10 + [10.0**power for power in range(1, 11)] + [float("inf")] * 3
    assert next(diverging_loss(History.of(loss=wild))).cause == "learning rate too high"


def test_a_moderate_rise_is_a_warning() -> None:
    """Three times the start is a warning, a hundred times stops the run."""
    assert [f.severity for f in diverging_loss(History.of(loss=[2.0] * 20 + [6.0] * 10))] == [Severity.WARN]
    assert [f.severity for f in diverging_loss(History.of(loss=[2.0] * 20 + [200.0] * 10))] == [Severity.STOP]


def test_one_cause_of_a_lost_run() -> None:
    """A run that diverged is not also called flat or too fast."""
    history = History.of(loss=[2.3] * 10 + [1e4] * 1200)
    assert [finding.rule for each in RULES for finding in each(history)] == ["diverging-loss"]


def test_flat_loss_needs_no_looks_on_long_runs() -> None:
    """Without a single look at held-out samples, a thousand flat steps are enough."""
    flat = (2.3 + np.random.default_rng(0).normal(0, 0.05, 1000)).tolist()
    assert not list(flat_loss(History.of(loss=flat[:900])))
    assert list(flat_loss(History.of(loss=flat)))


def test_judging_needs_no_torch() -> None:
    """Histories can be judged where torch is not installed."""
    code = "import sys; sys.modules['torch'] = None; import epochal.monitors.curves, epochal.stats.linear"
    subprocess.run([sys.executable, "-c", code], check=True)
