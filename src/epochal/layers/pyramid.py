"""Decoder parts that see a scene at several scales: atrous pyramid (ASPP) and feature pyramid (FPN)."""

import warnings
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.convolution import ConvNormAct


class AtrousPyramid(nn.Module):
    """Looks at each place through holes of several widths at once, and at the whole image (ASPP).

    A 1x1 convolution, a 3x3 one dilated by each of `rates`, and the mean of the map spread out again stand side by
    side, each with normalisation and ReLU; a 1x1 convolution joins them. The paper's rates 6, 12, 18 are for maps at a
    16th of the image; double them at an 8th. A rate as large as the map leaves only the kernel's centre on it: that
    branch is then a 1x1 convolution, and a warning says so once.

    A single image in training is fine, maps of a single place too: where there is one value per channel,
    batch normalisation uses its running statistics.

    Shapes: (n, i, h, w) to (n, width, h, w).  Raises: SettingError for a rate below 1, or none.
    Source: Chen et al. 2017, "Rethinking atrous convolution", section 3.3; tip S2.

    >>> AtrousPyramid(8, 4, rates=(1, 2))(torch.randn(1, 8, 6, 5)).shape
    torch.Size([1, 4, 6, 5])
    """

    def __init__(
        self, channels: int, width: int = 256, *, rates: Sequence[int] = (6, 12, 18), norm: str = "batch",
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        """Make the branches."""
        super().__init__()
        if not rates or min(rates) < 1:
            raise SettingError(f"The rates are {tuple(rates)}.", expected="1 or more each.", remedy="6, 12, 18.")
        self.rates = tuple(rates)
        self.place = ConvNormAct(channels, width, kernel_size=1, norm=norm)
        self.atrous = nn.ModuleList(ConvNormAct(channels, width, dilation=rate, norm=norm) for rate in self.rates)
        self.image = ConvNormAct(channels, width, kernel_size=1, norm=norm)
        self.joint = ConvNormAct((len(self.rates) + 2) * width, width, kernel_size=1, norm=norm)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()  # even a ratio of 0 costs a draw

    def forward(self, maps: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h w"]:
        """Join what the branches see."""
        self._warn_of_wide_rates(maps.shape[2], maps.shape[3])
        whole = self.image(maps.mean((2, 3), keepdim=True)).expand(-1, -1, *maps.shape[2:])
        seen = [self.place(maps), *(branch(maps) for branch in self.atrous), whole]
        joined: Tensor = self.dropout(self.joint(torch.cat(seen, 1)))
        return joined

    def _warn_of_wide_rates(self, height: int, width: int) -> None:
        wide = [rate for rate in self.rates if rate >= max(height, width)]
        if wide and not torch.compiler.is_compiling():
            warnings.warn(
                f"Rates {wide} reach beyond the map of {height} x {width}: those branches are 1x1 convolutions here. "
                "Take smaller rates or larger images.",
                stacklevel=3,
            )


class FeaturePyramid(nn.Module):
    """Gives maps of every scale the meaning of the deepest one (FPN).

    From the deepest map upwards, each is enlarged to the next finer map's size (nearest neighbour), added to that map's
    1x1 convolution, and smoothed by a 3x3 one. Sizes need not halve exactly: any heights and widths do. Convolutions
    have biases and nothing behind them, as in the paper; `extra` further levels are every second pixel of the last.

    Shapes: maps (n, channels[k], h_k, w_k), finest first, to as many (n, width, h_k, w_k), then the extra ones.
    Raises: SettingError where the number of maps is not that of `channels`.
    Source: Lin et al. 2017, "Feature pyramid networks"; tip S4.

    >>> maps = [torch.randn(1, c, s, s) for c, s in ((4, 9), (8, 5), (16, 3))]
    >>> [tuple(each.shape) for each in FeaturePyramid([4, 8, 16], 6)(maps)]
    [(1, 6, 9, 9), (1, 6, 5, 5), (1, 6, 3, 3)]
    """

    def __init__(self, channels: Sequence[int], width: int = 256, *, extra: int = 0) -> None:
        """Make a lateral and a smoothing convolution for each map."""
        super().__init__()
        if not channels or extra < 0:
            raise SettingError(
                f"A pyramid over {len(channels)} maps with {extra} extra levels.",
                expected="one map or more, 0 extra levels or more.",
                remedy="the channels of each stage of the network, finest first.",
            )
        self.extra = extra
        self.lateral = nn.ModuleList(ConvNormAct(c, width, kernel_size=1, norm=None, act=None) for c in channels)
        self.smooth = nn.ModuleList(ConvNormAct(width, width, norm=None, act=None) for _ in channels)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> list[Float[Tensor, "n width _ _"]]:
        """Carry meaning from the deepest map to the finest."""
        if len(maps) != len(self.lateral):
            raise SettingError(
                f"The pyramid was made for {len(self.lateral)} maps and received {len(maps)}.",
                expected="one for each entry of `channels`, finest first.",
                remedy="pass the maps of all stages.",
            )
        carried: list[Tensor] = []
        for lateral, each in zip(reversed(self.lateral), reversed(maps), strict=True):
            here = lateral(each)
            if carried:
                here = here + F.interpolate(carried[-1], size=here.shape[2:], mode="nearest")
            carried.append(here)
        levels = [smooth(each) for smooth, each in zip(self.smooth, reversed(carried), strict=True)]
        for _ in range(self.extra):
            levels.append(levels[-1][:, :, ::2, ::2])
        return levels
