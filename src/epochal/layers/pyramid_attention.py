"""Pyramid Attention Network (Li et al. 2018): a decoder that weighs places by scale, and scales by meaning.

Not to be taken for PANet, the path aggregation network. There is no official code, and the paper leaves open how wide
the pyramid is and what the gate's non-linearity is; both are settings here, with the paper's figures as defaults.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.convolution import ConvNormAct


class FeaturePyramidAttention(nn.Module):
    """Weighs each place of the deepest map by what is seen around it at three scales (FPA).

    A pyramid of 7x7, 5x5 and 3x3 convolutions on maps halved again and again is merged upwards and multiplied into the
    map's 1x1 convolution; the mean over the whole map is added. Halvings round up, so that a map of one place has all
    three levels, where fixed poolings need 8.

    `pyramid_width` is the channels of the pyramid: `width` by default, 1 in segmentation-models' version.

    Shapes: (n, i, h, w) to (n, width, h, w), any h and w, a single image in training too.
    Raises: SettingError for no channel.  Source: Li et al. 2018, section 3.1, figure 3; tip S5.

    >>> FeaturePyramidAttention(8, 4)(torch.randn(1, 8, 3, 5)).shape
    torch.Size([1, 4, 3, 5])
    """

    def __init__(self, channels: int, width: int, *, pyramid_width: int | None = None, norm: str = "batch") -> None:
        """Make the main branch, the pyramid and the branch of the whole map."""
        super().__init__()
        narrow = width if pyramid_width is None else pyramid_width
        if min(channels, width, narrow) < 1 or width % narrow:
            raise SettingError(
                f"A pyramid {narrow} wide shall weigh {width} channels made from {channels}.",
                expected="1 or more each, and a pyramid whose channels divide those it weighs.",
                remedy=f"pyramid_width={width} or 1.",
            )
        self.main = ConvNormAct(channels, width, kernel_size=1, norm=norm)
        self.whole = ConvNormAct(channels, width, kernel_size=1, norm=norm)
        self.down = nn.ModuleList(
            ConvNormAct(i, narrow, kernel_size=k, norm=norm) for i, k in ((channels, 7), (narrow, 5), (narrow, 3))
        )
        self.across = nn.ModuleList(ConvNormAct(narrow, narrow, kernel_size=k, norm=norm) for k in (7, 5, 3))

    def forward(self, maps: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h w"]:
        """Multiply by the pyramid, add the whole."""
        level, levels = maps, []
        for down, across in zip(self.down, self.across, strict=True):
            level = down(F.max_pool2d(level, 2, ceil_mode=True))
            levels.append(across(level))
        weights = levels.pop()
        while levels:
            finer = levels.pop()
            weights = finer + _enlarged(weights, like=finer)
        main = self.main(maps)
        weights = _enlarged(weights, like=main)
        weights = weights.repeat(1, main.shape[1] // weights.shape[1], 1, 1)
        return torch.addcmul(self.whole(maps.mean((2, 3), keepdim=True)), main, weights)


class GlobalAttentionUpsample(nn.Module):
    """Lets the meaning of a deep map choose among the channels of a finer one, and adds both (GAU).

    The mean of the deep map, through a 1x1 convolution, normalisation and the gate, multiplies the fine map's 3x3
    convolution; the deep map, enlarged, is added. The gate is ReLU as in the paper's figure, or the sigmoid of
    segmentation-models' version.

    Shapes: fine (n, i, H, W) and deep (n, width, h, w) to (n, width, H, W).
    Source: Li et al. 2018, section 3.2, figure 4; tip S5.

    >>> GlobalAttentionUpsample(8, 4)(torch.randn(1, 8, 7, 7), torch.randn(1, 4, 3, 3)).shape
    torch.Size([1, 4, 7, 7])
    """

    def __init__(self, channels: int, width: int, *, gate: str = "relu", norm: str = "batch") -> None:
        """Make the convolutions of both maps."""
        super().__init__()
        self.fine = ConvNormAct(channels, width, norm=norm, act=None)
        self.deep = ConvNormAct(width, width, kernel_size=1, norm=norm, act=None)
        self.choose = ConvNormAct(width, width, kernel_size=1, norm=norm, act=gate)

    def forward(self, fine: Float[Tensor, "n i H W"], deep: Float[Tensor, "n o h w"]) -> Float[Tensor, "n o H W"]:
        """Gate the fine map by the deep one, add the deep one."""
        chosen = self.choose(deep.mean((2, 3), keepdim=True))
        gated = self.fine(fine)
        return torch.addcmul(_enlarged(self.deep(deep), like=gated), gated, chosen)


class PyramidAttention(nn.Module):
    """The decoder of the Pyramid Attention Network: FPA on the deepest map, then a GAU for each finer one.

    Shapes: maps (n, channels[k], h_k, w_k), finest first, to (n, width, h_0, w_0).
    Raises: SettingError where the number of maps is not that of `channels`.
    Source: Li et al. 2018, figure 2; tip S5.

    >>> maps = [torch.randn(1, c, s, s) for c, s in ((4, 8), (8, 4), (16, 2))]
    >>> PyramidAttention([4, 8, 16], 6)(maps).shape
    torch.Size([1, 6, 8, 8])
    """

    def __init__(
        self, channels: Sequence[int], width: int = 64, *, pyramid_width: int | None = None, gate: str = "relu",
        norm: str = "batch",
    ) -> None:  # fmt: skip
        """Make one part for each map."""
        super().__init__()
        if not channels:
            raise SettingError("The decoder has no map to decode.", expected="1 or more.", remedy="pass all stages.")
        self.deepest = FeaturePyramidAttention(channels[-1], width, pyramid_width=pyramid_width, norm=norm)
        self.finer = nn.ModuleList(
            GlobalAttentionUpsample(each, width, gate=gate, norm=norm) for each in reversed(channels[:-1])
        )

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n o H W"]:
        """Decode from the deepest map to the finest."""
        if len(maps) != len(self.finer) + 1:
            raise SettingError(
                f"The decoder was made for {len(self.finer) + 1} maps and received {len(maps)}.",
                expected="one for each entry of `channels`, finest first.",
                remedy="pass the maps of all stages.",
            )
        decoded: Tensor = self.deepest(maps[-1])
        for upsample, fine in zip(self.finer, reversed(maps[:-1]), strict=True):
            decoded = upsample(fine, decoded)
        return decoded


def _enlarged(maps: Tensor, *, like: Tensor) -> Tensor:
    """Bilinear, to the size of another map."""
    return F.interpolate(maps, size=like.shape[2:], mode="bilinear", align_corners=False)
