"""The dense network to be beaten: few convolutions, quick, and hard to get wrong."""

from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.convolution import ConvNormAct
from epochal.layers.normalization import BatchNorm2d
from epochal.layers.upsampling import enlarged
from epochal.models.simple import check_sizes

_SMALLEST = 32
_STRIDE = 4


def small_dense_net(channels_in: int, classes: int, *, image_size: int, width: int = 16) -> "SmallDenseNet":
    """Make the small network; `image_size` is checked and does not change it.

    Raises: SettingError for sizes that cannot work.

    >>> import torch
    >>> small_dense_net(3, 11, image_size=64)(torch.randn(2, 3, 64, 50)).shape
    torch.Size([2, 11, 64, 50])
    """
    check_sizes(channels_in=channels_in, classes=classes, image_size=image_size, smallest=_SMALLEST)
    if width < 1:
        raise SettingError(f"The width is {width}.", expected="1 or more.", remedy="leave it out: 16.")
    return SmallDenseNet(channels_in, classes, width=width)


class SmallDenseNet(nn.Module):
    """Four convolutions at a quarter of the resolution, the later two looking far through holes, and no skips.

    A place sees 34 x 34 pixels: texture and near surroundings, not the scene.

    Shapes: (n, c, h, w) to (n, classes, h, w), h and w 32 or more.
    Source: tips K2.2, K3.2; Yu and Koltun 2016 for the dilations.

    >>> import torch
    >>> SmallDenseNet(3, 2)(torch.randn(1, 3, 33, 40)).shape
    torch.Size([1, 2, 33, 40])
    """

    def __init__(self, channels_in: int, classes: int, *, width: int = 16) -> None:
        """Make the layers; the one of the logits is last."""
        super().__init__()
        self.body = nn.Sequential(
            *_halving(channels_in, width),
            *_halving(width, 2 * width),
            ConvNormAct(2 * width, 4 * width),
            ConvNormAct(4 * width, 4 * width, dilation=2),
        )
        self.head = nn.Conv2d(4 * width, classes, 1)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k h w"]:
        """Give the logits of each pixel."""
        logits = self.head(self.body(images))
        return enlarged(logits, _STRIDE)[:, :, : images.shape[2], : images.shape[3]]


def _halving(channels_in: int, channels_out: int) -> list[nn.Module]:
    """Convolve, pool, then normalise and rectify a quarter of the numbers (tip L8): 80 ms a step in place of 107."""
    convolution = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    return [convolution, nn.MaxPool2d(2, ceil_mode=True), BatchNorm2d(channels_out), nn.ReLU(inplace=True)]
