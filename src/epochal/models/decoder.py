"""The second half of a dense network, by name: from maps at several strides to one at the finest of them.

    none  each map squeezed by a 1x1 convolution, enlarged, and added: a fully convolutional network with skips
    fpn   a feature pyramid, its levels smoothed, enlarged and added
    ppm   none, with pyramid pooling on the coarsest map
    aspp  none, with convolutions of several dilations on the coarsest map
    spp   none, with the maxima of a spatial pyramid beside the coarsest map
    pan   feature pyramid attention on the coarsest map, global attention on the way up

All are made of `epochal.layers`; `benchmarks/results/segmentation.md` compares them at equal time.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.convolution import ConvNormAct
from epochal.layers.normalization import normalization
from epochal.layers.pooling import PyramidPooling, pooled_to_bins
from epochal.layers.pyramid import AtrousPyramid, FeaturePyramid
from epochal.layers.pyramid_attention import PyramidAttention

_BINS = (1, 2, 3, 6)
_POOLED_TO_ONE = frozenset({"ppm", "aspp", "pan"})
_RATES = (6 / 33, 12 / 33, 18 / 33)  # the paper's 6, 12, 18 are for maps 33 places wide


def decoder(name: str, channels: Sequence[int], *, width: int, places: int, norm: str = "batch") -> nn.Module:
    """Make the decoder called `name` over maps of `channels` channels, finest first.

    `places` is the longer side of the coarsest map, by which dilations are chosen.

    Shapes: maps (n, channels[k], h_k, w_k) to (n, width, h_0, w_0).
    Raises: SettingError for an unknown name, or a normalisation that leaves nothing of what the head pools.

    >>> maps = [torch.randn(2, c, s, s) for c, s in ((8, 16), (16, 8), (32, 4))]
    >>> {tuple(decoder(name, [8, 16, 32], width=12, places=4)(maps).shape) for name in DECODERS}
    {(2, 12, 16, 16)}
    """
    if name not in DECODERS:
        raise SettingError.unknown("head", name, known=DECODERS)
    if norm == "instance" and name in _POOLED_TO_ONE:
        raise SettingError(
            f"Instance normalisation of the head {name!r}, which averages the whole image into one place.",
            expected="another normalisation there: of one value nothing is left but 0.",
            remedy="group, or one of the heads fpn, spp and none.",
        )
    return DECODERS[name](channels, width, places, norm)


class SkipDecoder(nn.Module):
    """Adds maps of all scales: each squeezed to `width` channels by a 1x1 convolution and enlarged to the finest.

    `context` works on the coarsest map before, and says in `channels_out` how many channels it leaves.

    Shapes: maps (n, channels[k], h_k, w_k), finest first, to (n, width, h_0, w_0).
    Source: Long et al. 2015, "Fully convolutional networks", section 4.2.

    >>> SkipDecoder([4, 8], 6)([torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4)]).shape
    torch.Size([1, 6, 8, 8])
    """

    def __init__(
        self, channels: Sequence[int], width: int, *, context: nn.Module | None = None, norm: str = "batch"
    ) -> None:
        """Make a lateral convolution for each map."""
        super().__init__()
        self.context = context or nn.Identity()
        self.lateral = nn.ModuleList(ConvNormAct(c, width, kernel_size=1, norm=None, act=None) for c in channels)
        self.norm = normalization(norm, width)
        self.rectify = nn.ReLU(inplace=True)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n width h w"]:
        """Add from the coarsest map to the finest."""
        carried: Tensor = self.lateral[-1](self.context(maps[-1]))
        for lateral, finer in zip(reversed(self.lateral[:-1]), reversed(maps[:-1]), strict=True):
            carried = lateral(finer) + _enlarged(carried, like=finer)
        out: Tensor = self.rectify(self.norm(carried))
        return out


class PyramidDecoder(nn.Module):
    """Adds the levels of a feature pyramid at the finest one's size.

    Shapes: maps (n, channels[k], h_k, w_k), finest first, to (n, width, h_0, w_0).
    Source: Kirillov et al. 2019, "Panoptic feature pyramid networks", section 3, with bilinear steps in place of its
    convolutions between them; tip S4.

    >>> PyramidDecoder([4, 8], 6)([torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4)]).shape
    torch.Size([1, 6, 8, 8])
    """

    def __init__(self, channels: Sequence[int], width: int, *, norm: str = "batch") -> None:
        """Make the pyramid."""
        super().__init__()
        self.pyramid = FeaturePyramid(channels, width)
        self.norm = normalization(norm, width)
        self.rectify = nn.ReLU(inplace=True)

    def forward(self, maps: Sequence[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n width h w"]:
        """Add from the coarsest level to the finest."""
        levels = self.pyramid(maps)
        carried = levels[-1]
        for finer in reversed(levels[:-1]):
            carried = finer + _enlarged(carried, like=finer)
        out: Tensor = self.rectify(self.norm(carried))
        return out


class SpatialPyramidContext(nn.Module):
    """Sets the maxima of a spatial pyramid beside each place they cover, and joins them by a 1x1 convolution.

    Shapes: (n, c, h, w) to the same, any h and w.  Source: He et al. 2015, for a vector per image; tip S1.

    >>> SpatialPyramidContext(8)(torch.randn(2, 8, 5, 7)).shape
    torch.Size([2, 8, 5, 7])
    """

    def __init__(self, channels: int, bins: Sequence[int] = _BINS, *, norm: str = "batch") -> None:
        """Make the joint convolution."""
        super().__init__()
        self.bins = tuple(bins)
        self.joint = ConvNormAct((len(self.bins) + 1) * channels, channels, kernel_size=1, norm=norm)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Pool, spread out, join."""
        spread = [F.interpolate(pooled_to_bins(maps, b), size=maps.shape[2:], mode="nearest") for b in self.bins]
        out: Tensor = self.joint(torch.cat([maps, *spread], 1))
        return out


def rates_for(places: int) -> tuple[int, ...]:
    """Choose dilations for a map `places` wide, in the paper's proportion: 6, 12 and 18 for 33 places.

    >>> rates_for(33), rates_for(8), rates_for(2)
    ((6, 12, 18), (1, 3, 4), (1,))
    """
    return tuple(sorted({max(1, round(places * rate)) for rate in _RATES}))


def _enlarged(maps: Tensor, *, like: Tensor) -> Tensor:
    return F.interpolate(maps, size=like.shape[2:], mode="bilinear", align_corners=False)


def _none(channels: Sequence[int], width: int, places: int, norm: str) -> nn.Module:  # noqa: ARG001, PLR0917
    return SkipDecoder(channels, width, norm=norm)


def _fpn(channels: Sequence[int], width: int, places: int, norm: str) -> nn.Module:  # noqa: ARG001, PLR0917
    return PyramidDecoder(channels, width, norm=norm)


def _ppm(channels: Sequence[int], width: int, places: int, norm: str) -> nn.Module:  # noqa: ARG001, PLR0917
    context = PyramidPooling(channels[-1], _BINS, norm=norm)
    return SkipDecoder([*channels[:-1], context.channels_out], width, context=context, norm=norm)


def _aspp(channels: Sequence[int], width: int, places: int, norm: str) -> nn.Module:  # noqa: PLR0917
    context = AtrousPyramid(channels[-1], width, rates=rates_for(places), norm=norm)
    return SkipDecoder([*channels[:-1], width], width, context=context, norm=norm)


def _spp(channels: Sequence[int], width: int, places: int, norm: str) -> nn.Module:  # noqa: ARG001, PLR0917
    return SkipDecoder(channels, width, context=SpatialPyramidContext(channels[-1], norm=norm), norm=norm)


def _pan(channels: Sequence[int], width: int, places: int, norm: str) -> nn.Module:  # noqa: ARG001, PLR0917
    return PyramidAttention(channels, width, norm=norm)


Maker: TypeAlias = Callable[[Sequence[int], int, int, str], nn.Module]
DECODERS: Mapping[str, Maker] = MappingProxyType(
    {"fpn": _fpn, "ppm": _ppm, "aspp": _aspp, "pan": _pan, "spp": _spp, "none": _none}
)
