"""Facts about the rules on how a network is built: each holds, and healthy networks of usual kinds pass them all."""

from typing import Any

import pytest
import torch
from torch import nn

from checks.standard import HEALTHY, lenet
from epochal.checks.architecture import describe_architecture
from epochal.checks.construction import ARCHITECTURE_RULES
from epochal.findings import Rule, examine
from epochal.layers.dropout import SpatialDropout
from epochal.optim.optimizer import build
from epochal.testing import assert_rule_holds


def _found(model: nn.Module, *, batch_size: int = 64, optimizer: torch.optim.Optimizer | None = None) -> dict[str, str]:
    """Rule -> severity, on a network and images of 32 pixels."""
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    seen = describe_architecture(model, images, batch_size=batch_size, optimizer=optimizer)
    return {each.rule: each.severity.value for each in examine(ARCHITECTURE_RULES, seen)}


@pytest.mark.parametrize("subject", ARCHITECTURE_RULES, ids=lambda subject: subject.name)
def test_rule_holds(subject: Rule[Any]) -> None:
    """The rule fires on its bad cases and is silent on its good ones."""
    assert_rule_holds(subject)


def test_codes_are_distinct() -> None:
    """Every rule has a code and a name of its own."""
    rules = ARCHITECTURE_RULES
    assert len({each.code for each in rules}) == len({each.name for each in rules}) == len(rules)


@pytest.mark.parametrize("name", HEALTHY)
def test_no_rule_speaks_on_a_healthy_network(name: str) -> None:
    """Ten standard architectures and our own, with the optimizer that we build, give no finding of any kind."""
    torch.manual_seed(0)
    model = HEALTHY[name]()
    assert _found(model, optimizer=build(model, lr=0.1, weight_decay=1e-4)) == {}


def test_deep_sigmoids_are_found() -> None:
    """LeNet is fine, a third layer of sigmoid is one too many."""
    deeper = lenet()
    assert isinstance(deeper, nn.Sequential)
    deeper[8] = nn.Sigmoid()
    assert _found(deeper) == {"saturating-activations": "warning"}


def test_large_windows_and_a_large_head_are_found() -> None:
    """A net as of 2012: 5x5 in the second layer, millions of weights behind a flattened map."""
    old = nn.Sequential(
        *(nn.Conv2d(3, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(64, 96, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(96 * 64, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 10)),
    )
    assert _found(old) == {"large-kernels": "note", "large-dense-head": "note"}


def test_order_and_batch_of_norms_are_found() -> None:
    """Dropout before a norm warns; dropped channels are a note, as are a bias and a decay that serve nothing."""
    plain = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Dropout(0.2), nn.BatchNorm2d(8), nn.ReLU())
    assert _found(plain) == {"dropout-before-norm": "warning"}
    channels = nn.Sequential(SpatialDropout(0.2), nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
    everything = torch.optim.SGD(channels.parameters(), lr=0.1, weight_decay=0.1)
    assert _found(channels, batch_size=2, optimizer=everything) == {
        "small-batch-norm": "warning",
        "dropout-before-norm": "note",
        "bias-before-norm": "note",
        "norms-decayed": "note",
    }


@pytest.mark.parametrize("value", [0.0, 0.02])
def test_constant_weights_are_an_error(value: float) -> None:
    """Zeros and other constants alike."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 32), nn.ReLU(), nn.Linear(32, 10))
    for weight in model.parameters():
        nn.init.constant_(weight, value)
    assert _found(model)["symmetric-units"] == "error"
