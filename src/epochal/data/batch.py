"""The value that travels from the loader through the transforms into the network."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples that go through the network together, and what is needed to draw random numbers for each of them.

    `index` names the row of the sample table from which each image came; together with `seed` and `epoch` it
    decides every random draw about that image, so that a draw depends neither on its neighbours in the batch, nor on
    the step at which training was resumed, nor on the number of processes.

    Shapes: n samples, c channels of h by w pixels.  Units: images as the network receives them (normalised by the
    loader), labels count classes from 0.

    >>> batch = Batch(images=torch.zeros(2, 3, 8, 8), labels=torch.tensor([0, 1]), index=torch.tensor([7, 4]), seed=0)
    >>> len(batch), batch.epoch
    (2, 0)
    >>> batch.replace(images=batch.images + 1).images.mean().item()
    1.0
    """

    images: Float[Tensor, "n c h w"]
    labels: Int[Tensor, " n"]
    index: Int[Tensor, " n"]
    seed: int
    epoch: int = 0

    def __len__(self) -> int:
        """Samples in this batch; the last one of an epoch may hold fewer than the others."""
        return int(self.labels.shape[0])

    def replace(self, **changes: Any) -> Self:
        """Make the same batch with some fields changed: how a transform hands on what it made.

        >>> batch = Batch(images=torch.ones(1, 1, 2, 2), labels=torch.tensor([0]), index=torch.tensor([0]), seed=3)
        >>> batch.replace(labels=torch.tensor([5])).labels
        tensor([5])
        """
        return dataclasses.replace(self, **changes)

    def to(self, device: torch.device | str) -> Self:
        """Put every tensor on `device`, without waiting where the device allows that.

        >>> batch = Batch(images=torch.ones(1, 1, 2, 2), labels=torch.tensor([0]), index=torch.tensor([0]), seed=3)
        >>> batch.to("cpu").images.device
        device(type='cpu')
        """
        return dataclasses.replace(
            self,
            images=self.images.to(device, non_blocking=True),
            labels=self.labels.to(device, non_blocking=True),
            index=self.index.to(device, non_blocking=True),
        )
