"""Pooling of maps of any size: to vectors of one length, to a head, and to context for every place."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.convolution import ConvNormAct


def pooled_to_bins(maps: Float[Tensor, "n c h w"], bins: int, *, pool: str = "max") -> Float[Tensor, "n c b b"]:
    """Pool a map of any size to `bins` x `bins` values, every pixel counted, none invented.

    Bin i along an axis of s pixels covers `floor(i s / bins)` to `ceil((i + 1) s / bins)`: bins overlap where s is no
    multiple, and repeat pixels where s is smaller. Circulated code computes one kernel, stride and padding instead,
    which gives other sizes or fails for many s.

    Where deterministic algorithms are asked of torch, maximal values are found by slices, because the adaptive kernel's
    gradient on GPUs is not deterministic (pytorch issue 131972); a tie then shares its gradient.

    Shapes: h and w 1 or more.  Raises: SettingError for no bin or a map without pixels.
    Source: He et al. 2015, "Spatial pyramid pooling", appendix A; tips L3, S1.

    >>> pooled_to_bins(torch.arange(5.).view(1, 1, 1, 5), 2)[0, 0, 0]
    tensor([2., 4.])
    """
    if bins < 1 or not maps.shape[2] * maps.shape[3]:
        raise SettingError(
            f"A map of {maps.shape[2]} x {maps.shape[3]} pixels shall go into {bins} x {bins} bins.",
            expected="1 or more of each.",
            remedy="larger images, or fewer bins.",
        )
    _check_pool(pool)
    if pool == "average":
        return F.adaptive_avg_pool2d(maps, bins)
    if torch.are_deterministic_algorithms_enabled() and maps.is_cuda:
        return _max_by_slices(maps, bins)
    return F.adaptive_max_pool2d(maps, bins)


class SpatialPyramidPooling(nn.Module):
    """Makes vectors of one length from maps of any size: each level cut into bins, the bins of all levels in a row.

    On CPUs maps are brought to channels_last first, where pooling is 3 to 5 times as fast, with equal values.

    Shapes: (n, c, h, w) to (n, c sum(bins^2)), level after level, each as (c, row, column).
    Raises: SettingError for no level or a level without bins, when it is made.
    Source: He et al. 2015; speed: `benchmarks/results/blocks-layers.md`; tips L3, S1.

    >>> pool = SpatialPyramidPooling()
    >>> [tuple(pool(torch.randn(2, 4, h, w)).shape) for h, w in ((13, 13), (1, 7), (40, 3))]
    [(2, 200), (2, 200), (2, 200)]
    """

    def __init__(self, bins: Sequence[int] = (1, 2, 3, 6), *, pool: str = "max") -> None:
        """Keep the levels."""
        super().__init__()
        _check_pool(pool)
        self.bins, self.pool = _checked(bins), pool

    def features(self, channels: int) -> int:
        """Say the length of the vectors, for the layer behind."""
        return channels * sum(b * b for b in self.bins)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n f"]:
        """Pool on each level."""
        if maps.device.type == "cpu" and not maps.is_contiguous(memory_format=torch.channels_last):
            maps = maps.contiguous(memory_format=torch.channels_last)
        return torch.cat([pooled_to_bins(maps, b, pool=self.pool).flatten(1) for b in self.bins], 1)

    def extra_repr(self) -> str:
        """Show the levels."""
        return f"bins={self.bins}, pool={self.pool!r}"


class PyramidPooling(nn.Module):
    """Gives each place the context of its surroundings, wider and wider, up to the whole map.

    The map is averaged to each number of bins, squeezed to c / N channels by a 1x1 convolution, enlarged to its old
    size, and set beside the map. With the default normalisation a single image in training is fine: where pooling
    leaves one value per channel, running statistics are used.

    Enlarging is bilinear; `align_corners` differs between implementations (the original's is true), changes results at
    borders, and must be the same in training and use, so it is kept here.

    Shapes: (n, c, h, w) to (n, c + N max(1, c // N), h, w), with N levels: twice the channels where N divides them.
    Raises: SettingError for no level or a level without bins, when it is made.
    Source: Zhao et al. 2017, "Pyramid scene parsing network"; tip S3.

    >>> PyramidPooling(8)(torch.randn(1, 8, 7, 5)).shape
    torch.Size([1, 16, 7, 5])
    """

    def __init__(
        self,
        channels: int,
        bins: Sequence[int] = (1, 2, 3, 6),
        *,
        norm: str = "batch",
        align_corners: bool = False,
    ) -> None:
        """Make one branch for each level."""
        super().__init__()
        self.bins, self.align_corners = _checked(bins), align_corners
        width = max(1, channels // len(self.bins))
        self.channels_out = channels + len(self.bins) * width
        self.branches = nn.ModuleList(ConvNormAct(channels, width, kernel_size=1, norm=norm) for _ in self.bins)

    def forward(self, maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n o h w"]:
        """Set the context of each level beside the map."""
        size = maps.shape[2:]
        levels = [
            F.interpolate(
                branch(pooled_to_bins(maps, b, pool="average")),
                size=size, mode="bilinear", align_corners=self.align_corners,
            )
            for b, branch in zip(self.bins, self.branches, strict=True)
        ]  # fmt: skip
        return torch.cat([maps, *levels], 1)


class GlobalAverageHead(nn.Module):
    """Ends a classifier for images of any size: the mean over space, then one linear layer.

    It has c classes weights, where a fully connected layer on the flattened map has h w times as many and fits one size
    of image only. A 1x1 convolution to the classes and then the mean (Network in network) computes the same, more
    slowly.

    Shapes: (n, c, ...) to (n, classes).  Source: Lin et al. 2014; He et al. 2016; tip K4.5.

    >>> GlobalAverageHead(8, 3)(torch.randn(2, 8, 5, 4)).shape
    torch.Size([2, 3])
    """

    def __init__(self, channels: int, classes: int, *, dropout: float = 0.0) -> None:
        """Make the linear layer, and the dropout before it."""
        super().__init__()
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()  # even a ratio of 0 costs a draw
        self.linear = nn.Linear(channels, classes)

    def forward(self, maps: Float[Tensor, "n c *s"]) -> Float[Tensor, "n classes"]:
        """Average over space, then give logits."""
        logits: Tensor = self.linear(self.dropout(maps.flatten(2).mean(2) if maps.ndim > 2 else maps))
        return logits


class PooledLinear(nn.Linear):
    """A linear layer on flattened maps that averages each channel over space first: global pooling inside a head.

    It stands where a layer on c h w features stood, with c features, and takes flattened maps of any size.

    Shapes: (n, c h w), or maps (n, c, h, w), to (n, o).  Source: Lin et al. 2014; tip K4.5.

    >>> PooledLinear(4, 2)(torch.randn(3, 4 * 7 * 7)).shape
    torch.Size([3, 2])
    """

    def forward(self, input: Float[Tensor, "n *f"]) -> Float[Tensor, "n o"]:  # noqa: A002  torch's own name
        """Average, then multiply."""
        return super().forward(input.flatten(1).reshape(len(input), self.in_features, -1).mean(2))


@torch.no_grad()
def pooled_linear(layer: nn.Linear, channels: int) -> PooledLinear:
    """Turn a linear layer on flattened maps of `channels` channels into one on their means.

    Each new weight is the sum of the old ones over space, so that maps constant over space give what they gave; others
    give an approximation, better the less a weight depends on its place.

    Raises: SettingError where the features are no multiple of the channels.  Source: tip K4.5.

    >>> old = nn.Linear(4 * 9, 2)
    >>> new = pooled_linear(old, 4)
    >>> flat = torch.randn(1, 4, 1).expand(1, 4, 9).flatten(1)
    >>> torch.allclose(old(flat), new(flat), atol=1e-5), new.weight.numel()
    (True, 8)
    """
    if channels < 1 or layer.in_features % channels:
        raise SettingError(
            f"{layer.in_features} features shall be maps of {channels} channels.",
            expected="a multiple of the channels.",
            remedy="pass the channels of the map that is flattened.",
        )
    new = PooledLinear(channels, layer.out_features, bias=layer.bias is not None).to(layer.weight)
    new.weight.copy_(layer.weight.view(layer.out_features, channels, -1).sum(2))
    new.weight.requires_grad_(layer.weight.requires_grad)
    new.bias = layer.bias  # the very same parameter
    return new.train(layer.training)


def _max_by_slices(maps: Tensor, bins: int) -> Tensor:
    """The maximum of each bin by slices: rows first, then columns."""
    height, width = maps.shape[2:]
    rows = torch.stack([maps[:, :, i * height // bins : -(-(i + 1) * height // bins)].amax(2) for i in range(bins)], 2)
    return torch.stack([rows[..., j * width // bins : -(-(j + 1) * width // bins)].amax(3) for j in range(bins)], 3)


def _check_pool(pool: str) -> None:
    if pool not in {"max", "average"}:
        raise SettingError(f"The pooling is {pool!r}.", expected="'max' or 'average'.", remedy="max.")


def _checked(bins: Sequence[int]) -> tuple[int, ...]:
    if not bins or min(bins) < 1:
        raise SettingError(
            f"The levels of the pyramid are {tuple(bins)}.",
            expected="numbers of bins, 1 or more.",
            remedy="1, 2, 3, 6.",
        )
    return tuple(bins)
