"""Penalties by their strengths: what they add to the loss, and what they do to the weights after a step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from torch import Tensor, nn
from torch.optim import Optimizer

from epochal.optim.regularization import MaxNorm, ProximalL1, check_strength, elastic_net

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalties:
    """Terms to be added to the loss, and callables for after a step, to stand before any average of the weights."""

    terms: tuple[Callable[[], Tensor], ...] = ()
    after_update: tuple[Callable[[nn.Module], None], ...] = ()

    def joined_to(self, loss: Loss) -> Loss:
        """The loss with the terms added to each sample's value, so that its mean has each of them once.

        Without terms it is the loss itself.

        >>> import torch
        >>> apart = Penalties(terms=(lambda: torch.tensor(0.5),))
        >>> apart.joined_to(lambda outputs, labels: outputs)(torch.tensor([1.0, 2.0]), torch.zeros(2))
        tensor([1.5000, 2.5000])
        """
        return _Joined(loss=loss, terms=self.terms) if self.terms else loss


@dataclass(frozen=True, slots=True, kw_only=True)
class _Joined:
    loss: Loss
    terms: tuple[Callable[[], Tensor], ...]

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        losses = self.loss(outputs, labels)
        for term in self.terms:
            losses = losses + term().to(losses)
        return losses


def penalties(
    model: nn.Module,
    *,
    optimizer: Optimizer,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float = 0.0,
    proximal: bool = True,
) -> Penalties:
    """Choose penalties by their strengths, 0 being none: L1, L2 inside the loss, both as elastic net, max-norm.

    With `proximal` L1 acts after each step and makes weights 0; without, its gradient makes them hover there. Weights
    in front of a batch normalisation can shrink without the network saying anything else: what a penalty does to them
    is to raise their effective rate.

    Raises: SettingError for a strength below 0 or not finite.  Source: tips W6.1, W6.2, W6.3, K4.8, S13.

    >>> model = nn.Linear(2, 1)
    >>> found = penalties(model, optimizer=Optimizer(model.parameters(), {"lr": 0.1}), l1=0.1, l2=0.1, max_norm=3.0)
    >>> len(found.terms), [type(each).__name__ for each in found.after_update]
    (1, ['ProximalL1', 'MaxNorm'])
    """
    for strength in (l1, l2):
        check_strength(strength)
    in_loss = 0.0 if proximal else l1
    total = in_loss + l2
    terms: list[Callable[[], Tensor]] = []
    if total:
        terms.append(partial(elastic_net, model, strength=total, l1_share=in_loss / total))
    acts: list[Callable[[nn.Module], None]] = []
    if l1 and proximal:
        acts.append(ProximalL1(strength=l1, optimizer=optimizer))
    if max_norm:
        acts.append(MaxNorm(max_norm))
    return Penalties(terms=tuple(terms), after_update=tuple(acts))
