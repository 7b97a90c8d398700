"""Colour changes that are linear in red, green and blue: any chain of them is one 3 x 4 matrix per sample.

The images are normalised by the time a transform sees them. Their colours mean something only in [0, 1], so each of
these takes the `mean` and `std` by which they were normalised. They are folded into the matrix: undoing and redoing the
normalisation costs nothing, and colours are clipped to [0, 1] once, at the end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.draws import coin, uniform
from epochal.transforms.hsv import hue_turned

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601; torchvision's 0.2989 makes the sum 0.9999
_YIQ = torch.tensor([LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)], dtype=torch.float64)  # NTSC 1953
_PLANES = ([[1, 0, 0], [0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 1], [0, -1, 0]])
# A colour's luma, its I and Q, and these turned by a quarter, each as a map of red, green and blue
_PARTS = (torch.linalg.inv(_YIQ) @ torch.tensor(_PLANES, dtype=torch.float64) @ _YIQ).view(3, 9)


def recolored(
    images: Float[Tensor, "n c h w"], matrices: Float[Tensor, "n c d"], *, mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "n c h w"]:
    """Map the colours of each image by its own matrix, `clip(A x + b)`, where [A | b] is written for colours in [0, 1].

    Not for gradients: it works in place. The result is contiguous, channels first.

    Shapes: n images of c channels; d = c + 1.  Units: images normalised by `mean` and `std`, the matrices for [0, 1].
    Raises: SettingError where `mean` and `std` belong to other channels.  Source: tips W1.1, L6.

    >>> darker = torch.tensor([[[0.5, 0.0]]])
    >>> recolored(torch.tensor([[[[-1.0, 1.0]]]]), darker, mean=[0.5], std=[0.5])  # 0 and 1 become 0 and 0.5
    tensor([[[[-1.,  0.]]]])
    """
    n, channels, height, width = images.shape
    shift, spread = _statistics(channels, mean=mean, std=std)
    exact = matrices.double().cpu()
    weights = exact[:, :, :channels] * spread / spread[:, None]
    offsets = (exact[:, :, :channels] @ shift + exact[:, :, channels] - shift) / spread
    with torch.no_grad():
        pixels = images.float() if images.dtype in {torch.float16, torch.bfloat16} else images
        pixels = pixels.contiguous().view(n, channels, height * width)
        out = torch.baddbmm(offsets[..., None].to(pixels), weights.to(pixels), pixels)
        for channel in range(channels):  # one channel at a time: limits as tensors are four times slower
            black = -mean[channel] / (std[channel] or 1.0)
            out[:, channel].clamp_(black, black + 1 / (std[channel] or 1.0))
    return out.view(images.shape).to(images.dtype)


def jitter_matrices(
    luma: Float[Tensor, " n"],
    *,
    brightness: Float[Tensor, " n"],
    contrast: Float[Tensor, " n"],
    saturation: Float[Tensor, " n"],
    yiq_turns: Float[Tensor, " n"],
) -> Float[Tensor, "n 3 4"]:
    """Fuse brightness, contrast, saturation and a turn of the YIQ colour plane into one matrix per sample.

    In this order, each by its own factor (1 leaves the image as it is): `b x`, then `c x + (1 - c) mean luma`, then
    `s x + (1 - s) luma(x)`: torchvision's definitions, without clipping in between. At last the plane of I and Q is
    turned, the same way round as hue; but this is NOT a turn of hue: it keeps the luma, and moves colours elsewhere.

    Shapes: n samples; `luma` is the mean of each image's.  Units: for colours in [0, 1]; turns, 1 for the whole circle.
    Source: NTSC's YIQ; tips W1.1, L6.

    >>> one, none = torch.ones(1), torch.zeros(1)
    >>> flatter = jitter_matrices(
    ...     torch.tensor([0.4]), brightness=one, contrast=0.5 * one, saturation=one, yiq_turns=none
    ... )
    >>> flatter[0].diagonal(), flatter[0, :, 3]
    (tensor([0.5000, 0.5000, 0.5000]), tensor([0.2000, 0.2000, 0.2000]))
    """
    angle = 2 * math.pi * yiq_turns
    parts = torch.stack((torch.ones_like(angle), saturation * angle.cos(), saturation * angle.sin()), dim=1)
    matrix = ((contrast * brightness)[:, None] * parts) @ _PARTS.to(parts)
    offset = ((1 - contrast) * brightness * luma)[:, None, None].expand(-1, 3, 1)
    return torch.cat((matrix.view(-1, 3, 3), offset), dim=2)


def on_grays(matrices: Float[Tensor, "n 3 4"]) -> Float[Tensor, "n 1 2"]:
    """Write matrices that keep greys grey for images of one channel: there is no colour left for them to change.

    >>> on_grays(torch.tensor([[[0.5, 0.2, 0.1, 0.3]] * 3]))
    tensor([[[0.8000, 0.3000]]])
    """
    return torch.stack((matrices[:, :1, :3].sum(2), matrices[:, :1, 3]), dim=2)


def mean_luma(images: Float[Tensor, "n c h w"], *, mean: Sequence[float], std: Sequence[float]) -> Float[Tensor, " n"]:
    """Give the mean brightness of each image, `0.299 R + 0.587 G + 0.114 B` for colours.

    Shapes: n images of 1 or 3 channels.  Units: images normalised by `mean` and `std`, the result in [0, 1].
    Raises: SettingError for any other number of channels.  Source: ITU-R BT.601.

    >>> mean_luma(torch.ones(1, 3, 2, 2), mean=[0.5] * 3, std=[0.5] * 3)
    tensor([1.])
    """
    channels = images.shape[1]
    if channels not in {1, 3}:
        raise SettingError(
            f"Images of {channels} channels have no luma.", expected="1 or 3 channels.", remedy="leave colour out."
        )
    shift, spread = _statistics(channels, mean=mean, std=std)
    weights = torch.tensor(LUMA if channels == 3 else (1.0,), dtype=torch.float64)
    levels = images.mean((2, 3), dtype=torch.promote_types(images.dtype, torch.float32))
    return levels @ (weights * spread).to(levels) + float(weights @ shift)


def grayed(
    images: Float[Tensor, "n c h w"], which: Bool[Tensor, " n"], *, mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "n c h w"]:
    """Take the colour out of those images for which `which` is true; they keep their channels, now equal in [0, 1].

    Shapes: n images of 3 channels.  Source: ITU-R BT.601; tip L6.

    >>> images = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    >>> grayed(images, torch.tensor([True]), mean=[0.0] * 3, std=[1.0] * 3).flatten()
    tensor([0.2990, 0.2990, 0.2990])
    """
    out = images.clone(memory_format=torch.preserve_format)
    luma = images.new_tensor(LUMA).expand(3, 3)
    matrix = torch.cat((luma, luma.new_zeros(3, 1)), dim=1)
    out[which] = recolored(images[which], matrix.expand(int(which.sum()), 3, 4), mean=mean, std=std)
    return out


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorJitter:
    """Change brightness, contrast, saturation and hue of each image by draws of its own.

    Each factor is an even draw from 1 - x to 1 + x, not below 0; `hue` turns by up to that share of the circle, exactly
    as HSV has it. `yiq_hue` turns the YIQ plane instead: another change of colour, three times as fast, see
    `jitter_matrices`. The order is always this one.

    Units: factors; turns; `mean` and `std` are those by which the images were normalised.
    Raises: SettingError for a factor below 0, or turns beyond the half circle.  Source: tips W1.1, L6, K4.2.

    >>> batch = Batch(images=torch.rand(2, 3, 8, 8), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> jitter = ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, mean=(0.0,) * 3, std=(1.0,) * 3)
    >>> jitter(batch).images.shape
    torch.Size([2, 3, 8, 8])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.0
    yiq_hue: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no factor, and turns that come round again."""
        for name in ("brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) < math.inf:
                raise SettingError(f"{name} is {getattr(self, name)}.", expected="0 or more.", remedy="0.4.")
        for name in ("hue", "yiq_hue"):
            if not 0 <= getattr(self, name) <= 0.5:
                raise SettingError(f"{name} is {getattr(self, name)} turns.", expected="0 to 0.5.", remedy="0.1.")

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with the colours of each image changed."""
        drawn = uniform(batch.index, 5, seed=batch.seed, epoch=batch.epoch, stream="color-jitter")
        reach = drawn.new_tensor([self.brightness, self.contrast, self.saturation])
        low = 1 - reach.clamp(max=1)
        brightness, contrast, saturation = torch.addcmul(low, drawn[:, :3], 1 + reach - low).unbind(1)
        turns = 2 * drawn[:, 3:] - 1
        matrices = jitter_matrices(
            mean_luma(batch.images, mean=self.mean, std=self.std).double(),
            brightness=brightness, contrast=contrast, saturation=saturation, yiq_turns=turns[:, 0] * self.yiq_hue,
        )  # fmt: skip
        if batch.images.shape[1] == 1:
            matrices = on_grays(matrices)
        images = recolored(batch.images, matrices, mean=self.mean, std=self.std)
        if self.hue and images.shape[1] == 3:
            images = hue_turned(images, turns[:, 1] * self.hue, mean=self.mean, std=self.std)
        return batch.replace(images=images)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grayscale:
    """Take the colour out of each image with probability `chance`.

    Units: `mean` and `std` are those by which the images were normalised.
    Raises: SettingError if `chance` is no probability.  Source: tip L6.

    >>> batch = Batch(images=torch.rand(2, 3, 8, 8), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> out = Grayscale(chance=1.0, mean=(0.0,) * 3, std=(1.0,) * 3)(batch).images
    >>> torch.allclose(out[:, 0], out[:, 2])
    True
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    chance: float = 0.1

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        if not 0 <= self.chance <= 1:
            raise SettingError(f"The chance of greys is {self.chance}.", expected="0 to 1.", remedy="0.1.")

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with some images without colour."""
        which = coin(batch.index, seed=batch.seed, epoch=batch.epoch, stream="grayscale", chance=self.chance)
        return batch.replace(images=grayed(batch.images, which, mean=self.mean, std=self.std))


def _statistics(channels: int, *, mean: Sequence[float], std: Sequence[float]) -> tuple[Tensor, Tensor]:
    """The normalisation in float64; a channel without spread was only centred, see `normalized`."""
    if len(mean) != channels or len(std) != channels or not all(each >= 0 for each in std):
        raise SettingError(
            f"Images of {channels} channels meet mean {tuple(mean)} and std {tuple(std)}.",
            expected=f"{channels} of each, no std below 0.",
            remedy="pass the numbers by which these images were normalised.",
        )
    spread = torch.tensor([each if each > 0 else 1.0 for each in std], dtype=torch.float64)
    return torch.tensor(mean, dtype=torch.float64), spread
