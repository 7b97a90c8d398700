"""Networks by name: what a recipe says and a saved model remembers.

The dense ones map (n, c, h, w) to (n, outputs, h, w), the others to (n, outputs).
"""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.models import encoder_decoder as dense
from epochal.models import resnet as residual
from epochal.models.linear_pixels import LinearPixels
from epochal.models.simple import LinearClassifier, SmallConvNet
from epochal.models.small_dense import small_dense_net

NETWORKS: Mapping[str, Callable[..., nn.Module]] = MappingProxyType(
    {
        "linear": LinearClassifier,
        "small": SmallConvNet,
        "resnet": residual.resnet,
        "small-dense": small_dense_net,
        "encoder-decoder": dense.encoder_decoder,
        "linear-pixels": LinearPixels,
    }
)

_GIVEN = frozenset({"channels_in", "classes", "image_size"})


def build(  # noqa: PLR0917  the signature of all builders, behind a name
    name: str, channels_in: int, outputs: int, *, image_size: int, **options: Any
) -> nn.Module:
    """Make the network called `name`, with fresh weights; `options` are those of its builder.

    `image_size` is the longer side of the images.

    Raises: SettingError for an unknown name or option, or sizes that cannot work.

    >>> import torch
    >>> build("encoder-decoder", 3, 11, image_size=64, width=8, head="ppm")(torch.randn(1, 3, 64, 64)).shape
    torch.Size([1, 11, 64, 64])
    """
    if name not in NETWORKS:
        raise SettingError.unknown("network", name, known=NETWORKS)
    builder = NETWORKS[name]
    known = [each for each in inspect.signature(builder).parameters if each not in _GIVEN]
    for option in options:
        if option not in known:
            raise SettingError.unknown(f"option of the network {name}", option, known=known)
    return builder(channels_in=channels_in, classes=outputs, image_size=image_size, **options)


def fit_stem_(model: nn.Module, images: Float[Tensor, "n c h w"]) -> bool:
    """Fit the first filters of a network that measures them from training images; False where it learns them.

    >>> import torch
    >>> images = torch.randn(4, 3, 32, 32)
    >>> [fit_stem_(build(name, 3, 2, image_size=32), images) for name in ("small", "resnet", "encoder-decoder")]
    [False, True, True]
    """
    if isinstance(model, residual.ResNet):
        residual.fit_stem_(model, images)
    elif isinstance(model, dense.EncoderDecoder):
        dense.fit_stem_(model, images)
    else:
        return False
    return True
