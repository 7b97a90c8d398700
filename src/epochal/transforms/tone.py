"""Changes of tone that look at values one by one or at an image's own histogram: what the policies add to the rest.

All work on colours in [0, 1], as Pillow's `ImageOps` and `ImageEnhance` work on 0 to 255, and none carries gradients.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def posterized(images: Float[Tensor, "n c h w"], bits: Int[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Keep the upper `bits` of the 8 of each value: 8 leaves the image as it is, to whole levels of 255.

    Shapes: n images.  Units: colours in [0, 1].  Source: Pillow's `ImageOps.posterize`; Cubuk et al. 2020; tip K4.3.

    >>> (posterized(torch.tensor([[[[100.0, 200.0]]]]) / 255, torch.tensor([1])) * 255).flatten()
    tensor([  0., 128.])
    """
    step = 2.0 ** (8 - bits.to(images.device).to(torch.float32))[:, None, None, None]
    return ((images.float() * 255).round_().div_(step).floor_().mul_(step) / 255).to(images.dtype)


def solarized(images: Float[Tensor, "n c h w"], threshold: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Turn values from the threshold up into their negatives: `1 - x where x >= t`.

    Shapes: n images.  Units: colours in [0, 1].  Source: Pillow's `ImageOps.solarize`; Cubuk et al. 2020; tip K4.3.

    >>> solarized(torch.tensor([[[[0.25, 0.75]]]]), torch.tensor([0.5])).flatten()
    tensor([0.2500, 0.2500])
    """
    return torch.where(images >= threshold.to(images)[:, None, None, None], 1 - images, images)


def stretched(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Stretch each channel of each image to the whole of [0, 1]; one of a single value stays as it is.

    Shapes: n images.  Units: colours in [0, 1].  Source: Pillow's `ImageOps.autocontrast`; Cubuk et al. 2020; tip K4.3.

    >>> stretched(torch.tensor([[[[0.25, 0.5, 0.75]], [[0.5, 0.5, 0.5]]]]))[0, :, 0]
    tensor([[0.0000, 0.5000, 1.0000],
            [0.5000, 0.5000, 0.5000]])
    """
    if not images.numel():
        return images.clone()
    low, high = images.aminmax(dim=3, keepdim=True)
    low, high = low.amin(2, keepdim=True), high.amax(2, keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp_min(torch.finfo(images.dtype).tiny), images)


def equalized(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Spread the values of each channel so that all levels are equally frequent, as nearly as 256 levels allow.

    Shapes: n images.  Units: colours in [0, 1], read as whole levels of 255.
    Source: Pillow's `ImageOps.equalize`; Cubuk et al. 2020; tip K4.3.

    >>> dark = torch.linspace(0, 0.25, 1024).view(1, 1, 32, 32)
    >>> out = equalized(dark)
    >>> round(out.mean().item(), 1), out.max().item()
    (0.5, 1.0)
    """
    n, channels, height, width = images.shape
    if not images.numel():
        return images.clone()
    levels = (images.float() * 255).round_().clamp_(0, 255).long().reshape(n * channels, height * width)
    rows = torch.arange(n * channels, device=images.device)[:, None] * 256
    counts = (levels + rows).flatten().bincount(minlength=n * channels * 256).view(n * channels, 256)
    step = (height * width - counts.gather(1, levels.amax(1, keepdim=True))) // 255  # without the brightest level
    below = counts.cumsum(1) - counts
    table = torch.div(below + step // 2, step.clamp_min(1), rounding_mode="floor").clamp_(max=255)
    table = torch.where(step > 0, table, torch.arange(256, device=images.device))
    return (table.gather(1, levels) / 255).view(images.shape).to(images.dtype)


def sharpened(images: Float[Tensor, "n c h w"], factor: Float[Tensor, " n"]) -> Float[Tensor, "n c h w"]:
    """Move each image away from its smoothed self: `s + f (x - s)`, 1 leaves it, 0 smooths, more sharpens; clipped.

    Smoothed by 1 1 1, 1 5 1, 1 1 1 over 13; the outermost pixels stay as they are.

    Shapes: n images.  Units: colours in [0, 1].
    Source: Pillow's `ImageEnhance.Sharpness`; Cubuk et al. 2020; tip K4.3.

    >>> spot = torch.zeros(1, 1, 3, 3)
    >>> spot[0, 0, 1, 1] = 0.65
    >>> sharpened(spot, torch.tensor([0.0]))[0, 0, 1]
    tensor([0.0000, 0.2500, 0.0000])
    """
    channels, height, width = images.shape[1:]
    if min(height, width) < 3 or not images.numel():
        return images.clone()
    pixels = images if images.dtype == torch.float64 else images.float()
    kernel = pixels.new_ones(3, 3)
    kernel[1, 1] = 5
    smooth = pixels.clone()
    smooth[..., 1:-1, 1:-1] = F.conv2d(pixels, (kernel / 13).expand(channels, 1, 3, 3), groups=channels)
    out = torch.lerp(smooth, pixels, factor.to(pixels)[:, None, None, None]).clamp_(0, 1)
    return out.to(images.dtype)
