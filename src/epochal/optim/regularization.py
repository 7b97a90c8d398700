"""What keeps weights small or few: penalties to add to the loss, and projections for after a step.

Only weights are penalised. Biases, the factors and offsets of normalisation layers and the slopes of PReLU have no
other weight to make up for them: shrinking them changes what the network can say, not how simply it says it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from epochal.errors import SettingError
from epochal.optim.groups import SPARED

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Name the trained parameters that a penalty is for: two axes or more, and not of a normalisation layer or PReLU.

    Shared weights are named once, frozen ones not at all.

    >>> list(weights(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.PReLU(), nn.LayerNorm([2, 4, 4]))))
    ['0.weight']
    """
    return {name: parameter for name, _, parameter in _owned(model)}


def l1_penalty(model: nn.Module, *, strength: float) -> Tensor:
    """Sum of sizes, to add to the loss: `strength sum |w|`. It pulls every weight towards 0 with the same force.

    A gradient only makes weights hover around 0; `ProximalL1` makes them 0.

    Units: the loss's own.  Raises: SettingError if `strength` is below 0.  Source: Tibshirani 1996; tips W6.2, S13.

    >>> layer = nn.Linear(2, 1)
    >>> with torch.no_grad(): _ = layer.weight.copy_(torch.tensor([[3.0, -1.0]]))
    >>> l1_penalty(nn.Sequential(layer), strength=0.5).item()
    2.0
    """
    return elastic_net(model, strength=strength, l1_share=1.0)


def l2_penalty(model: nn.Module, *, strength: float) -> Tensor:
    """Half the sum of squares, to add to the loss: `strength / 2 sum w^2`, whose gradient is `strength w`.

    With the half, `strength` is the `weight_decay` of SGD. For Adam the two differ: its steps are divided by the size
    of past gradients, the penalty's share as well, so strongly used weights hardly decay; AdamW's decay is outside of
    that and no penalty at all.

    Units: the loss's own.  Raises: SettingError if `strength` is below 0.
    Source: Loshchilov and Hutter 2019; tips W6.1, K4.8.

    >>> layer = nn.Linear(2, 1)
    >>> with torch.no_grad(): _ = layer.weight.copy_(torch.tensor([[3.0, -1.0]]))
    >>> l2_penalty(nn.Sequential(layer), strength=0.5).item()
    2.5
    """
    return elastic_net(model, strength=strength, l1_share=0.0)


def elastic_net(model: nn.Module, *, strength: float, l1_share: float = 0.5) -> Tensor:
    """Both penalties, to add to the loss: `strength (a sum |w| + (1 - a) / 2 sum w^2)`, a being `l1_share`.

    Units: the loss's own, in float32 or wider.
    Raises: SettingError if `strength` is below 0 or `l1_share` outside [0, 1].
    Source: Zou and Hastie 2005, in scikit-learn's convention; tips W6.2, S13.

    >>> layer = nn.Linear(2, 1)
    >>> with torch.no_grad(): _ = layer.weight.copy_(torch.tensor([[3.0, -1.0]]))
    >>> elastic_net(nn.Sequential(layer), strength=1.0, l1_share=0.5).item()
    4.5
    """
    check_strength(strength)
    if not 0 <= l1_share <= 1:
        raise SettingError(f"The share of L1 is {l1_share}.", expected="0 to 1.", remedy="0.5; 1 is L1, 0 is L2.")
    tensors = [w if w.dtype == torch.float64 else w.float() for w in weights(model).values()]
    if not tensors:
        return torch.zeros(())
    total = tensors[0].new_zeros(())
    if l1_share > 0:
        total = total + l1_share * torch.stack([w.abs().sum() for w in tensors]).sum()
    if l1_share < 1:
        total = total + (1 - l1_share) / 2 * torch.stack([w.square().sum() for w in tensors]).sum()
    return strength * total


@dataclass(frozen=True, slots=True, kw_only=True)
class ProximalL1:
    """Pull each weight towards 0 by `lr strength` and stop there, one of `after_update`: L1 with true zeros.

    `w <- sign(w) max(|w| - lr strength, 0)`, the step that goes with a gradient step of the loss without the penalty.
    The rate is read from the optimizer, so that a schedule reaches it. Without momentum it is proximal gradient
    descent; with it, the usual approximation.

    Raises: SettingError if `strength` is below 0.  Source: Beck and Teboulle 2009, eq. 1.4; tips W6.2, S13.

    >>> layer = nn.Linear(2, 1)
    >>> with torch.no_grad(): _ = layer.weight.copy_(torch.tensor([[3.0, -0.1]]))
    >>> shrink = ProximalL1(strength=1.0, optimizer=torch.optim.SGD(layer.parameters(), lr=0.5))
    >>> shrink(layer); layer.weight.detach()
    tensor([[2.5000, 0.0000]])
    """

    strength: float
    optimizer: Optimizer

    def __post_init__(self) -> None:
        """Refuse what would make weights larger."""
        check_strength(self.strength)

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> None:
        """Shrink the weights of `model` by the present rate of each."""
        rates = {id(p): float(group["lr"]) for group in self.optimizer.param_groups for p in group["params"]}
        for weight in weights(model).values():
            size = rates.get(id(weight), 0.0) * self.strength
            weight.sub_(weight.clamp(-size, size))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparsity:
    """How many of a layer's weights are 0, and how many of its units have nothing but zeros coming in.

    >>> Sparsity(weights=10, zeros=4, units=2, silent=0).share
    0.4
    """

    weights: int
    zeros: int
    units: int
    silent: int

    @property
    def share(self) -> float:
        """Zeros among the weights, 0 to 1."""
        return self.zeros / self.weights if self.weights else 0.0


@torch.no_grad()
def sparsity(model: nn.Module, *, threshold: float = 0.0) -> dict[str, Sparsity]:
    """Count the zeros of each layer's weights: those whose size is at most `threshold`.

    Raises: SettingError if `threshold` is below 0.  Source: tips W6.2, S13.

    >>> layer = nn.Linear(2, 2)
    >>> with torch.no_grad(): _ = layer.weight.copy_(torch.tensor([[0.0, 0.0], [0.0, 1.0]]))
    >>> sparsity(nn.Sequential(layer))
    {'0.weight': Sparsity(weights=4, zeros=3, units=2, silent=1)}
    """
    if not threshold >= 0:
        raise SettingError(f"The threshold is {threshold}.", expected="0 or more.", remedy="0, for true zeros.")
    found = {}
    for name, owner, weight in _owned(model):
        zero = _incoming(owner, weight).abs() <= threshold
        found[name] = Sparsity(
            weights=weight.numel(), zeros=int(zero.sum()), units=len(zero), silent=int(zero.all(1).sum())
        )
    return found


def incoming_norms(model: nn.Module) -> dict[str, Tensor]:
    """Length of what comes into each unit, layer by layer: rows of a linear layer, filters of a convolution.

    Source: tip W6.3.

    >>> layer = nn.Linear(2, 1)
    >>> with torch.no_grad(): _ = layer.weight.copy_(torch.tensor([[3.0, 4.0]]))
    >>> incoming_norms(nn.Sequential(layer))
    {'0.weight': tensor([5.])}
    """
    return {name: _lengths(_incoming(owner, weight.detach())) for name, owner, weight in _owned(model)}


@dataclass(frozen=True, slots=True)
class MaxNorm:
    """Scale back the weights coming into a unit where they are longer than `limit`: one of `after_update`.

    It bounds what a unit can say however high the learning rate, and leaves shorter ones alone. Rows of a linear layer
    and filters of a convolution; of a transposed convolution the second axis, in each group. Embeddings have no units
    and are left out. Put it before an average of weights, which should see the weights as they are kept.

    Raises: SettingError if `limit` is not above 0.  Source: Srivastava et al. 2014, section 5.1; tip W6.3.

    >>> layer = nn.Linear(2, 1)
    >>> with torch.no_grad(): _ = layer.weight.copy_(torch.tensor([[6.0, 8.0]]))
    >>> MaxNorm(5.0)(layer); layer.weight.detach()
    tensor([[3., 4.]])
    """

    limit: float = 3.0

    def __post_init__(self) -> None:
        """Refuse what would silence every unit."""
        if not self.limit > 0 or not math.isfinite(self.limit):
            raise SettingError(f"The limit is {self.limit}.", expected="more than 0, finite.", remedy="3 or 4.")

    @torch.no_grad()
    def __call__(self, model: nn.Module) -> None:
        """Project the weights of `model` in place."""
        for _, owner, weight in _owned(model):
            if isinstance(owner, nn.Embedding | nn.EmbeddingBag):
                continue
            if isinstance(owner, _TRANSPOSED):
                for group in weight.view(owner.groups, -1, *weight.shape[1:]):
                    group.renorm_(p=2, dim=1, maxnorm=self.limit)
            else:
                weight.renorm_(p=2, dim=0, maxnorm=self.limit)


def check_strength(strength: float) -> None:
    """Refuse a penalty that would make weights larger.

    Raises: SettingError if `strength` is below 0 or not finite.

    >>> check_strength(1e-4)
    """
    if not strength >= 0 or not math.isfinite(strength):
        raise SettingError(f"The penalty's strength is {strength}.", expected="0 or more, finite.", remedy="1e-4.")


def _owned(model: nn.Module) -> Iterator[tuple[str, nn.Module, nn.Parameter]]:
    """The penalised weights with their names and the layers that hold them, each once."""
    seen: set[int] = set()
    for place, owner in model.named_modules():
        for name, parameter in owner.named_parameters(prefix=place, recurse=False):
            spared = isinstance(owner, SPARED) or parameter.ndim < 2 or not parameter.requires_grad
            if not spared and id(parameter) not in seen:
                seen.add(id(parameter))
                yield name, owner, parameter


def _incoming(owner: nn.Module, weight: Tensor) -> Tensor:
    """One row for each unit, with all weights that come into it."""
    if isinstance(owner, _TRANSPOSED):  # (in, out / groups, ...), the inputs of each group together
        weight = weight.reshape(owner.groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)
    return weight.flatten(1)


def _lengths(rows: Tensor) -> Tensor:
    wide = torch.float64 if rows.dtype == torch.float64 else torch.float32
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=1, dtype=wide)
    return lengths
