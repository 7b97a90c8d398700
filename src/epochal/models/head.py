"""The last layer of a classifier: finding it, and beginning it at what is known before looking."""

from collections.abc import Sequence

import torch
from torch import nn

from epochal.errors import SettingError


def find(model: nn.Module) -> nn.Linear | nn.Conv2d:
    """Find the layer that makes the logits: the last linear layer or convolution, in the order of definition.

    Raises: SettingError where the model has none.

    >>> find(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))).out_features
    3
    """
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    if not layers:
        raise SettingError(
            f"{type(model).__name__} has neither a linear layer nor a convolution.",
            expected="one that makes the logits.",
            remedy="end the network with nn.Linear.",
        )
    return layers[-1]


def log_prior(counts: Sequence[float]) -> torch.Tensor:
    """Turn counts per class into the logits of an ignorant but calibrated guess: `log((n_k + 1) / (n + K))`.

    One is added to each count, so that a class without a sample gets a small logit and not minus infinity.

    Units: nats.  Raises: SettingError for no class, or a count below 0.  Source: tip K2.5; Laplace's rule.

    >>> log_prior([7, 1]).exp()
    tensor([0.8000, 0.2000])
    """
    if not len(counts) or not all(count >= 0 for count in counts):
        raise SettingError(
            f"The class counts are {list(counts)}.", expected="one or more, none below 0.", remedy="count labels."
        )
    smoothed = torch.tensor(counts, dtype=torch.float64) + 1
    return (smoothed / smoothed.sum()).log().float()


@torch.no_grad()
def set_prior_bias_(model: nn.Module, counts: Sequence[float], *, zero_weights: bool = False) -> None:
    """Begin the network at the class frequencies, so that its first loss is their entropy and no step is spent on them.

    With `zero_weights` the first output is the prior exactly, whatever the input; without, nearly so. The factor of a
    `ScaledLinear` head is taken into account. In place.

    Raises: SettingError where the head has no bias, or its size is not that of `counts`.  Source: tips K2.4, K2.5.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> set_prior_bias_(model, [7, 1], zero_weights=True)
    >>> model(torch.randn(1, 4)).softmax(1).detach()
    tensor([[0.8000, 0.2000]])
    """
    set_bias_(model, log_prior(counts), zero_weights=zero_weights)


@torch.no_grad()
def set_bias_(model: nn.Module, bias: torch.Tensor, *, zero_weights: bool = False) -> None:
    """Begin the last layer at given outputs, as `set_prior_bias_` does at the class frequencies. In place.

    Raises: SettingError where the head has no bias, or not one for each of these outputs.  Source: tip K2.5.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    >>> set_bias_(model, torch.tensor([0.5, -2.0]), zero_weights=True)
    >>> model(torch.randn(1, 4)).detach()
    tensor([[ 0.5000, -2.0000]])
    """
    layer = find(model)
    if layer.bias is None or layer.bias.numel() != len(bias):
        size = "no bias" if layer.bias is None else f"{layer.bias.numel()} outputs"
        raise SettingError(
            f"The last layer has {size}, the data have {len(bias)} classes.",
            expected="a bias for each class.",
            remedy="build the network for these classes.",
        )
    factor = layer.factor if isinstance(layer, ScaledLinear) else 1.0
    layer.bias.copy_(bias / factor)
    if zero_weights:
        layer.weight.zero_()


class ScaledLinear(nn.Linear):
    """A linear layer whose output is multiplied by a constant: `factor (W x + b)`.

    A small factor keeps the first predictions soft, and lets the head learn at the rate of all other layers: its
    effective rate is `factor` squared times theirs.

    Shapes: as `nn.Linear`.  Source: Page 2019, "How to train your ResNet 8" (his 0.125); Jordan 2024 (1/9).

    >>> layer = ScaledLinear(2, 1, factor=0.5)
    >>> with torch.no_grad(): _ = layer.weight.fill_(1.0), layer.bias.fill_(0.0)
    >>> layer(torch.ones(1, 2)).item()
    1.0
    """

    def __init__(self, in_features: int, out_features: int, *, factor: float) -> None:
        """Store the factor beside the usual weights."""
        super().__init__(in_features, out_features)
        self.factor = factor

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002  torch's own name
        """Give the scaled logits."""
        return super().forward(input) * self.factor

    def extra_repr(self) -> str:
        """Show the factor beside the sizes."""
        return f"{super().extra_repr()}, factor={self.factor:.4g}"
