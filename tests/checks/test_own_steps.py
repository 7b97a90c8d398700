"""Facts about the rules on a program's own steps: each holds on its cases, and its name and code are its own."""

from typing import Any

import pytest
import torch
from torch import nn

from epochal.checks.own_steps import RULES, take_own_steps
from epochal.checks.program import Program, Rows
from epochal.findings import Rule
from epochal.testing import assert_rule_holds


@pytest.mark.parametrize("subject", RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[Any]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


def test_codes_are_distinct() -> None:
    """Every rule has a code and a name of its own."""
    assert len({each.code for each in RULES}) == len({each.name for each in RULES}) == len(RULES)


def test_the_optimizer_of_the_user_is_not_stepped() -> None:
    """A scheduler wraps `optimizer.step` around the original: copies are stepped past it."""
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    torch.optim.lr_scheduler.StepLR(optimizer, 1)
    before = model.weight.detach().clone()
    rows = Rows(inputs=torch.randn(8, 3), target=torch.ones(8, 1))
    seen = take_own_steps(Program(model=model, loss=nn.MSELoss(), optimizer=optimizer), rows, seconds=20.0)
    assert seen.last < 0.5 * seen.first
    assert torch.equal(model.weight, before)
    assert not optimizer.state
