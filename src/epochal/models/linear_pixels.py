"""The linear classifier of pixels: what colour, surroundings and place say of a pixel by themselves."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from epochal.models.simple import check_sizes
from epochal.stats.pixels import WINDOWS, feature_count


class LinearPixels(nn.Module):
    """Multinomial logistic regression on each pixel's colour, the means around it, and its place in the picture.

    The features are fixed: the image, its means over 3x3 and 7x7 pixels (fewer at the border), x, y, their squares
    and their product, from -1 to 1. `epochal.stats.pixels.fit_pixels` finds the weights of the head in closed-form
    steps; they begin at zero, for the problem is convex.

    Shapes: (n, channels, h, w) to (n, classes, h, w), any h and w.
    Raises: SettingError for sizes below 1.  Source: tips K2.2, W2.1.

    >>> LinearPixels(3, 11, image_size=256)(torch.randn(2, 3, 33, 48)).shape
    torch.Size([2, 11, 33, 48])
    """

    def __init__(self, channels_in: int, classes: int, *, image_size: int) -> None:
        """Make one 1x1 convolution over the features."""
        check_sizes(channels_in=channels_in, classes=classes, image_size=image_size)
        super().__init__()
        self.head = nn.Conv2d(feature_count(channels_in), classes, kernel_size=1)
        nn.init.zeros_(self.head.weight)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k h w"]:
        """Give the logits of each pixel."""
        around = [F.avg_pool2d(images, size, stride=1, padding=size // 2, count_include_pad=False) for size in WINDOWS]
        out: Tensor = self.head(torch.cat([images, *around, _places(images)], dim=1))
        return out


def _places(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 5 h w"]:
    n, _, height, width = images.shape
    y, x = (
        (torch.arange(size, device=images.device, dtype=images.dtype) * 2 + 1) / size - 1 for size in (height, width)
    )
    down, across = y[:, None].expand(height, width), x.expand(height, width)
    return torch.stack([across, down, across**2, down**2, across * down]).expand(n, -1, -1, -1)
