"""A residual network for images of 8 to 512 pixels, made to learn fast on few cores.

    image → whitening stem, frozen → [convolution, pool, norm, ReLU → residual blocks] x stages → global max → head

What makes it fast, each measured (`docs/decisions/network.md`): pooling straight behind a convolution, so that
normalisation and ReLU see a quarter of the numbers; few wide convolutions in place of many narrow ones, which keep
matrix units busy; a frozen stem, which needs no gradient. What makes it learn fast: whitened patches, convolutions
that begin as the identity, normalisation whose scale is fixed and whose bias learns quickly, a scaled head.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.dropout import SpatialDropout, add_drop_path, linear_drop_probs
from epochal.layers.image_whitening import ImageWhitening
from epochal.layers.scaling import scale_to_data_
from epochal.layers.whitening import set_whitening_
from epochal.models.head import ScaledLinear
from epochal.models.parts import Parts
from epochal.models.simple import check_sizes

_PARTS = Parts()
_SCALING_IMAGES = 256  # deviations of more differ by less than a hundredth
_HEAD_FACTOR = 1 / 9  # Jordan 2024


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Sizes of a `ResNet`: all that `resnet` decides by rule.

    `stem_stride` pixels become one place; `widths` are the channels of the stages, each of which halves the map;
    `depth` convolutions stand in each stage's residual block.
    """

    channels_in: int
    classes: int
    stem_kernel: int
    stem_stride: int
    stem_width: int
    widths: tuple[int, ...]
    depth: int


def shape_for(channels_in: int, classes: int, *, image_size: int, width: int = 64, depth: int = 1) -> Shape:
    """Decide the sizes of a network for images of `image_size` pixels.

    The stem brings images above 64 px down to a map of 32 to 64 places; stages halve it until 3 to 6 are left. The
    first stage is `width` wide, where maps are large and each channel is dear; later ones four times that, or twice,
    four and eight times where there are four.

    Raises: SettingError for sizes that cannot work.  Source: `docs/decisions/network.md`; tips W4.2, K4.5.

    >>> shape_for(3, 10, image_size=32).widths, shape_for(1, 10, image_size=8).widths
    ((64, 256, 256), (64, 256))
    >>> shape_for(3, 10, image_size=224).stem_stride
    4
    """
    check_sizes(channels_in=channels_in, classes=classes, image_size=image_size, smallest=8)
    if width < 4 or width % 2 or depth < 1:
        raise SettingError(
            f"A network of width {width} and depth {depth} was asked for.",
            expected="an even width of 4 or more, and a depth of 1 or more.",
            remedy="leave them out: the budget decides.",
        )
    stride = 1
    while image_size / stride > 64:
        stride *= 2
    kernel = max(2, stride)
    while channels_in * kernel * kernel < 9:  # grey images have too few numbers in a 2x2 patch to tell edges apart
        kernel += 1
    places = (image_size - kernel) // stride + 1
    stages = max(2, min(4, (places // 3).bit_length() - 1))
    growth = (1, 2, 4, 8) if stages == 4 else (1, 4, 4)[:stages]
    return Shape(
        channels_in=channels_in, classes=classes, stem_kernel=kernel, stem_stride=stride,
        stem_width=2 * min(16, channels_in * kernel * kernel), widths=tuple(width * g for g in growth), depth=depth,
    )  # fmt: skip


def resnet(  # noqa: PLR0913  each option is a key of a recipe, known by its name
    channels_in: int,
    classes: int,
    *,
    image_size: int,
    width: int = 64,
    depth: int = 1,
    norm: str = "auto",
    activation: str = "relu",
    initialization: str = "default",
    dropout: float = 0.0,
    spatial_dropout: float = 0.0,
    drop_path: float = 0.0,
    separable: bool = False,
    pool: str = "early",
    whitening: str = "none",
) -> "ResNet":
    """Make the network that `shape_for` decides, of the parts that `Parts` explains.

    With `whitening` "pca" or "zca" whole images are whitened before all else, once `fit_preprocessing_` has measured
    them; they must be square then, and small. Call `fit_stem_` with training images before training; without, the stem
    keeps random orthogonal filters.

    Raises: SettingError for sizes that cannot work, unknown names, and shares outside [0, 1).

    >>> resnet(3, 10, image_size=32)(torch.randn(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    >>> resnet(3, 10, image_size=32, norm="group", activation="tanh", drop_path=0.1).stages[1].units[0]
    Unit(
      (0): Conv2d(64, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
      (1): GroupNorm(32, 64, eps=1e-05, affine=True...)
      (2): Tanh()
    )
    """
    shape = shape_for(channels_in, classes, image_size=image_size, width=width, depth=depth)
    parts = Parts(
        norm=norm, activation=activation, initialization=initialization, dropout=dropout,
        spatial_dropout=spatial_dropout, drop_path=drop_path, separable=separable, pool=pool,
    )  # fmt: skip
    smallest = ((image_size - shape.stem_kernel) // shape.stem_stride + 1) >> len(shape.widths)
    if norm == "instance" and smallest < 2:
        raise SettingError(
            f"Instance normalisation of images of {image_size} pixels: the last map is {smallest} by {smallest}.",
            expected="two places or more, or every value is its own mean.",
            remedy="group, or larger images.",
        )
    model = ResNet(shape, parts=parts)
    if whitening != "none":
        model.whitening = ImageWhitening(whitening, channels=channels_in, size=(image_size, image_size))
    return model


class Unit(nn.Sequential):
    """Convolution, pooling where asked, normalisation, ReLU; the pooling first saves three quarters of the rest (L8).

    Other `parts` take other ones in their places, or pool last.

    Shapes: (n, i, h, w) to (n, o, h, w), or half of h and w rounded down.

    >>> Unit(8, 16, pool=True)(torch.randn(2, 8, 7, 7)).shape
    torch.Size([2, 16, 3, 3])
    """

    def __init__(self, channels_in: int, channels_out: int, *, pool: bool = False, parts: Parts = _PARTS) -> None:
        """Begin the convolution as the identity."""
        convolution = parts.convolution_of(channels_in, channels_out)
        behind = (parts.norm_of(channels_out), parts.activation_of(channels_out))
        pooling = (nn.MaxPool2d(2),) if pool else ()
        super().__init__(convolution, *((*pooling, *behind) if parts.pool == "early" else (*behind, *pooling)))


class Residual(nn.Module):
    """`x + f(x)` with f of one or more units: the signal passes whatever f has learnt so far.

    In training f is left out for a sample with probability `drop_prob`.

    Shapes: (n, c, h, w) to the same.  Source: He et al. 2015; Huang et al. 2016.

    >>> Residual(Unit(8, 8))(torch.randn(2, 8, 4, 4)).shape
    torch.Size([2, 8, 4, 4])
    """

    def __init__(self, *units: nn.Module, drop_prob: float = 0.0) -> None:
        """Chain the units."""
        super().__init__()
        self.units = nn.Sequential(*units)
        self.drop_prob = drop_prob

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Add what the units found."""
        if self.drop_prob:
            return add_drop_path(x, self.units(x), drop_prob=self.drop_prob, training=self.training)
        out: Tensor = x + self.units(x)
        return out


class ResNet(nn.Module):
    """The network of a `Shape`; `resnet` makes both.

    Shapes: (n, c, h, w) to (n, classes), for images of about the size that the shape was decided for.

    >>> model = ResNet(shape_for(1, 10, image_size=8))
    >>> model(torch.randn(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """

    def __init__(self, shape: Shape, *, parts: Parts = _PARTS) -> None:
        """Build the layers."""
        super().__init__()
        self.shape = shape
        self.parts = parts
        self.whitening: nn.Module = nn.Identity()
        self.stem = nn.Conv2d(
            shape.channels_in, shape.stem_width, shape.stem_kernel, stride=shape.stem_stride, bias=False
        )
        set_orthogonal_(self.stem)
        self.stem.requires_grad_(False)  # noqa: FBT003  torch's positional flag
        self.rectify = parts.activation_of(shape.stem_width)
        self.stages = nn.Sequential(*_stages(shape.stem_width, shape.widths, depth=shape.depth, parts=parts))
        self.dropout = nn.Dropout(parts.dropout) if parts.dropout else nn.Identity()
        self.head = ScaledLinear(shape.widths[-1], shape.classes, factor=_HEAD_FACTOR)
        parts.initialize_(self.stages, self.head)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Give the logits."""
        features: Tensor = self.stages(self.rectify(self.stem(self.whitening(images))))
        out: Tensor = self.head(self.dropout(features.amax((2, 3))))
        return out


def fit_stem_(model: ResNet, images: Float[Tensor, "n c h w"]) -> None:
    """Fill the stem with the whitening filters of `images`: a few thousand normalised training images are plenty.

    Where weights begin by the data, the convolutions behind it are scaled to these images, too (S12). In place.
    Images larger or smaller than those of training do no harm.

    >>> model = resnet(3, 10, image_size=32)
    >>> fit_stem_(model, torch.randn(8, 3, 32, 32))
    >>> torch.equal(model.stem.weight[:12], -model.stem.weight[12:])
    True
    """
    at = model.stem.weight.device
    if isinstance(model.whitening, ImageWhitening):
        with torch.no_grad():
            images = model.whitening(images.to(at))
    set_whitening_(model.stem, images)
    if model.parts.initialization == "data-dependent":
        with torch.no_grad():
            features = model.rectify(model.stem(images[:_SCALING_IMAGES].to(at)))
        scale_to_data_(model.stages, features)


def _stages(channels_in: int, widths: Sequence[int], *, depth: int, parts: Parts) -> list[nn.Module]:
    stages: list[nn.Module] = []
    for width, skipped in zip(widths, linear_drop_probs(len(widths), parts.drop_path), strict=True):
        if stages and parts.spatial_dropout:
            stages.append(SpatialDropout(parts.spatial_dropout))
        units = (Unit(width, width, parts=parts) for _ in range(depth))
        stages += [Unit(channels_in, width, pool=True, parts=parts), Residual(*units, drop_prob=skipped)]
        channels_in = width
    return stages


@torch.no_grad()
def set_orthogonal_(stem: nn.Conv2d) -> None:
    """Begin with random orthogonal filters and their negatives: the whitening of images without any structure.

    In place. The layer has an even number of channels out.

    >>> stem = nn.Conv2d(1, 4, 2, bias=False)
    >>> set_orthogonal_(stem)
    >>> torch.equal(stem.weight[:2], -stem.weight[2:])
    True
    """
    half = stem.out_channels // 2
    filters = torch.empty_like(stem.weight[:half])
    nn.init.orthogonal_(filters)
    stem.weight.copy_(torch.cat([filters, -filters]))
