"""Which network plays which part."""

import pytest

from epochal.models.networks import NETWORKS
from epochal.stages.roles import LARGE, LINEAR, SMALL, network_for
from epochal.tasks.classification import Classification


@pytest.mark.parametrize("role", [LINEAR, SMALL, LARGE])
def test_every_part_is_played_by_a_known_network(role: str) -> None:
    """For each role there is a network that can be built by that name."""
    assert network_for(Classification(classes=("cat", "dog"), counts=(1, 1)), role) in NETWORKS
