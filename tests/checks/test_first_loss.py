"""The first loss of networks for values and masks."""

import pytest
import torch
from torch import Tensor, nn

from epochal.checks.first_loss import RULES, first_loss
from epochal.findings import examine
from epochal.testing import assert_rule_holds


def _squared(outputs: Tensor, values: Tensor) -> Tensor:
    return ((outputs - values) ** 2).flatten(1).mean(1)


@pytest.mark.parametrize("rule", RULES)
def test_rules_hold_on_their_cases(rule: object) -> None:
    """Each rule fires and is silent where it says."""
    assert_rule_holds(rule)  # type: ignore[arg-type]


@pytest.mark.parametrize(("scale", "found"), [(0.0, []), (0.1, []), (10.0, ["first-loss-off"])])
def test_a_wide_last_layer_is_found(scale: float, found: list[str]) -> None:
    """Outputs around the mean pass, outputs ten deviations wide do not; the model is left as it was."""
    torch.manual_seed(0)
    head = nn.Linear(6, 1)
    nn.init.normal_(head.weight, std=scale / 6**0.5)
    nn.init.zeros_(head.bias)
    model = nn.Sequential(nn.BatchNorm1d(6), head)
    values = torch.randn(200, 1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    seen = first_loss(model, torch.randn(200, 6), labels=values, loss=_squared, constant=torch.zeros(1), expected=1.0)
    assert [finding.rule for finding in examine(RULES, seen)] == found
    assert seen.constant == pytest.approx(float((values**2).mean()), rel=1e-6)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_constant_answers_for_every_pixel() -> None:
    """Outputs with a height and a width are compared with one constant for all places."""
    model = nn.Conv2d(3, 2, 1)
    nn.init.zeros_(model.weight)
    assert model.bias is not None
    nn.init.constant_(model.bias, 0.5)
    seen = first_loss(
        model, torch.randn(4, 3, 5, 7), labels=torch.zeros(4, 2, 5, 7), loss=_squared,
        constant=torch.tensor([0.5, 0.5]), expected=0.25,
    )  # fmt: skip
    assert seen.measured == pytest.approx(0.25)
    assert seen.measured == seen.constant
