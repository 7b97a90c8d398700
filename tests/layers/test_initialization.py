import pytest
import torch
from torch import nn

from epochal.layers.initialization import identity_


@pytest.mark.parametrize(("i", "o"), [(4, 4), (4, 7), (7, 4)])
def test_first_channels_pass_unchanged(i: int, o: int) -> None:
    """The first min(i, o) outputs are the inputs themselves, borders included."""
    layer = nn.Conv2d(i, o, 3, padding=1, bias=False)
    identity_(layer)
    x = torch.randn(2, i, 5, 5)
    torch.testing.assert_close(layer(x)[:, : min(i, o)], x[:, : min(i, o)], rtol=0, atol=0)


def test_the_rest_stays_random() -> None:
    """Filters beyond the number of inputs keep their own random values, so that no two are alike."""
    layer = nn.Conv2d(2, 6, 3, padding=1, bias=False)
    before = layer.weight.detach().clone()
    identity_(layer)
    assert torch.equal(layer.weight[2:], before[2:])
