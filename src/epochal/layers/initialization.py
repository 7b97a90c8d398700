"""Where weights begin."""

import torch
from torch import nn


@torch.no_grad()
def identity_(layer: nn.Conv2d) -> None:
    """Let a convolution begin by passing its input on: its first filters copy a channel each, the rest stay random.

    With i channels in and o out, filter k < min(i, o) becomes a one at the centre of channel k. The network so begins
    as a shallow one with the signal whole, and learns to differ from that. In place.

    Shapes: one group, kernels of odd size.  Source: Zagoruyko and Komodakis 2017 ("DiracNets"); Jordan 2024.

    >>> layer = nn.Conv2d(2, 3, 3, padding=1, bias=False)
    >>> identity_(layer)
    >>> image = torch.randn(1, 2, 4, 4)
    >>> torch.equal(layer(image)[:, :2], image)
    True
    """
    assert layer.groups == 1, layer
    nn.init.dirac_(layer.weight[: layer.in_channels])
