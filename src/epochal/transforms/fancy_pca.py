"""Fancy PCA: shifting the colour of an image the way the colours of all images vary."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.distributions import normal

Scale: TypeAlias = Literal["eigenvalue", "deviation"]


def pca_shifted(
    images: Float[Tensor, "n c h w"],
    alpha: Float[Tensor, "n c"],
    *,
    eigenvectors: Sequence[Sequence[float]],
    eigenvalues: Sequence[float],
    std: Sequence[float],
    scale: Scale = "eigenvalue",
) -> Float[Tensor, "n c h w"]:
    """Shift all pixels of an image along the main colours of the training set: `x + P (alpha * lambda)`.

    P and lambda come from the covariance of all training pixels, measured in [0, 1]. "eigenvalue" is the paper's
    formula; "deviation" takes sqrt(lambda) instead, as a line of published programs does, and shifts further. Nothing
    is clipped: the shift is the same for every pixel of an image.

    Shapes: n images of c channels, 3 for colour; column k of `eigenvectors` belongs to `eigenvalues[k]`.
    Units: eigenvalues of colours in [0, 1]: those of 0-255 are 65,025 times as large, and are refused. The images are
    normalised by `std`.
    Raises: SettingError where the eigenvalues cannot be those of colours in [0, 1], or have another size.
    Source: Krizhevsky et al. 2012, section 4.1; tip W1.3.

    >>> axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    >>> alpha = torch.tensor([[0.1, 0.0, 0.0]])
    >>> pca_shifted(
    ...     torch.zeros(1, 3, 1, 1), alpha, eigenvectors=axes, eigenvalues=[0.2, 0.0, 0.0], std=[0.5] * 3
    ... ).flatten()
    tensor([0.0400, 0.0000, 0.0000])
    """
    _check(eigenvectors, eigenvalues, std=std, channels=images.shape[1])
    values = torch.tensor(eigenvalues, dtype=torch.float64)
    lengths = values.sqrt() if scale == "deviation" else values
    shifts = (alpha.double().cpu() * lengths) @ torch.tensor(eigenvectors, dtype=torch.float64).T
    spread = torch.tensor([each if each > 0 else 1.0 for each in std], dtype=torch.float64)
    return images + (shifts / spread).to(images)[:, :, None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class FancyPCA:
    """Shift the colour of each image by `P (alpha * lambda)`, alpha drawn from N(0, sigma) once per image and epoch.

    Units: eigenvalues of colours in [0, 1], see `pca_shifted`; `std` is that by which the images were normalised.
    Raises: SettingError if `sigma` is below 0, or where the eigenvalues cannot be those of colours in [0, 1].
    Source: Krizhevsky et al. 2012, section 4.1; tip W1.3.

    >>> axes = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    >>> pca = FancyPCA(eigenvectors=axes, eigenvalues=(0.2, 0.02, 0.005), std=(0.25,) * 3)
    >>> batch = Batch(images=torch.rand(2, 3, 8, 8), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> moved = pca(batch).images - batch.images
    >>> torch.allclose(moved, moved[:, :, :1, :1].expand_as(moved), atol=1e-6)  # one shift for all pixels
    True
    """

    eigenvectors: tuple[tuple[float, ...], ...]
    eigenvalues: tuple[float, ...]
    std: tuple[float, ...]
    sigma: float = 0.1
    scale: Scale = "eigenvalue"

    def __post_init__(self) -> None:
        """Refuse the eigenvalues of other units."""
        if not self.sigma >= 0:
            raise SettingError(f"Sigma is {self.sigma}.", expected="0 or more.", remedy="0.1, the paper's choice.")
        _check(self.eigenvectors, self.eigenvalues, std=self.std, channels=len(self.eigenvalues))

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with the colour of each image shifted by a draw of its own."""
        channels = len(self.eigenvalues)
        alpha = self.sigma * normal(batch.index, channels, seed=batch.seed, epoch=batch.epoch, stream="fancy-pca")
        images = pca_shifted(
            batch.images, alpha, eigenvectors=self.eigenvectors, eigenvalues=self.eigenvalues, std=self.std,
            scale=self.scale,
        )  # fmt: skip
        return batch.replace(images=images)


def _check(
    eigenvectors: Sequence[Sequence[float]], eigenvalues: Sequence[float], *, std: Sequence[float], channels: int
) -> None:
    square = len(eigenvectors) == channels and all(len(row) == channels for row in eigenvectors)
    if not square or len(eigenvalues) != channels or len(std) != channels:
        raise SettingError(
            f"{len(eigenvalues)} eigenvalues and {len(std)} std meet images of {channels} channels.",
            expected=f"{channels} of each, and {channels} eigenvectors as columns.",
            remedy="measure the PCA on the colours of these very images.",
        )
    if not all(each >= 0 for each in eigenvalues) or not sum(eigenvalues) <= channels / 4:
        raise SettingError(
            f"The eigenvalues of colour are {tuple(eigenvalues)}.",
            expected=f"0 or more, and together at most {channels / 4}: a channel within [0, 1] varies by 1/4 at most.",
            remedy="divide the eigenvalues of 0-255 colours by 65025.",
        )
