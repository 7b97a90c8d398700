"""Convolutions made of parts: with normalisation and activation behind, or depthwise and pointwise."""

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.activation import activation
from epochal.layers.normalization import normalization
from epochal.layers.scaling import fans, strength


class ConvNormAct(nn.Sequential):
    """Convolution, normalisation, activation: the unit that decoders are built from.

    The kernel is of odd size and padded so that a map keeps its size. Where a normalisation follows, the
    convolution has no bias, which would be taken away again. Weights begin as He's.

    Shapes: (n, i, h, w) to (n, o, h, w).
    Raises: SettingError for an even kernel or an unknown name.  Source: tips W4.2, W3.4.

    >>> ConvNormAct(3, 8)(torch.randn(2, 3, 7, 7)).shape
    torch.Size([2, 8, 7, 7])
    """

    def __init__(
        self, channels_in: int, channels_out: int, *, kernel_size: int = 3, dilation: int = 1,
        norm: str | None = "batch", act: str | None = "relu",
    ) -> None:  # fmt: skip
        """Make the three, or fewer where norm or activation is None."""
        _check_kernel(kernel_size)
        conv = nn.Conv2d(
            channels_in, channels_out, kernel_size,
            dilation=dilation, padding=dilation * (kernel_size // 2), bias=norm is None,
        )  # fmt: skip
        _fill_(conv, strength("he" if act == "relu" else "calibrated", fans(conv)))
        parts = OrderedDict[str, nn.Module](conv=conv)
        if norm is not None:
            parts["norm"] = normalization(norm, channels_out)
        if act is not None:
            parts["act"] = activation(act)
        super().__init__(parts)


class SeparableConv2d(nn.Sequential):
    """A convolution in two steps: each channel by itself over space, then all channels at each place.

    Of k^2 i o multiplications a place, k^2 i + i o are left: a share of 1/o + 1/k^2. Nothing stands between the two, as
    in Xception; MobileNet has normalisation and ReLU there. Fastest where maps lie channels_last.

    Shapes: (n, i, h, w) to (n, o, ...).  Source: Chollet 2017, "Xception"; tips L9, S6.

    >>> two = SeparableConv2d(nn.Conv2d(4, 4, 3, groups=4, bias=False), nn.Conv2d(4, 8, 1))
    >>> two(torch.randn(1, 4, 5, 5)).shape
    torch.Size([1, 8, 3, 3])
    """

    depthwise: nn.Conv2d
    pointwise: nn.Conv2d

    def __init__(self, depthwise: nn.Conv2d, pointwise: nn.Conv2d) -> None:
        """Put one behind the other, so that a state dict has their names."""
        assert depthwise.groups == depthwise.in_channels, depthwise
        assert depthwise.out_channels == pointwise.in_channels, pointwise
        super().__init__(OrderedDict(depthwise=depthwise, pointwise=pointwise))


def separable(
    channels_in: int, channels_out: int, *, kernel_size: int = 3, stride: int = 1, dilation: int = 1, bias: bool = True
) -> SeparableConv2d:
    """Make a depthwise-separable convolution that keeps the size of a map at stride 1.

    Weights begin so that a rectifier behind sees the variance that He's rule gives a plain convolution: 1 / k^2 in the
    depthwise half, whose outputs each add up k^2 numbers and meet no rectifier, 2 / i in the pointwise one.

    Raises: SettingError for an even kernel.  Source: Chollet 2017; tips L9, S6, W3.4.

    >>> sum(p.numel() for p in separable(64, 128, bias=False).parameters()), 64 * 128 * 9
    (8768, 73728)
    """
    _check_kernel(kernel_size)
    depthwise = nn.Conv2d(
        channels_in, channels_in, kernel_size, groups=channels_in, bias=False,
        stride=stride, dilation=dilation, padding=dilation * (kernel_size // 2),
    )  # fmt: skip
    pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=bias)
    _fill_(depthwise, strength("calibrated", fans(depthwise)))
    _fill_(pointwise, strength("he", fans(pointwise)))
    return SeparableConv2d(depthwise, pointwise)


@torch.no_grad()
def separated(conv: nn.Conv2d, *, depth_multiplier: int = 1) -> tuple[SeparableConv2d, float]:
    """Split a learnt convolution into the nearest depthwise-separable one; say the share of its weight that is lost.

    The filters of each input channel, a matrix (o, k^2), become their best approximation of rank `depth_multiplier`
    (singular value decomposition): spatial filters of norm 1, and what each output takes of them. The share is
    `|W - W'| / |W|`, 0 where the ranks suffice, as with `depth_multiplier` k^2. Stride, dilation and padding go to
    the depthwise half, the bias to the pointwise one. What does not need a gradient goes on not needing one.

    Raises: SettingError for a grouped or a 1x1 convolution, a subclass, or a rank outside 1 to k^2.
    Source: Guo et al. 2018, "Network decoupling"; tips L9, S6.

    >>> conv = nn.Conv2d(3, 8, 3)
    >>> new, lost = separated(conv, depth_multiplier=9)
    >>> round(lost, 5), torch.allclose(conv(x := torch.randn(1, 3, 6, 6)), new(x), atol=1e-5)
    (0.0, True)
    """
    reason = why_not_separable(conv)
    places = conv.kernel_size[0] * conv.kernel_size[1]
    if reason is not None or not 1 <= depth_multiplier <= places:
        raise SettingError(
            f"{conv} cannot be split into {depth_multiplier} filters a channel: {reason or 'not that many exist'}.",
            expected=f"a plain convolution over space, and 1 to {places} filters.",
            remedy="leave it as it is.",
        )
    filters = conv.weight.double().transpose(0, 1).flatten(2)  # i o k^2
    u, s, v = torch.linalg.svd(filters, full_matrices=False)
    r = min(depth_multiplier, s.shape[1])
    taken = (u[:, :, :r] * s[:, None, :r]).permute(1, 0, 2).flatten(1)  # o (i r)
    kept = s[:, :r].square().sum()
    whole = s.square().sum()
    lost = float(((whole - kept).clamp(min=0) / whole).sqrt()) if whole > 0 else 0.0
    return _halves(conv, spatial=v[:, :r].flatten(0, 1), taken=taken), lost


def why_not_separable(conv: nn.Conv2d) -> str | None:
    """Say why a convolution cannot be split into depthwise and pointwise, or None where it can.

    >>> why_not_separable(nn.Conv2d(4, 8, 1)), why_not_separable(nn.Conv2d(4, 8, 3))
    ('its kernel is 1x1: there is no space to separate', None)
    """
    if type(conv) is not nn.Conv2d:
        return f"it is {type(conv).__name__}, which may do more than convolve"
    if conv.groups != 1:
        return f"it has {conv.groups} groups already"
    if conv.kernel_size == (1, 1):
        return "its kernel is 1x1: there is no space to separate"
    return None


def _halves(conv: nn.Conv2d, *, spatial: Tensor, taken: Tensor) -> SeparableConv2d:
    """Two convolutions with the geometry of one, holding the given filters."""
    like: dict[str, Any] = {"device": conv.weight.device, "dtype": conv.weight.dtype}
    geometry: dict[str, Any] = {
        each: getattr(conv, each) for each in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
    }
    depthwise = nn.Conv2d(conv.in_channels, len(spatial), groups=conv.in_channels, bias=False, **geometry, **like)
    pointwise = nn.Conv2d(len(spatial), conv.out_channels, 1, bias=conv.bias is not None, **like)
    depthwise.weight.copy_(spatial.view_as(depthwise.weight))
    pointwise.weight.copy_(taken.view_as(pointwise.weight))
    for half in (depthwise, pointwise):
        half.weight.requires_grad_(conv.weight.requires_grad)
    pointwise.bias = conv.bias  # the very same parameter
    return SeparableConv2d(depthwise, pointwise).train(conv.training)


@torch.no_grad()
def _fill_(conv: nn.Conv2d, deviation: float) -> None:
    conv.weight.normal_(0.0, deviation)
    if conv.bias is not None:
        conv.bias.zero_()


def _check_kernel(kernel_size: int) -> None:
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise SettingError(
            f"The kernel is {kernel_size} wide.", expected="an odd number: others shift the map.", remedy="3."
        )
