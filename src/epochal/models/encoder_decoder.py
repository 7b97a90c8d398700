"""A network that answers for each pixel: an encoder, a decoder by name, and logits enlarged to the image.

    image → padded to whole strides → encoder → maps at strides 4 to 32 → decoder → 1x1 convolution → enlarged 4 times

The decoders are those of `epochal.models.decoder`. Images of any size from 32 pixels up are taken, whatever the size
the network was made for.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from epochal.layers.upsampling import enlarged
from epochal.models.decoder import decoder
from epochal.models.encoder import FINEST, Encoder, encoder_shape_for, fit_encoder_
from epochal.models.parts import Parts
from epochal.models.simple import check_sizes

WIDTH, HEAD = 64, "fpn"
_DECODER_WIDTH = 2  # times the encoder's width at its finest map
_LOGIT_DEVIATION = 0.01  # first predictions within a few hundredths of the prior, and gradients for every layer


def encoder_decoder(  # noqa: PLR0913  each option is a key of a recipe, known by its name
    channels_in: int,
    classes: int,
    *,
    image_size: int,
    width: int = WIDTH,
    depth: int = 1,
    head: str = HEAD,
    norm: str = "auto",
    activation: str = "relu",
    initialization: str = "default",
    dropout: float = 0.0,
    spatial_dropout: float = 0.0,
    drop_path: float = 0.0,
    separable: bool = False,
    pool: str = "early",
) -> "EncoderDecoder":
    """Make the network for images whose longer side is about `image_size` pixels.

    `width` is that of the encoder's finest map, a multiple of 8; `depth` is the convolutions in each of its residual
    blocks; `head` is a name of `epochal.models.decoder.DECODERS`; the encoder is made of the parts that `Parts`
    explains, whose normalisation, initialisation and dropout are the decoder's, too. Call `fit_stem_` with training
    images first.

    Raises: SettingError for sizes that cannot work, unknown names, and shares outside [0, 1).

    >>> import torch
    >>> encoder_decoder(3, 11, image_size=64, width=8, head="pan")(torch.randn(2, 3, 48, 61)).shape
    torch.Size([2, 11, 48, 61])
    """
    check_sizes(channels_in=channels_in, classes=classes, image_size=image_size)
    shape = encoder_shape_for(channels_in, image_size=image_size, width=width, depth=depth)
    parts = Parts(
        norm=norm, activation=activation, initialization=initialization, dropout=dropout,
        spatial_dropout=spatial_dropout, drop_path=drop_path, separable=separable, pool=pool,
    )  # fmt: skip
    return EncoderDecoder(Encoder(shape, parts=parts), classes, image_size=image_size, head=head)


class EncoderDecoder(nn.Module):
    """An encoder with a decoder and a last layer behind it; `encoder_decoder` makes all three.

    Shapes: (n, c, h, w) to (n, classes, h, w), h and w 32 or more.

    >>> import torch
    >>> model = EncoderDecoder(Encoder(encoder_shape_for(1, image_size=32, width=8)), 2, image_size=32)
    >>> model(torch.randn(1, 1, 32, 32)).shape
    torch.Size([1, 2, 32, 32])
    """

    def __init__(self, encoder: Encoder, classes: int, *, image_size: int, head: str = HEAD) -> None:
        """Build the rest; the layer that makes the logits is defined last."""
        super().__init__()
        shape, parts = encoder.shape, encoder.parts
        width = _DECODER_WIDTH * shape.widths[0]
        norm = "batch" if parts.norm == "auto" else parts.norm
        self.encoder = encoder
        self.decoder = decoder(head, shape.widths, width=width, places=-(-image_size // shape.coarsest), norm=norm)
        self.dropout = nn.Dropout(parts.dropout) if parts.dropout else nn.Identity()
        self.head = nn.Conv2d(width, classes, 1)
        nn.init.normal_(self.head.weight, std=_LOGIT_DEVIATION)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)
        parts.initialize_(self.decoder, self.head)

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k h w"]:
        """Give the logits of each pixel."""
        height, width = images.shape[2:]
        features = self.decoder(self.encoder(padded(images, self.encoder.shape.coarsest)))
        logits = self.head(self.dropout(features))
        return enlarged(logits, FINEST)[:, :, :height, :width]


def padded(images: Float[Tensor, "n c h w"], multiple: int) -> Float[Tensor, "n c H W"]:
    """Repeat the last row and column until both sides are multiples of `multiple`.

    >>> import torch
    >>> padded(torch.ones(1, 1, 33, 64), 32).shape
    torch.Size([1, 1, 64, 64])
    """
    below, right = -images.shape[2] % multiple, -images.shape[3] % multiple
    if not below and not right:
        return images
    return F.pad(images, (0, right, 0, below), mode="replicate")


def fit_stem_(model: EncoderDecoder, images: Float[Tensor, "n c h w"]) -> None:
    """Fill the stem with the whitening filters of `images`, normalised as in training. In place.

    >>> import torch
    >>> model = encoder_decoder(3, 2, image_size=32, width=8)
    >>> before = model.encoder.stem.weight.clone()
    >>> fit_stem_(model, torch.randn(4, 3, 32, 32))
    >>> torch.equal(before, model.encoder.stem.weight)
    False
    """
    fit_encoder_(model.encoder, images)
