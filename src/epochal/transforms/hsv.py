"""Hue, saturation and value: changes of colour that no matrix can write, exact, in one kernel.

The hue is found without branches: with chroma C = max - min and u = (2 R - G - B) / C, its distance from red, in sixths
of a turn, is `3/2 - u + clip(u, -1, 1) / 2`, and its side is the sign of G - B. Back, each channel is `max` or `min`
moved by C times a clipped distance. All in place, on as many images as stay in the processor's cache: 3 times the speed
of the textbook's branches (benchmarks/results/augmentation.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.draws import uniform

Exponents: TypeAlias = Literal["log-uniform", "uniform"]
_PIXELS = 1 << 16  # changed at a time on a CPU


def hue_turned(
    images: Float[Tensor, "n c h w"], turns: Float[Tensor, " n"], *, mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "n c h w"]:
    """Turn the hue of each image by its `turns`, and leave saturation and value alone: HSV as Python's colorsys has it.

    Greys stay as they are. Not for gradients. The result is contiguous, channels first.

    Shapes: n images of 3 channels.  Units: images normalised by `mean` and `std`; 1 is the whole circle, +1/3 turns red
    into green.  Raises: SettingError for images without colour.
    Source: Smith 1978, "Color gamut transform pairs"; equal to `colorsys` and to torchvision's `adjust_hue`; tip L6.

    >>> red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    >>> hue_turned(red, torch.tensor([1 / 3]), mean=[0.0] * 3, std=[1.0] * 3).flatten().round(decimals=4).abs()
    tensor([0., 1., 0.])
    """
    return _changed(images, turns, changes=None, mean=mean, std=std)


def hsv_jittered(
    images: Float[Tensor, "n c h w"],
    turns: Float[Tensor, " n"],
    *,
    changes: Float[Tensor, "3 n 2"],
    mean: Sequence[float],
    std: Sequence[float],
) -> Float[Tensor, "n c h w"]:
    """Raise saturation and value to a power, times a factor, plus a shift, clipped; turn the hue: `clip(f x^p + s)`.

    `changes` are the powers p, the factors f and the shifts s, each with a column for saturation and one for value. The
    hue of grey is 0, red: a grey pixel to which saturation is added becomes reddish, turned by `turns`. Grey is what is
    so but for the rounding of the normalisation. Not for gradients.

    Shapes: n images of 3 channels.  Units: images normalised by `mean` and `std`; turns, 1 is the whole circle.
    Raises: SettingError for images without colour.
    Source: Dosovitskiy et al. 2014, section 3.1; tip W1.2.

    >>> squared = torch.tensor([2.0, 1.0, 0.0])[:, None, None].expand(3, 1, 2)
    >>> pixel = torch.tensor([0.5, 0.25, 0.25]).view(1, 3, 1, 1)  # saturation 1/2, value 1/2
    >>> hsv_jittered(pixel, torch.zeros(1), changes=squared, mean=[0.0] * 3, std=[1.0] * 3).flatten()
    tensor([0.2500, 0.1875, 0.1875])
    """
    return _changed(images, turns, changes=changes, mean=mean, std=std)


@torch.no_grad()
def _changed(
    images: Tensor, turns: Tensor, *, changes: Tensor | None, mean: Sequence[float], std: Sequence[float]
) -> Tensor:
    """Turn the hue and, unless `changes` is None, change saturation and value too; some images at a time."""
    _require_colors(images, mean=mean, std=std)
    scale = [each or 1.0 for each in std]  # a channel without spread was only centred
    pixels = images.float() if images.dtype in {torch.float16, torch.bfloat16} else images
    out = torch.empty(images.shape, dtype=pixels.dtype, device=pixels.device)
    n, _, height, width = images.shape
    chunk = max(1, _PIXELS // max(1, height * width)) if images.device.type == "cpu" else max(1, n)
    turned = (turns.to(pixels) - turns.to(pixels).floor() + 1)[:, None, None]  # above 0 also from the far side of red
    changes = None if changes is None else changes.to(pixels)[..., None, None]
    for i in range(0, n, chunk):
        part, done = pixels[i : i + chunk], out[i : i + chunk]
        red, green, blue = (part[:, k].mul(scale[k]).add_(mean[k]).clamp_(0, 1) for k in range(3))
        hue, high, low = _split(red, green=green, blue=blue, turns=turned[i : i + chunk])
        chroma = high - low
        if changes is not None:
            grey = chroma <= 4 * torch.finfo(images.dtype).eps  # equal but for the rounding of the normalisation
            hue = torch.where(grey, turned[i : i + chunk].frac() * 6, hue)
            chroma, high, low = _powered(chroma.masked_fill_(grey, 0), high, changes=changes[:, i : i + chunk])
        _join(hue, chroma, high=high, low=low, out=done)
        for k in range(3):  # numbers, one channel at a time, are four times as fast as tensors of three
            done[:, k].sub_(mean[k]).div_(scale[k])
    return out.to(images.dtype)


def _split(red: Tensor, *, green: Tensor, blue: Tensor, turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the turned hue, in [0, 6), and the largest and the smallest channel."""
    u = torch.maximum(green, blue)
    high = torch.maximum(red, u)
    low = torch.minimum(red, torch.minimum(green, blue, out=u))
    chroma = torch.sub(high, low).clamp_min_(torch.finfo(red.dtype).tiny)
    torch.add(green, blue, out=u).sub_(red, alpha=2).div_(chroma)  # -u of the formula
    distance = torch.clamp(u, -1, 1, out=chroma).sub_(u, alpha=2).mul_(-1 / 12).add_(1 / 4)
    hue = torch.copysign(distance, torch.sub(green, blue, out=u), out=distance)
    return hue.add_(turns).frac_().mul_(6), high, low


def _powered(chroma: Tensor, high: Tensor, *, changes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Change saturation and value; give the new chroma, largest and smallest channel."""
    (power_s, power_v), (factor_s, factor_v), (shift_s, shift_v) = (each.unbind(1) for each in changes)
    saturation = chroma.div_(high.clamp_min(torch.finfo(high.dtype).tiny))
    for value, power, factor, shift in (
        (saturation, power_s, factor_s, shift_s),
        (high, power_v, factor_v, shift_v),
    ):
        value.log_().mul_(power).exp_()  # 4 to 8 times as fast as a power; log 0 is -inf, and comes back as 0
        value.mul_(factor).add_(shift).clamp_(0, 1)
    chroma = saturation.mul_(high)
    return chroma, high, high - chroma


def _join(hue: Tensor, chroma: Tensor, *, high: Tensor, low: Tensor, out: Tensor) -> None:
    """Write red, green and blue into `out`; all others are used up."""
    high, low = high.add_(chroma), low.sub_(chroma)
    near = torch.sub(hue, 3).abs_().clamp_(1, 2)
    torch.addcmul(low, chroma, near, out=out[:, 0])
    torch.sub(hue, 2, out=near).abs_().clamp_(1, 2)
    torch.addcmul(high, chroma, near, value=-1, out=out[:, 1])
    near = hue.sub_(4).abs_().clamp_(1, 2)
    torch.addcmul(high, chroma, near, value=-1, out=out[:, 2])


@dataclass(frozen=True, slots=True, kw_only=True)
class HsvPower:
    """Change saturation and value of each image by a power, a factor and a shift, and its hue by a turn.

    One draw of each for all pixels of an image, separate ones for saturation and value. The exponent is even on a log
    scale by default, so that as many images darken as brighten; drawn evenly from [0.25, 4], 80 of 100 would darken.

    Units: exponents and factors as pairs (low, high); shifts and turns to either side; `mean` and `std` are those by
    which the images were normalised.  Raises: SettingError for empty ranges.
    Source: Dosovitskiy et al. 2014, section 3.1; tip W1.2.

    >>> batch = Batch(images=torch.rand(2, 3, 8, 8), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> out = HsvPower(mean=(0.0,) * 3, std=(1.0,) * 3)(batch).images
    >>> out.shape, bool(((out >= 0) & (out <= 1)).all())
    (torch.Size([2, 3, 8, 8]), True)
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    power: tuple[float, float] = (0.25, 4.0)
    exponents: Exponents = "log-uniform"
    factor: tuple[float, float] = (0.7, 1.4)
    shift: float = 0.1
    hue: float = 0.1

    def __post_init__(self) -> None:
        """Refuse ranges from which nothing can be drawn."""
        for name, (low, high) in (("power", self.power), ("factor", self.factor)):
            if not 0 < low <= high:
                raise SettingError(f"The {name} is {low} to {high}.", expected="0 < low <= high.", remedy="(0.7, 1.4).")
        for name, reach in (("shift", self.shift), ("hue", self.hue)):
            if not 0 <= reach <= 1:
                raise SettingError(f"The {name} moves by up to {reach}.", expected="0 to 1.", remedy="0.1.")

    def draws(self, batch: Batch) -> tuple[Float[Tensor, " n"], Float[Tensor, "3 n 2"]]:
        """Draw the turns, and the powers, factors and shifts of saturation and value: float64."""
        drawn = uniform(batch.index, 7, seed=batch.seed, epoch=batch.epoch, stream="hsv-power")
        low, high = self.power
        powers = low + (high - low) * drawn[:, 1:3]
        if self.exponents == "log-uniform":
            powers = low * (high / low) ** drawn[:, 1:3]
        factors = self.factor[0] + (self.factor[1] - self.factor[0]) * drawn[:, 3:5]
        shifts = (2 * drawn[:, 5:] - 1) * self.shift
        return (2 * drawn[:, 0] - 1) * self.hue, torch.stack((powers, factors, shifts))

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with the colours of each image changed by draws of its own."""
        turns, changes = self.draws(batch)
        images = hsv_jittered(batch.images, turns, changes=changes, mean=self.mean, std=self.std)
        return batch.replace(images=images)


def _require_colors(images: Tensor, *, mean: Sequence[float], std: Sequence[float]) -> None:
    if (images.shape[1], len(mean), len(std)) != (3, 3, 3):
        raise SettingError(
            f"Images of {images.shape[1]} channels, {len(mean)} mean and {len(std)} std shall turn in hue.",
            expected="red, green and blue, and a number for each.",
            remedy="leave changes of hue out for other images.",
        )
