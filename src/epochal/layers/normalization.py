"""Normalisation by name, chosen by batch size, with the silent failures of small maps and batches made loud.

    name               mean and variance over       one value for each    here
    batch              n, h, w                      channel               BatchNorm2d
    layer              c, h, w                      sample                GroupNorm with 1 group
    layer_per_pixel    c                            sample and place      LayerNormPerPixel
    instance           h, w                         sample and channel    GroupNorm with c groups
    group              c / g, h, w                  sample and group      GroupNorm

Two things are called layer normalisation of maps: the first is the paper's, the second is ConvNeXt's ("LayerNorm2d").
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError

NORMS = ("batch", "group", "instance", "layer", "layer_per_pixel")

# Error of ResNet-50 on ImageNet at 32, 16, 8, 4, 2 images per worker: BatchNorm 23.6, 23.7, 24.8, 27.3, 34.7 %,
# GroupNorm 24.1 % throughout (Wu and He 2018, figure 1), so they cross between 8 and 16.
_LEAST_FOR_BATCH_NORM = 10


def norm_for_batch(batch_size: int) -> str:
    """Choose the normalisation for batches of this size on one device: 10 or more "batch", 1 "instance", else "group".

    Statistics over few images are noise; over one image batch normalisation is instance normalisation in training
    and something else in evaluation.

    Raises: SettingError for a batch below 1.  Source: Wu and He 2018, figure 1; tips L1, S14.

    >>> [norm_for_batch(size) for size in (1, 2, 9, 10, 256)]
    ['instance', 'group', 'group', 'batch', 'batch']
    """
    if batch_size < 1:
        raise SettingError(f"A batch of {batch_size} images.", expected="1 or more.", remedy="leave it out.")
    if batch_size >= _LEAST_FOR_BATCH_NORM:
        return "batch"
    return "instance" if batch_size == 1 else "group"


def groups_for(channels: int, *, most: int = 32) -> int:
    """Choose the number of groups: the largest divisor of `channels`, up to `most`, that leaves two channels in each.

    A prime number of channels makes one group. Groups of one channel would be instance normalisation, and on a map of
    one place give nothing but zeros.

    Raises: SettingError where there is no channel or no group.  Source: Wu and He 2018, section 4.1: 32; tip L1.

    >>> [groups_for(channels) for channels in (1, 3, 16, 48, 64, 512)]
    [1, 1, 8, 24, 32, 32]
    """
    if channels < 1 or most < 1:
        raise SettingError(f"{channels} channels in up to {most} groups.", expected="1 or more of each.", remedy="32.")
    return max(g for g in range(1, min(most, max(1, channels // 2)) + 1) if channels % g == 0)


def normalization(
    name: str, channels: int, *, groups: int | None = None, eps: float = 1e-5, affine: bool = True
) -> nn.Module:
    """Make the normalisation called `name` for maps of `channels` channels; for "group", `groups_for` unless given.

    Raises: SettingError for an unknown name, groups that do not divide the channels, or groups that are not used.
    Source: tips L1, S14.

    >>> normalization("group", 64)
    GroupNorm(32, 64, eps=1e-05, affine=True...)
    >>> normalization("instance", 4)(torch.randn(1, 4, 8, 8)).mean((2, 3)).abs().max() < 1e-6
    tensor(True)
    """
    if name not in NORMS:
        raise SettingError(f"The normalisation is {name!r}.", expected=f"one of {', '.join(NORMS)}.", remedy="batch.")
    if groups is not None and (name != "group" or groups < 1 or channels % groups):
        raise SettingError(
            f"{groups} groups were asked of {name!r} over {channels} channels.",
            expected="a divisor of the channels, and the normalisation 'group'.",
            remedy=f"leave it out: {groups_for(channels)} groups.",
        )
    if name == "batch":
        return BatchNorm2d(channels, eps=eps, affine=affine)
    if name == "layer_per_pixel":
        return LayerNormPerPixel(channels, eps=eps, elementwise_affine=affine)
    count = {"layer": 1, "instance": channels, "group": groups or groups_for(channels)}[name]
    return GroupNorm(count, channels, eps=eps, affine=affine)


class BatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation that survives a single value for each channel: then the running statistics are used.

    One value has no variance, and torch's layer raises an error on it in training. It is what pooling to one place
    makes of the last batch of an epoch, when that has one image. Everything else is torch's: momentum is the weight of
    the new batch (TensorFlow's is that of the old), and the variance that is kept is the unbiased one.

    Shapes: (n, c, h, w).  Source: Ioffe and Szegedy 2015; torchvision issue 1667; tips L1, S2.

    >>> BatchNorm2d(2)(torch.ones(1, 2, 1, 1)).shape
    torch.Size([1, 2, 1, 1])
    """

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:  # noqa: A002  torch's own name
        """Normalise over the batch in training, by running statistics in evaluation and where there is one value."""
        if self.training and self.running_mean is not None and input.numel() == input.shape[1]:
            return F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(input)


class GroupNorm(nn.GroupNorm):
    """Group normalisation that refuses groups of one value, which torch turns into zeros without a word.

    With as many groups as channels it is instance normalisation, at least 1.5 times as fast as `nn.InstanceNorm2d` in
    training and 3.5 times in use (channels_last nearly equal). The memory format of the input is kept.

    Shapes: (n, c) or (n, c, ...).
    Raises: SettingError where one group holds one value.
    Source: Wu and He 2018; Ulyanov et al. 2016; speed: `benchmarks/results/blocks-layers.md`; tips L1, S14.

    >>> GroupNorm(2, 4)(torch.randn(3, 4)).shape
    torch.Size([3, 4])
    """

    def forward(self, input: Float[Tensor, "n c *s"]) -> Float[Tensor, "n c *s"]:  # noqa: A002  torch's own name
        """Normalise each group of each sample."""
        if input.shape[1:].numel() == self.num_groups:
            raise SettingError(
                f"A group of {type(self).__name__}({self.num_groups}, {self.num_channels}) holds one value: "
                f"the input is {tuple(input.shape)}.",
                expected="two or more values in each group; the difference of one to its mean is always 0.",
                remedy="fewer groups, larger images, or 'layer' in place of 'instance'.",
            )
        if self.num_groups == self.num_channels and _is_channels_last(input):
            # torch has no fast path for this: two copies cost less (benchmarks/results/blocks-layers.md)
            return super().forward(input.contiguous()).contiguous(memory_format=torch.channels_last)
        return super().forward(input)


class LayerNormPerPixel(nn.LayerNorm):
    """Layer normalisation over the channels alone, at each place by itself, as ConvNeXt has it ("LayerNorm2d").

    The result lies channels_last in memory, which is how it is computed fastest.

    Shapes: (n, c, ...).  Source: Ba et al. 2016; Liu et al. 2022, "A ConvNet for the 2020s"; tip L1.

    >>> LayerNormPerPixel(8)(torch.randn(2, 8, 3, 3)).mean(1).abs().max() < 1e-6
    tensor(True)
    """

    def __init__(self, channels: int, *, eps: float = 1e-5, elementwise_affine: bool = True) -> None:
        """Take the channels alone: places are not told apart."""
        super().__init__(channels, eps=eps, elementwise_affine=elementwise_affine)

    def forward(self, input: Float[Tensor, "n c *s"]) -> Float[Tensor, "n c *s"]:  # noqa: A002  torch's own name
        """Normalise each place of each sample."""
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


def _is_channels_last(maps: Tensor) -> bool:
    return maps.ndim == 4 and not maps.is_contiguous() and maps.is_contiguous(memory_format=torch.channels_last)
