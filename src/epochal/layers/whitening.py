"""First-layer filters that whiten small patches of the training images, measured instead of learnt.

Neighbouring pixels say nearly the same, so gradients along the few loud directions drown the quiet ones. Filters that
rotate patches to their principal axes and divide by the spread make all directions equally loud from the first step
(tip W2.3, applied to patches, where it costs nothing). Used for networks by Page 2019 ("How to train your ResNet 8")
and frozen by Balsam 2023 (hlb-CIFAR10).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError


def patch_moments(images: Float[Tensor, "n c h w"], *, size: int, most: int = 2_000_000) -> Float[Tensor, "d d"]:
    """Measure how the pixels of `size` x `size` patches vary together: mean of `p p^T` over patches, uncentred.

    Images are expected centred per channel, as the loader gives them, so that patches are centred too. More than `most`
    patches are thinned evenly: 78 numbers of a 12 x 12 matrix do not need them all.

    Shapes: n images, d = c size^2.  Units: variance of the images' own.
    Raises: SettingError where no patch fits.

    >>> patch_moments(torch.ones(1, 1, 3, 3), size=2)[0]
    tensor([1., 1., 1., 1.], dtype=torch.float64)
    """
    if images.shape[0] == 0 or min(images.shape[2:]) < size:
        raise SettingError(
            f"Patches of {size} pixels shall be cut from images of shape {tuple(images.shape)}.",
            expected="at least one image, at least as large as a patch.",
            remedy="smaller patches or larger images.",
        )
    d = images.shape[1] * size * size
    patches = images.unfold(2, size, 1).unfold(3, size, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, d)
    patches = patches[:: -(-len(patches) // most)].double()
    moments: Tensor = patches.T @ patches / len(patches)
    return moments


def whitening_filters(moments: Float[Tensor, "d d"], *, keep: int, eps: float = 1e-3) -> Float[Tensor, "keep d"]:
    """Make the `keep` loudest whitening filters: eigenvectors over the square root of their variance.

    `v_i^T x / sqrt(lambda_i + eps mean(lambda))`. The regulariser is relative to the mean variance, so rescaled data
    give rescaled filters; it keeps directions that hold only rounding and noise from being blown up. Signs, which
    an eigenvector leaves open, are chosen so that its largest entry is positive: the same data, the same filters.

    Shapes: d numbers in a patch.  Raises: SettingError if `keep` is more than d.  Source: tip W2.3.

    >>> whitening_filters(torch.diag(torch.tensor([4.0, 1.0])), keep=2, eps=0.0)
    tensor([[0.5000, 0.0000],
            [0.0000, 1.0000]])
    """
    d = moments.shape[0]
    if not 1 <= keep <= d:
        raise SettingError(f"{keep} of {d} filters shall be kept.", expected=f"1 to {d}.", remedy=f"{d}.")
    decomposed = torch.linalg.eigh(moments.double())
    variances = decomposed.eigenvalues.flip(0)[:keep].clamp(min=0)
    vectors = decomposed.eigenvectors.flip(1)[:, :keep]
    mean = moments.diagonal().double().mean()
    floor = max(eps, 1e-12) * mean if mean > 0 else torch.ones_like(mean)  # black images: any finite filter will do
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    filters: Tensor = (vectors * largest.sign() / (variances + floor).sqrt()).T.float()
    return filters


@torch.no_grad()
def set_whitening_(layer: nn.Conv2d, images: Float[Tensor, "n c h w"], *, eps: float = 1e-3) -> None:
    """Fill a convolution with the whitening filters of `images` and their negatives, and its bias with zero.

    The negatives let a rectifier behind the layer pass both halves of each direction. Measured on CPU or wherever
    the images are; the layer keeps its device and dtype. In place.

    Shapes: the layer has c channels in, a square kernel, and an even number of channels out, at most 2 c size^2.
    Raises: SettingError for other layers.  Source: Page 2019; Jordan 2024.

    >>> layer = nn.Conv2d(1, 4, 2)
    >>> set_whitening_(layer, torch.randn(100, 1, 8, 8))
    >>> torch.equal(layer.weight[:2], -layer.weight[2:])
    True
    """
    size, width = layer.kernel_size[0], layer.out_channels
    if layer.kernel_size[0] != layer.kernel_size[1] or width % 2 or layer.groups != 1:
        raise SettingError(
            f"Whitening filters shall fill {layer}.",
            expected="a square kernel, one group, an even number of channels out.",
            remedy="nn.Conv2d(channels, 2 * filters, size).",
        )
    moments = patch_moments(images.float(), size=size)
    filters = whitening_filters(moments, keep=width // 2, eps=eps).view(width // 2, -1, size, size)
    layer.weight.copy_(torch.cat([filters, -filters]))
    if layer.bias is not None:
        layer.bias.zero_()
