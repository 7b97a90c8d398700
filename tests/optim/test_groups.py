"""Settings of parameter groups, and closures."""

import pytest
import torch

from epochal.errors import SettingError
from epochal.optim.groups import check_groups, evaluated

FINE = {"lr": 0.1, "weight_decay": 0.0, "betas": (0.9, 0.999)}


@pytest.mark.parametrize(
    "wrong",
    [{"lr": -1.0}, {"lr": float("nan")}, {"weight_decay": -1.0}, {"betas": (0.0, 0.9)}, {"betas": (0.9, 1.0)}],
)
def test_impossible_groups_are_refused(wrong: dict[str, object]) -> None:
    """One bad group among good ones is told in three parts."""
    check_groups([FINE, FINE])
    with pytest.raises(SettingError, match="What to do"):
        check_groups([FINE, FINE | wrong])


def test_a_closure_is_asked_with_gradients_on() -> None:
    """`step` works without gradients; the closure inside it needs them."""
    with torch.no_grad():
        assert evaluated(torch.is_grad_enabled) is True
        assert evaluated(None) is None
