"""Facts about probing a program: what its outputs reach, and where its gradients arrive."""

import pytest
import torch
from torch import nn

from epochal.checks.probing import probe_gradients, probe_outputs
from epochal.checks.program import Program, Rows

X = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
ROWS = Rows(inputs=X, target=torch.ones(16, 3))


@pytest.mark.parametrize(
    ("last", "reach"),
    [(nn.Sigmoid(), (0, 1)), (nn.Tanh(), (-1, 1)), (nn.Softmax(1), (0, 1)), (nn.ReLU(), (0, float("inf")))],
)
def test_the_last_activation_bounds_what_is_reached(last: nn.Module, reach: tuple[float, float]) -> None:
    """However the weights are drawn."""
    fit = probe_outputs(Program(model=nn.Sequential(nn.Linear(4, 3), last)), ROWS, kind=None)
    assert reach[0] <= fit.reach[0] <= fit.reach[1] <= reach[1]
    assert fit.rows_sum_to_one == isinstance(last, nn.Softmax)


def test_raw_outputs_are_not_bounded() -> None:
    """Both signs, and beyond 1."""
    fit = probe_outputs(Program(model=nn.Linear(4, 3)), ROWS, kind=None)
    assert fit.reach[0] < -1
    assert fit.reach[1] > 1


def test_gradients_tell_who_is_left_out() -> None:
    """Unused, frozen, outside the optimizer, and strangers in it."""
    used = nn.Linear(4, 3)
    model = nn.ModuleDict({"a": used, "unused": nn.Linear(1, 1), "frozen": nn.Linear(3, 3)})
    model["frozen"].requires_grad_(requires_grad=False)
    model.forward = lambda x: model["frozen"](used(x))
    optimizer = torch.optim.SGD([used.bias, torch.zeros(1, requires_grad=True)], lr=1.0)
    seen = probe_gradients(Program(model=model, loss=nn.MSELoss(), optimizer=optimizer), ROWS)
    assert seen.outside == ("a.weight",)
    assert seen.unreached == ("unused.weight", "unused.bias")
    assert seen.frozen == ("frozen.weight", "frozen.bias")
    assert seen.strangers == 1


def test_a_head_of_zeros_is_not_dead() -> None:
    """The layer before it gets no gradient at first, and gets one with the second step."""
    first, last = nn.Linear(4, 8), nn.Linear(8, 3)
    model = nn.Sequential(first, nn.ReLU(), last)
    nn.init.zeros_(last.weight)
    assert probe_gradients(Program(model=model, loss=nn.MSELoss()), ROWS).still == ()
    nn.init.constant_(first.bias, -1e3)
    assert "0.weight" in probe_gradients(Program(model=model, loss=nn.MSELoss()), ROWS).still
