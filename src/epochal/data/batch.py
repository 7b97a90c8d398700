"""The value that travels from the loader through the transforms into the network."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Samples that go through the network together, and what is needed to draw random numbers for each of them.

    `index` names the row of the sample table from which each image came; together with `seed` and `epoch` it
    decides every random draw about that image, so that a draw depends neither on its neighbours in the batch, nor on
    the step at which training was resumed, nor on the number of processes.

    Labels are what the task asks for: classes counted from 0, rows of values, shares of classes where images were
    mixed, or masks, in which 255 is ignored. Boxes and keypoints are optional companions that move with the image.

    Shapes: n samples, c channels of h by w pixels; labels (n,), (n, k) or (n, h, w); k boxes or keypoints an image.
    Units: images as the network receives them (normalised by the loader); boxes (left, top, right, bottom) and
    keypoints (x, y) in pixels.

    >>> batch = Batch(images=torch.zeros(2, 3, 8, 8), labels=torch.tensor([0, 1]), index=torch.tensor([7, 4]), seed=0)
    >>> len(batch), batch.epoch
    (2, 0)
    >>> batch.replace(images=batch.images + 1).images.mean().item()
    1.0
    """

    images: Float[Tensor, "n c h w"]
    labels: Num[Tensor, "n ..."]
    index: Int[Tensor, " n"]
    seed: int
    epoch: int = 0
    boxes: Float[Tensor, "n k 4"] | None = None
    keypoints: Float[Tensor, "n p 2"] | None = None

    def __len__(self) -> int:
        """Samples in this batch; the last one of an epoch may hold fewer than the others."""
        return int(self.labels.shape[0])

    @property
    def dense(self) -> bool:
        """Whether labels are masks: one class for each pixel, which every geometric transform must move, too.

        >>> masks = torch.zeros(2, 8, 8, dtype=torch.uint8)
        >>> Batch(images=torch.zeros(2, 3, 8, 8), labels=masks, index=torch.arange(2), seed=0).dense
        True
        """
        return self.labels.ndim == 3 and not self.labels.is_floating_point()

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
            boxes=None if self.boxes is None else self.boxes.to(device, non_blocking=True),
            keypoints=None if self.keypoints is None else self.keypoints.to(device, non_blocking=True),
        )
