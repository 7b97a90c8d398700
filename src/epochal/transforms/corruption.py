"""What spoils an image without changing what it shows: blur, noise, missing parts."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.distributions import normal
from epochal.transforms.draws import uniform
from epochal.transforms.moving import IGNORED, masks_of

Fill: TypeAlias = Literal["zeros", "noise"]


def blurred(images: Float[Tensor, "n c h w"], sigma: Float[Tensor, " n"], *, radius: int) -> Float[Tensor, "n c h w"]:
    """Blur each image with a Gaussian of its own `sigma`: `sum_k x(p + k) exp(-k^2 / 2 sigma^2) / Z`, both ways.

    The kernel reaches `radius` pixels, the same for every sample, so that none depends on its neighbours: 3 sigma hold
    99.7 %. A `sigma` of 0 leaves the image as it is. Edges are reflected.

    Shapes: n images.  Units: pixels.  Raises: SettingError if `radius` is below 0, or as large as the image.
    Source: tip K4.3.

    >>> line = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).expand(1, 1, 5, 5)
    >>> blurred(line, torch.tensor([1.0]), radius=2)[0, 0, 2]
    tensor([0.1090, 0.2442, 0.4026, 0.2442, 0.1090])
    """
    n, channels, height, width = images.shape
    if not 0 <= radius < max(1, min(height, width)):
        raise SettingError(
            f"The blur reaches {radius} pixels, images are {width} x {height}.",
            expected=f"0 to {min(height, width) - 1}: there is nothing more to reflect.",
            remedy="a smaller sigma.",
        )
    if not images.numel():
        return images.clone()
    pixels = images.float() if images.dtype in {torch.float16, torch.bfloat16} else images
    steps = torch.arange(-radius, radius + 1, device=images.device, dtype=torch.float64)
    weights = (-0.5 * (steps / sigma.to(steps).clamp_min(1e-9)[:, None]).square()).exp()
    weights = (weights / weights.sum(1, keepdim=True)).to(pixels).repeat_interleave(channels, 0)[:, None, None, :]
    padded = F.pad(pixels, (radius,) * 4, mode="reflect").reshape(1, n * channels, height + 2 * radius, -1)
    out = F.conv2d(padded, weights, groups=n * channels)
    return F.conv2d(out, weights.transpose(2, 3), groups=n * channels).view(images.shape).to(images.dtype)


def erased(
    images: Float[Tensor, "n c h w"],
    regions: Int[Tensor, "n 4"],
    *,
    filling: Float[Tensor, "n c h w"] | None = None,
) -> Float[Tensor, "n c h w"]:
    """Replace one rectangle of each image by `filling`, or by 0, the mean colour of normalised images.

    Shapes: n images; a region is (left, top, right, bottom), right and bottom not included, and may reach beyond.
    Units: whole pixels.  Source: Zhong et al. 2020; DeVries and Taylor 2017; tip K4.3.

    >>> erased(torch.ones(1, 1, 2, 3), torch.tensor([[1, 0, 3, 1]]))
    tensor([[[[1., 0., 0.],
              [1., 1., 1.]]]])
    """
    covered = covers(regions, size=(images.shape[2], images.shape[3]))[:, None]
    if filling is None:
        return images.masked_fill(covered, 0)
    return torch.where(covered, filling, images)


def _erased_batch(batch: Batch, regions: Int[Tensor, "n 4"], *, filling: Tensor | None = None) -> Batch:
    """Erase regions, and let nobody be asked what was there: masks are 255 in them."""
    changes = {"images": erased(batch.images, regions, filling=filling)}
    if batch.dense:
        masks = masks_of(batch)
        changes["labels"] = masks.masked_fill(covers(regions, size=(masks.shape[1], masks.shape[2])), IGNORED)
    return batch.replace(**changes)


def covers(regions: Int[Tensor, "n 4"], *, size: tuple[int, int]) -> Tensor:
    """Say which pixels of an image of `size` (height, width) each region covers.

    >>> covers(torch.tensor([[1, 0, 3, 1]]), size=(2, 3))
    tensor([[[False,  True,  True],
             [False, False, False]]])
    """
    rows, columns = (torch.arange(length, device=regions.device) for length in size)
    left, top, right, bottom = regions[:, :, None].unbind(1)
    return ((rows >= top) & (rows < bottom))[:, :, None] & ((columns >= left) & (columns < right))[:, None, :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blur:
    """Blur each image with probability `chance` by a Gaussian whose sigma is an even draw from `sigma`.

    Units: pixels.  Raises: SettingError for an empty range, or one that reaches beyond the images.
    Source: Chen et al. 2020, appendix A (0.1 to 2 at 224 pixels); tip K4.3.

    >>> batch = Batch(images=torch.rand(2, 3, 16, 16), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> Blur(sigma=(0.1, 1.0), chance=1.0)(batch).images.shape
    torch.Size([2, 3, 16, 16])
    """

    sigma: tuple[float, float] = (0.1, 2.0)
    chance: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _check(self.chance, self.sigma, name="sigma")

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with some images blurred."""
        drawn = uniform(batch.index, 2, seed=batch.seed, epoch=batch.epoch, stream="blur")
        (which,) = (drawn[:, 0] < self.chance).nonzero(as_tuple=True)
        sigma = self.sigma[0] + (self.sigma[1] - self.sigma[0]) * drawn[which, 1]
        images = batch.images.clone(memory_format=torch.preserve_format)
        images[which] = blurred(batch.images[which], sigma, radius=math.ceil(3 * self.sigma[1]))
        return batch.replace(images=images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Add Gaussian noise to every number of each image with probability `chance`, its sigma an even draw from `sigma`.

    Units: sigma of colours in [0, 1], `std` that by which the images were normalised.  Nothing is clipped.
    Raises: SettingError for an empty range, or another number of channels.  Source: tip K4.3.

    >>> batch = Batch(images=torch.zeros(2, 1, 64, 64), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> round(Noise(sigma=(0.1, 0.1), chance=1.0, std=(0.5,))(batch).images.std().item(), 2)
    0.2
    """

    std: tuple[float, ...]
    sigma: tuple[float, float] = (0.0, 0.1)
    chance: float = 0.5

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _check(self.chance, self.sigma, name="sigma")

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with noise on some images."""
        if len(self.std) != batch.images.shape[1]:
            raise SettingError(
                f"Images of {batch.images.shape[1]} channels meet std {self.std}.",
                expected="one for each channel.",
                remedy="pass the numbers by which these images were normalised.",
            )
        drawn = uniform(batch.index, 2, seed=batch.seed, epoch=batch.epoch, stream="noise-sigma")
        (which,) = (drawn[:, 0] < self.chance).nonzero(as_tuple=True)
        sigma = (self.sigma[0] + (self.sigma[1] - self.sigma[0]) * drawn[which, 1])[:, None]
        spread = sigma / sigma.new_tensor([each if each > 0 else 1.0 for each in self.std])
        images = batch.images.clone(memory_format=torch.preserve_format)
        images[which] += spread.to(images)[:, :, None, None] * _noise(batch, which)
        return batch.replace(images=images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasing:
    """Erase a rectangle of each image with probability `chance`: its area and shape drawn, wholly inside the image.

    The area is an even draw from `area`, height / width an even draw on a log scale from `aspect`; a side longer than
    the image is cut to it. Filled with the mean colour (zeros), or with noise of the images' own spread. Masks are 255
    where the image is gone: what cannot be seen is no mistake. Boxes and points stay.

    Units: areas as shares of the image.  Raises: SettingError for what cannot be drawn.
    Source: Zhong et al. 2020, "Random erasing data augmentation"; tip K4.3.

    >>> batch = Batch(images=torch.ones(2, 3, 16, 16), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> round(Erasing(area=(0.25, 0.25), aspect=(1.0, 1.0), chance=1.0)(batch).images.mean().item(), 2)
    0.75
    """

    chance: float = 0.5
    area: tuple[float, float] = (0.02, 0.33)
    aspect: tuple[float, float] = (0.3, 3.3)
    fill: Fill = "zeros"

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _check(self.chance, self.area, name="area", most=1.0)
        _check(self.chance, self.aspect, name="aspect", least=1e-3)

    def regions(self, batch: Batch) -> Int[Tensor, "n 4"]:
        """Draw the rectangle of each sample; an empty one where nothing is erased."""
        height, width = batch.images.shape[2:]
        drawn = uniform(batch.index, 5, seed=batch.seed, epoch=batch.epoch, stream="erasing")
        area = (self.area[0] + (self.area[1] - self.area[0]) * drawn[:, 1]) * height * width
        low, high = (math.log(each) for each in self.aspect)
        aspect = (low + (high - low) * drawn[:, 2]).exp()
        tall, wide = (area * aspect).sqrt().round().clamp(max=height), (area / aspect).sqrt().round().clamp(max=width)
        tall = tall.where(drawn[:, 0] < self.chance, 0)
        top, left = (drawn[:, 3] * (height - tall + 1)).floor(), (drawn[:, 4] * (width - wide + 1)).floor()
        return torch.stack((left, top, left + wide, top + tall), dim=1).long()

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with parts of some images gone."""
        filling = _noise(batch, torch.arange(len(batch), device=batch.index.device)) if self.fill == "noise" else None
        return _erased_batch(batch, self.regions(batch), filling=filling)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """Erase a square of `side` pixels about a random pixel of each image; what hangs over the edge erases nothing.

    Masks are 255 where the image is gone, see `Erasing`.

    Units: whole pixels.  Raises: SettingError for a side below 1.  Source: DeVries and Taylor 2017; tip K4.3.

    >>> batch = Batch(images=torch.ones(2, 3, 16, 16), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> bool((Cutout(side=8)(batch).images.mean((1, 2, 3)) >= 0.75).all())
    True
    """

    side: int

    def __post_init__(self) -> None:
        """Refuse a square of nothing."""
        if self.side < 1:
            raise SettingError(f"The square is {self.side} pixels long.", expected="1 or more.", remedy="8 at 32 px.")

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with a square of each image gone."""
        height, width = batch.images.shape[2:]
        drawn = uniform(batch.index, 2, seed=batch.seed, epoch=batch.epoch, stream="cutout")
        left = (drawn[:, 0] * width).long() - self.side // 2
        top = (drawn[:, 1] * height).long() - self.side // 2
        regions = torch.stack((left, top, left + self.side, top + self.side), dim=1)
        return _erased_batch(batch, regions)


def _noise(batch: Batch, which: Int[Tensor, " m"]) -> Float[Tensor, "m c h w"]:
    shape = batch.images.shape[1:]
    values = normal(batch.index[which], shape.numel(), seed=batch.seed, epoch=batch.epoch, stream="noise")
    return values.view(-1, *shape).to(batch.images)


def _check(
    chance: float, bounds: tuple[float, float], *, name: str, least: float = 0.0, most: float = math.inf
) -> None:
    if not 0 <= chance <= 1:
        raise SettingError(f"The chance is {chance}.", expected="0 to 1.", remedy="0.5.")
    if not least <= bounds[0] <= bounds[1] <= most:
        raise SettingError(
            f"The {name} is {bounds[0]} to {bounds[1]}.", expected=f"low, then high, within {least} to {most}.",
            remedy="the default.",
        )  # fmt: skip
