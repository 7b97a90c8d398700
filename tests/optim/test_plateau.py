"""The plateau schedule against torch's, value by value, and its resuming."""

import math
from typing import Literal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.optim.plateau import Plateau, PlateauRule, plateau_factor
from epochal.optim.schedule import constant, warmup_then

values_of = st.lists(st.integers(1, 6).map(float), max_size=30)


@given(
    values_of, st.sampled_from([2.0, 5.0]), st.integers(0, 3), st.integers(0, 3), st.sampled_from(["lower", "higher"])
)
def test_equals_torch(
    values: list[float], divide_by: float, patience: int, cooldown: int, better: Literal["lower", "higher"]
) -> None:
    """At every value the factor is that of ReduceLROnPlateau (W4.3, S10)."""
    rule = PlateauRule(divide_by=divide_by, patience=patience, cooldown=cooldown, better=better, smallest=0.01)
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="min" if better == "lower" else "max", factor=1 / divide_by, patience=patience,
        cooldown=cooldown, min_lr=0.01, eps=0.0,
    )  # fmt: skip
    for seen, value in enumerate(values, start=1):
        theirs.step(value)
        wanted = optimizer.param_groups[0]["lr"]
        assert plateau_factor(values[:seen], rule=rule) == pytest.approx(wanted)


def test_nothing_observed_changes_nothing() -> None:
    """Before the first value the factor is 1."""
    assert plateau_factor([]) == 1.0
    assert Plateau()(0.3) == 1.0


def test_nan_improves_nothing() -> None:
    """A validation that failed counts as no improvement, even as the first."""
    rule = PlateauRule(patience=0)
    assert plateau_factor([math.nan, 1.0, math.nan], rule=rule) == 0.25


def test_a_warm_up_is_not_judged() -> None:
    """Values from before `since` are left out, and the warm-up's factor multiplies."""
    rate = Plateau(rule=PlateauRule(patience=0, divide_by=5), schedule=warmup_then(constant(), share=0.5), since=0.5)
    rate.observe(1.0, progress=0.1)
    rate.observe(9.0, progress=0.2)
    assert rate(0.25) == 0.5
    assert rate(0.5) == 1.0
    rate.observe(9.0, progress=0.6)
    assert rate(0.6) == 1.0
    rate.observe(9.0, progress=0.7)
    assert rate(0.7) == 0.2


@given(values_of, st.integers(0, 30))
def test_resumes_anywhere(values: list[float], at: int) -> None:
    """What is saved is enough to go on as if never interrupted."""
    whole, first, second = (Plateau(rule=PlateauRule(patience=1)) for _ in range(3))
    for value in values:
        whole.observe(value)
    for value in values[:at]:
        first.observe(value)
    second.load_state_dict(first.state_dict())
    for value in values[at:]:
        second.observe(value)
    assert second(1.0) == whole(1.0)
    assert Plateau().values == []


@pytest.mark.parametrize(
    "wrong", [{"divide_by": 1.0}, {"patience": -1}, {"margin": 1.0}, {"smallest": 2.0}, {"better": "larger"}]
)
def test_impossible_rules_are_refused(wrong: dict[str, object]) -> None:
    """A rule under which the rate would not fall is told in three parts."""
    with pytest.raises(SettingError, match="divide_by"):
        PlateauRule(**wrong)  # type: ignore[arg-type]
