"""Schedules against torch's own schedulers, and the properties that all share."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR, OneCycleLR, PolynomialLR

from epochal.errors import SettingError
from epochal.optim import schedule as schedules
from epochal.optim.schedule import Schedule

progress = st.floats(0, 1)


def _stepped(make: type, steps: int, **settings: object) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = make(optimizer, **settings)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (schedules.cosine(), lambda n: _stepped(CosineAnnealingLR, n, T_max=n)),
        (schedules.polynomial(power=3), lambda n: _stepped(PolynomialLR, n, total_iters=n, power=3)),
        (schedules.steps(at=[0.5, 0.75]), lambda n: _stepped(MultiStepLR, n, milestones=[n // 2, 3 * n // 4])),
    ],
)
def test_equals_torch(ours: Schedule, theirs: object) -> None:
    """The closed form at step / total is what torch's scheduler reaches step by step."""
    expected = theirs(40)  # type: ignore[operator]
    assert [ours(i / 40) for i in range(40)] == pytest.approx(expected, abs=1e-6)


def test_one_cycle_equals_torch() -> None:
    """Its two cosine arcs are those of OneCycleLR, whose last step is at progress 1."""
    n = 41
    expected = _stepped(
        OneCycleLR, n - 1, max_lr=1.0, total_steps=n, pct_start=(0.25 * (n - 1) + 1) / n, div_factor=25,
        final_div_factor=1e9, cycle_momentum=False,
    )  # fmt: skip
    ours = schedules.one_cycle(peak=0.25)
    assert [ours(i / (n - 1)) for i in range(n - 1)] == pytest.approx(expected, abs=1e-6)


@given(st.floats(0.01, 0.9), progress)
def test_warmup_keeps_what_follows_whole(share: float, at: float) -> None:
    """What follows a warm-up runs from its own beginning to its own end."""
    warmed = schedules.warmup_then(schedules.linear(), share=share)
    assert warmed(share + (1 - share) * at) == pytest.approx(1 - at, abs=1e-9)


@given(st.floats(0, 0.9), progress)
def test_hold_keeps_the_full_rate(share: float, at: float) -> None:
    """Before the hold ends the rate is untouched; after it the next schedule begins at its beginning."""
    held = schedules.hold_then(schedules.linear(), share=share)
    assert held(share * at * 0.999) == 1.0
    assert held(share + (1 - share) * at) == pytest.approx(1 - at, abs=1e-9)


def test_drawn_covers_the_run() -> None:
    """The curve shown before a run has its first and last point."""
    points = schedules.drawn(schedules.cosine(), points=11)
    assert (points[0], points[-1]) == ((0.0, 1.0), (1.0, 0.0))
    assert all(a[0] < b[0] for a, b in itertools.pairwise(points))


@pytest.mark.parametrize(
    "make",
    [
        lambda: schedules.polynomial(power=0),
        lambda: schedules.steps(at=[1.5]),
        lambda: schedules.warmup_then(schedules.linear(), share=1.0),
        lambda: schedules.hold_then(schedules.linear(), share=-0.1),
        lambda: schedules.one_cycle(peak=0.0),
    ],
)
def test_impossible_settings_are_refused(make: object) -> None:
    """What cannot be a schedule is told in three parts."""
    with pytest.raises(SettingError, match="What to do"):
        make()  # type: ignore[operator]
