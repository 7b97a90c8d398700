"""Networks to be beaten: the simplest that could work, for the baseline stage."""

from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError


def check_sizes(*, channels_in: int, classes: int, image_size: int, smallest: int = 1) -> None:
    """Refuse sizes of which no network can be built.

    Raises: SettingError.

    >>> check_sizes(channels_in=3, classes=10, image_size=32)
    """
    if channels_in < 1 or classes < 1 or image_size < smallest:
        raise SettingError(
            f"A network for {channels_in} channels, {classes} classes and images of {image_size} pixels was asked for.",
            expected=f"1 channel or more, 1 class or more, {smallest} pixels or more.",
            remedy="count the classes, and enlarge the images when they are decoded.",
        )


class LinearClassifier(nn.Module):
    """Multinomial logistic regression on pixels: what one template per class can do.

    Weights begin at zero: the problem is convex, so there is no symmetry to break, and the first loss is exactly
    that of the prior in the bias.

    Shapes: (n, c, s, s) to (n, classes).  Raises: SettingError for sizes below 1.  Source: tips K2.2, W2.1.

    >>> import torch
    >>> LinearClassifier(channels_in=3, classes=10, image_size=32)(torch.randn(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, *, channels_in: int, classes: int, image_size: int) -> None:
        """Make one linear layer over all pixels."""
        check_sizes(channels_in=channels_in, classes=classes, image_size=image_size)
        super().__init__()
        self.head = nn.Linear(channels_in * image_size * image_size, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Float[Tensor, "n c s s"]) -> Float[Tensor, "n k"]:
        """Give the logits."""
        out: Tensor = self.head(images.flatten(1))
        return out


class SmallConvNet(nn.Module):
    """Three 3x3 convolutions with normalisation, pooled to a vector: small, quick, and hard to get wrong.

    Width doubles as the resolution halves. Images above 64 px are first averaged down to at most 64: a baseline has
    seconds, and a photograph is mostly recognised at that size. Global average pooling accepts any size.

    Shapes: (n, c, h, w) to (n, classes), h and w from 4 up.
    Raises: SettingError for sizes that cannot work.  Source: tips K2.2, K3.2, K4.5; LeCun et al. 1998 in spirit.

    >>> import torch
    >>> model = SmallConvNet(channels_in=3, classes=10, image_size=32)
    >>> model(torch.randn(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(self, *, channels_in: int, classes: int, image_size: int, width: int = 32) -> None:
        """Make the layers; `width` is the number of channels after the first."""
        check_sizes(channels_in=channels_in, classes=classes, image_size=image_size, smallest=4)
        super().__init__()
        shrink = max(1, -(-image_size // 64))
        self.body = nn.Sequential(
            nn.AvgPool2d(shrink) if shrink > 1 else nn.Identity(),
            *_stage(channels_in, width),
            *_stage(width, 2 * width),
            nn.MaxPool2d(2),
            *_stage(2 * width, 4 * width, pool=image_size // shrink >= 16),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.head = nn.Linear(4 * width, classes)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Give the logits."""
        out: Tensor = self.head(self.body(images))
        return out


def _stage(channels_in: int, channels_out: int, *, pool: bool = False) -> list[nn.Module]:
    """Convolve, pool where asked, then normalise and rectify: in that order the last two cost a quarter (tip L8)."""
    layers: list[nn.Module] = [nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)]
    if pool:
        layers.append(nn.MaxPool2d(2))
    return [*layers, nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)]
