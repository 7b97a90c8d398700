"""Three rates and the range test find the rate that a known curve and a small network need."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.optim.optimizer import build, set_lr
from epochal.optim.range_test import STARTS, Tried, range_test, suits, try_rates


class _Regression:
    """A quadratic whose steepest curvature is known: plain gradient descent diverges above 2 / curvature."""

    def __init__(self, curvature: float) -> None:
        self.model = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.model.weight, 1.0)
        self.curvature = curvature
        self.optimizer = build(self.model, lr=1.0, momentum=0.0, nesterov=False)

    def step(self, lr: float) -> float:
        set_lr(self.optimizer, lr)
        self.optimizer.zero_grad()
        loss = self.curvature / 2 * self.model.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return loss.item()

    def trial(self, lr: float) -> float:
        fresh = _Regression(self.curvature)
        return [fresh.step(lr) for _ in range(30)][-1]


@pytest.mark.parametrize(("curvature", "best"), [(1.0, 1e-1), (10.0, 1e-1), (500.0, 1e-3), (1e5, 1e-6)])
def test_the_best_of_three_rates_is_the_largest_that_is_stable(curvature: float, best: float) -> None:
    """On a quadratic each rate below 2 / curvature works, and the largest of these most."""
    assert try_rates(_Regression(curvature).trial).best == best


def test_each_rate_is_tried_once_in_order() -> None:
    """Three trials, not more: they are paid for by the budget."""
    asked: list[float] = []

    def trial(lr: float) -> float:
        asked.append(lr)
        return 1.0

    try_rates(trial)
    assert asked == [1e-1, 1e-3, 1e-6] == list(STARTS)


def test_diverged_trials_never_win() -> None:
    """NaN and infinity are no low losses; where all diverge there is no best."""
    assert try_rates(lambda lr: math.nan if lr > 0.01 else lr).best == 1e-6
    assert try_rates(lambda _lr: math.inf).best is None


def test_of_equals_the_lower_rate_is_kept() -> None:
    """Where nothing speaks for speed, the safer one."""
    assert Tried(rates=(0.1, 0.01), losses=(1.0, 1.0)).best == 0.01


def test_rates_suit_what_is_known_already() -> None:
    """Fine-tuning below 1e-3, scratch at or above (L5)."""
    assert not suits(1e-3, pretrained=True)
    assert suits(1e-3, pretrained=False)


@pytest.mark.parametrize("curvature", [0.5, 5.0, 50.0])
def test_the_range_test_ends_where_the_network_diverges(curvature: float) -> None:
    """The rates named lie below the known limit of stability, and within two orders of magnitude of it."""
    limit = 2 / curvature
    found = range_test(_Regression(curvature).step, low=1e-5, high=1e3, steps=200, smoothing=0.5)
    assert found.diverged
    assert found.rates[-1] < 1e3
    assert found.highest is not None
    assert limit / 100 < found.highest < limit
    assert found.steepest is not None
    assert limit / 100 < found.steepest < 2 * limit


@given(st.floats(1e-8, 1e-2), st.floats(1.5, 1e6), st.integers(3, 40))
def test_rates_rise_by_the_same_factor(low: float, ratio: float, steps: int) -> None:
    """From the lowest to the highest in equal steps of the logarithm."""
    found = range_test(lambda _lr: 1.0, low=low, high=low * ratio, steps=steps)
    assert found.rates == pytest.approx(torch.logspace(
        math.log10(low), math.log10(low * ratio), steps, dtype=torch.float64).tolist(), rel=1e-6)  # fmt: skip


def test_smoothing_is_the_mean_of_the_past() -> None:
    """Against the weighted mean written out: without the bias of a start at 0."""
    losses = [5.0, 3.0, 4.0, 1.0]
    given_out = iter(losses)
    found = range_test(lambda _lr: next(given_out), steps=4, smoothing=0.8)
    for i in range(4):
        weights = [0.8 ** (i - j) for j in range(i + 1)]
        expected = sum(w * x for w, x in zip(weights, losses, strict=False)) / sum(weights)
        assert found.smooth[i] == pytest.approx(expected)


def test_a_loss_that_never_falls_names_no_rate() -> None:
    """Nothing is made up where nothing was learnt."""
    rising = range_test(lambda lr: 1 + lr, steps=20, high=1.0)
    assert rising.steepest is None
    assert rising.highest is None


def test_a_loss_that_is_broken_from_the_start_is_no_matter_of_rates() -> None:
    """The message sends to the data, not to a lower rate."""
    with pytest.raises(SettingError, match="look at the data"):
        range_test(lambda _lr: math.nan)


@pytest.mark.parametrize(
    "wrong", [{"steps": 2}, {"low": 1.0, "high": 0.1}, {"low": 0.0}, {"high": math.inf}, {"smoothing": 1.0}]
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    """Told in three parts."""
    with pytest.raises(SettingError, match="What to do"):
        range_test(lambda _lr: 1.0, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("rates", [(), (0.0,), (0.1, -1.0), (math.nan,)])
def test_impossible_rates_are_refused(rates: tuple[float, ...]) -> None:
    """Told in three parts."""
    with pytest.raises(SettingError, match="What to do"):
        try_rates(lambda _lr: 1.0, rates=rates)
