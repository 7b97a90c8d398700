"""Whitening of whole images as the first layer of a network: measured on training images, saved with the weights.

Each image is a row of d = c h w numbers. PCA whitening gives its coordinates along the principal directions of all
images, each of variance 1; ZCA turns them back, so that what comes out still looks like the image. Photographs rarely
gain by it (tip W2.4), and it costs d^2 multiplications an image.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from epochal.errors import SettingError
from epochal.stats.pca import Covariance, Kind, Whitening, principal_components, whitening

MOST_NUMBERS = 4096  # of an image: the matrix then takes 64 MB beside the weights, its eigenvectors a minute
# Of the largest variance, which in standardised photographs of 32x32 is some 900: the 0.1 that is usual for ZCA there.
# Directions below it are noise, and are left quiet.
_FLOOR = 1e-4


class ImageWhitening(nn.Module):
    """`W (x - mean)` over the whole image: nothing to learn, nothing changed until `fit_preprocessing_` has measured.

    What comes out has the shape of the image. For "zca" it is an image, for "pca" places mean nothing any more: row by
    row, channel by channel, the coordinates from the loudest to the quietest.

    Shapes: (n, c, h, w) to the same.  Units: the images as the network receives them.
    Raises: SettingError for an unknown kind, for images that are too large, or of another shape.  Source: tip W2.3.

    >>> layer = ImageWhitening("zca", channels=3, size=(8, 8))
    >>> images = torch.randn(2000, 3, 8, 8) * torch.linspace(1, 3, 8)
    >>> _ = fit_preprocessing_(layer, images)
    >>> layer(images).std((0, 1, 2)).round(decimals=1)
    tensor([1., 1., 1., 1., 1., 1., 1., 1.])
    """

    mean: Tensor
    matrix: Tensor

    def __init__(self, kind: str, *, channels: int, size: tuple[int, int]) -> None:
        """Begin as what changes nothing."""
        super().__init__()
        numbers = channels * math.prod(size)
        if kind not in {"pca", "zca"}:
            raise SettingError.unknown("whitening", kind, known=("pca", "zca"))
        if not 1 <= numbers <= MOST_NUMBERS:
            raise SettingError(
                f"Whitening of images of {size[1]} x {size[0]} pixels, {channels} channels: {numbers:,} numbers each.",
                expected=f"at most {MOST_NUMBERS:,}, whose matrix takes 64 MB.",
                remedy="smaller images (data.image_size=32), or preprocessing.name=standardize.",
            )
        self.kind = kind
        self.shape = (channels, *size)
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("matrix", torch.eye(numbers))

    def forward(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Whiten images, in float32 also where the network computes in less: quiet directions are amplified."""
        if tuple(images.shape[1:]) != self.shape:
            raise SettingError(
                f"Images of shape {tuple(images.shape[1:])} meet a whitening of {self.shape}.",
                expected="channels, height and width as in training.",
                remedy="resize the images to that.",
            )
        with torch.autocast(images.device.type, enabled=False):
            rows = images.flatten(1).to(self.matrix.dtype) - self.mean
            out: Tensor = F.linear(rows, self.matrix)
        return out.view(-1, *self.shape).to(images.dtype)

    @torch.no_grad()
    def undo(self, whitened: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Back to the images, to draw what the network saw (K2.10).

        >>> layer = ImageWhitening("zca", channels=1, size=(1, 2))
        >>> layer.undo(layer(torch.tensor([[[[1.0, 2.0]]]])))
        tensor([[[[1., 2.]]]])
        """
        rows: Tensor = torch.linalg.solve(self.matrix.double(), whitened.flatten(1).double().T).T + self.mean.double()
        return rows.view(-1, *self.shape).to(whitened.dtype)

    def extra_repr(self) -> str:
        """Show the kind and the shape of images."""
        return f"{self.kind!r}, shape={self.shape}"


@torch.no_grad()
def fit_preprocessing_(
    model: nn.Module, images: Float[Tensor, "n c h w"] | Iterable[Float[Tensor, "n c h w"]]
) -> Whitening | None:
    """Measure the whitening that a network begins with on training images; None where it begins with none.

    `images` are one batch, or batches as they come: no more than one, and the covariance, is kept in memory. In place.

    Raises: SettingError where no image is given, or one is not finite.  Source: tip W2.3.

    >>> model = nn.Sequential(ImageWhitening("pca", channels=1, size=(2, 2)), nn.Flatten(), nn.Linear(4, 2))
    >>> found = fit_preprocessing_(model, (torch.randn(50, 1, 2, 2) for _ in range(3)))
    >>> found.kind, fit_preprocessing_(nn.Linear(4, 2), torch.zeros(1, 1, 2, 2))
    ('pca', None)
    """
    layer = next((each for each in model.modules() if isinstance(each, ImageWhitening)), None)
    if layer is None:
        return None
    kind: Kind = "pca" if layer.kind == "pca" else "zca"
    batches: Iterable[Any] = (images,) if isinstance(images, Tensor) else images
    parts = (Covariance.of(batch.detach().flatten(1).cpu().double().numpy()) for batch in batches)
    covariance = Covariance.pooled(parts, size=len(layer.mean))
    found = whitening(principal_components(covariance), kind=kind, eps=_FLOOR)
    layer.mean.copy_(torch.from_numpy(found.mean))
    layer.matrix.copy_(torch.from_numpy(found.matrix))
    return found
