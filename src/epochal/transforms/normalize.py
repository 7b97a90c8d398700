"""Pixels to the numbers a network likes, and back to what an eye can see."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError


def normalized(
    images: Float[Tensor, "n c h w"], *, mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "n c h w"]:
    """Centre and scale each channel: `(x - mean) / std`.

    A channel whose spread is 0 is only centred: dividing by nothing would turn it into NaN.

    Shapes: n images, c channels.  Units: mean and std in the images' own.  Source: tips W2.1, W2.2.

    >>> normalized(torch.full((1, 1, 1, 2), 0.75), mean=[0.5], std=[0.25])
    tensor([[[[1., 1.]]]])
    """
    shift, scale = _per_channel(images, mean=mean, std=std)
    return (images - shift) / scale


def denormalized(
    images: Float[Tensor, "n c h w"], *, mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "n c h w"]:
    """Undo `normalized`, to draw what the network saw: `x std + mean`.

    Shapes: n images, c channels.  Source: tip K2.10.

    >>> denormalized(torch.ones(1, 1, 1, 2), mean=[0.5], std=[0.25])
    tensor([[[[0.7500, 0.7500]]]])
    """
    shift, scale = _per_channel(images, mean=mean, std=std)
    return images * scale + shift


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalize:
    """`normalized` over a batch, with statistics measured on the training split alone.

    Raises: SettingError where there are more or fewer values than channels, or a spread below 0.

    >>> batch = Batch(images=torch.ones(1, 1, 2, 2), labels=torch.tensor([0]), index=torch.tensor([0]), seed=0)
    >>> Normalize(mean=(0.5,), std=(0.25,))(batch).images.unique()
    tensor([2.])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with normalised images."""
        return batch.replace(images=normalized(batch.images, mean=self.mean, std=self.std))


def _per_channel(images: Tensor, *, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    channels = images.shape[1]
    if len(mean) != channels or len(std) != channels or not all(s >= 0 for s in std):
        raise SettingError(
            f"Images of {channels} channels meet mean {tuple(mean)} and std {tuple(std)}.",
            expected=f"{channels} of each, no std below 0.",
            remedy="measure both on the training split of these very images.",
        )
    shift = torch.tensor(mean, dtype=images.dtype, device=images.device)[:, None, None]
    scale = torch.tensor([s if s > 0 else 1.0 for s in std], dtype=images.dtype, device=images.device)[:, None, None]
    return shift, scale
