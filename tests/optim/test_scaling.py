"""The rate at another batch size."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.optim.scaling import scaled_lr


@given(st.integers(1, 64), st.integers(2, 8))
def test_one_large_step_is_many_small_ones(batch: int, times: int) -> None:
    """For SGD on a straight slope, the scaled rate at `times` the batch moves as far as so many steps (W4.3)."""
    slope = torch.randn(times, batch, dtype=torch.float64)
    small = sum(0.1 * part.mean() for part in slope)
    large = scaled_lr(0.1, batch_size=batch * times, tuned_at=batch) * slope.mean()
    torch.testing.assert_close(torch.as_tensor(small), large)


def test_the_root_rule_keeps_the_noise() -> None:
    """The spread of a step, rate times the deviation of a mean, stays what it was."""
    noise = [lr / batch**0.5 for batch in (64, 256, 1000) for lr in [scaled_lr(1e-3, batch_size=batch, rule="root")]]
    assert noise == pytest.approx([noise[0]] * 3)


def test_there_and_back() -> None:
    """A rate carried to another batch and back is the same; at its own batch it is itself."""
    there = scaled_lr(0.1, batch_size=1000, tuned_at=64)
    assert scaled_lr(there, batch_size=64, tuned_at=1000) == pytest.approx(0.1)
    assert scaled_lr(0.1, batch_size=256) == 0.1


@pytest.mark.parametrize(
    "wrong", [{"lr": 0.0}, {"lr": float("nan")}, {"batch_size": 0}, {"tuned_at": 0}, {"rule": "x"}]
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    """Each is told in three parts."""
    with pytest.raises(SettingError, match="What to do"):
        scaled_lr(**({"lr": 0.1, "batch_size": 64} | wrong))  # type: ignore[arg-type]
