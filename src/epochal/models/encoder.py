"""The first half of a dense network: maps of an image at strides 4, 8, 16 and 32, for decoders to read.

    image → whitening stem, frozen → stride 2 → [convolution, pool, norm, ReLU → residual block] x levels → a map each

It is made as `epochal.models.resnet` is, for the same reasons: pooling straight behind a convolution, few wide
convolutions, convolutions that begin as the identity, first filters that whiten patches and are not trained.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.layers.dropout import SpatialDropout, linear_drop_probs
from epochal.layers.scaling import scale_to_data_
from epochal.layers.whitening import set_whitening_
from epochal.models.parts import Parts
from epochal.models.resnet import Residual, Unit, set_orthogonal_
from epochal.models.simple import check_sizes

SMALLEST = 32  # pixels of a side
FINEST = 4  # stride of the finest map
_STEM_STRIDE = 2
_GROWTH = (1, 2, 4, 4)  # widths of the levels; see docs/decisions/segmentation-network.md
_LEAST_PLACES = 4  # along the longer side of the coarsest map
_PATCHES = 2_000_000  # enough for the moments of a stem
_PARTS = Parts()


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderShape:
    """Sizes of an `Encoder`: all that `encoder_shape_for` decides.

    `widths` are the channels of the maps, finest first; `depth` convolutions stand in each residual block.
    """

    channels_in: int
    stem_kernel: int
    stem_width: int
    widths: tuple[int, ...]
    depth: int

    @property
    def coarsest(self) -> int:
        """Stride of the coarsest map, of which image sizes are multiples once they are padded.

        >>> encoder_shape_for(3, image_size=256).coarsest
        32
        """
        return FINEST << (len(self.widths) - 1)


def encoder_shape_for(channels_in: int, *, image_size: int, width: int = 64, depth: int = 1) -> EncoderShape:
    """Decide the sizes of an encoder for images whose longer side is `image_size` pixels.

    Four levels, or fewer where the coarsest map would have less than 4 places along the longer side. The finest is
    `width` wide, the next twice that, the others four times.

    Raises: SettingError for sizes that cannot work.  Source: `docs/decisions/segmentation-network.md`.

    >>> encoder_shape_for(3, image_size=256).widths, encoder_shape_for(3, image_size=64).widths
    ((64, 128, 256, 256), (64, 128, 256))
    """
    check_sizes(channels_in=channels_in, classes=1, image_size=image_size, smallest=SMALLEST)
    if width < 8 or width % 8 or depth < 1:
        raise SettingError(
            f"An encoder of width {width} and depth {depth} was asked for.",
            expected="a multiple of 8 for the width, and a depth of 1 or more.",
            remedy="leave them out: the budget decides.",
        )
    kernel = 2
    while channels_in * kernel * kernel < 9:  # grey images have too few numbers in a 2x2 patch to tell edges apart
        kernel += 1
    levels = min(len(_GROWTH), (image_size // (FINEST * _LEAST_PLACES)).bit_length())
    return EncoderShape(
        channels_in=channels_in, stem_kernel=kernel, stem_width=2 * min(16, channels_in * kernel * kernel),
        widths=tuple(width * growth for growth in _GROWTH[:levels]), depth=depth,
    )  # fmt: skip


class Encoder(nn.Module):
    """The encoder of an `EncoderShape`, made of the same `Parts` as the residual network.

    Call `fit_encoder_` with training images before training; without, the stem keeps random orthogonal filters.

    Shapes: (n, c, h, w), h and w multiples of the coarsest stride, to maps (n, widths[k], h / s_k, w / s_k), finest
    first, with s_k = 4, 8, 16, 32.

    >>> model = Encoder(encoder_shape_for(3, image_size=64, width=8))
    >>> [tuple(each.shape) for each in model(torch.randn(1, 3, 64, 48))]
    [(1, 8, 16, 12), (1, 16, 8, 6), (1, 32, 4, 3)]
    """

    def __init__(self, shape: EncoderShape, *, parts: Parts = _PARTS) -> None:
        """Build the stem and the levels."""
        super().__init__()
        self.shape, self.parts = shape, parts
        kernel, spare = shape.stem_kernel, shape.stem_kernel - _STEM_STRIDE
        self.border = nn.ReplicationPad2d((0, spare, 0, spare)) if spare else nn.Identity()
        self.stem = nn.Conv2d(shape.channels_in, shape.stem_width, kernel, stride=_STEM_STRIDE, bias=False)
        set_orthogonal_(self.stem)
        self.stem.requires_grad_(False)  # noqa: FBT003  torch's positional flag
        self.rectify = parts.activation_of(shape.stem_width)
        self.levels = nn.Sequential(*_levels(shape, parts=parts))
        parts.initialize_(self.levels)

    def forward(self, images: Float[Tensor, "n c h w"]) -> list[Float[Tensor, "n _ _ _"]]:
        """Give the maps, finest first."""
        x: Tensor = self.rectify(self.stem(self.border(images)))
        maps: list[Tensor] = []
        for level in self.levels:
            x = level(x)
            maps.append(x)
        return maps


def fit_encoder_(encoder: Encoder, images: Float[Tensor, "n c h w"]) -> None:
    """Fill the stem with the whitening filters of `images`, as training sees them: a few dozen are plenty.

    Of more images than make two million patches, an even selection is looked at. Where weights begin by the data, the
    convolutions behind are scaled to these images, too (S12). In place.

    >>> encoder = Encoder(encoder_shape_for(3, image_size=64, width=8))
    >>> fit_encoder_(encoder, torch.randn(4, 3, 64, 64))
    >>> torch.equal(encoder.stem.weight[:12], -encoder.stem.weight[12:])
    True
    """
    every = max(1, images.shape[0] * images.shape[2] * images.shape[3] // _PATCHES)
    set_whitening_(encoder.stem, images[::every])
    if encoder.parts.initialization == "data-dependent":
        with torch.no_grad():
            features = encoder.rectify(encoder.stem(encoder.border(images[::every])))
        scale_to_data_(encoder.levels, features)


def _levels(shape: EncoderShape, *, parts: Parts) -> Iterator[nn.Module]:
    entering = shape.stem_width
    for width, skipped in zip(shape.widths, linear_drop_probs(len(shape.widths), parts.drop_path), strict=True):
        units = (Unit(width, width, parts=parts) for _ in range(shape.depth))
        layers = [Unit(entering, width, pool=True, parts=parts), Residual(*units, drop_prob=skipped)]
        if parts.spatial_dropout and entering != shape.stem_width:
            layers.insert(0, SpatialDropout(parts.spatial_dropout))
        yield nn.Sequential(*layers)
        entering = width
