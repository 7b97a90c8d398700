"""Centring, scaling and whitening of batches by statistics of the training split, and the way back for drawing.

Every preparation here is a value: tensors that `state` names and `restored` takes again, so that they are saved beside
the weights and `predict` cannot prepare images otherwise than `train` did. Statistics come from `epochal.stats`, of
images with channels last; `white` says which of their values is 1 in the batch (255 for statistics of bytes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.stats.moments import Moments
from epochal.stats.pca import Whitening

PREPROCESSINGS = ("standardize", "center", "minus-one-to-one", "pca-whitening", "zca")
WHITENINGS: Mapping[str, str] = {"pca-whitening": "pca", "zca": "zca"}  # as `epochal.layers.image_whitening` calls them
_LEAST_STD = 1e-3  # a quarter of a step of 8 bits: what varies less is not blown up


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Affine:
    """Shift, then scale: `(x - shift) / scale`, one number per channel or one per pixel and channel; `kind` says why.

    Shapes: shift and scale (c, 1, 1) per channel, or (c, h, w).  Source: tips W2.1, W2.2.

    >>> batch = Batch(images=torch.ones(1, 1, 1, 2), labels=torch.tensor([0]), index=torch.tensor([0]), seed=0)
    >>> Affine(shift=torch.full((1, 1, 1), 0.5), scale=torch.full((1, 1, 1), 0.25))(batch).images
    tensor([[[[2., 2.]]]])
    """

    kind: ClassVar[str] = "affine"
    shift: Float[Tensor, "c #h #w"]
    scale: Float[Tensor, "c #h #w"]

    def apply(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Prepare images.

        Raises: SettingError where the images are of another shape than those measured.
        """
        _check_shape(images, wanted=tuple(self.shift.shape))
        return (images - self.shift.to(images)) / self.scale.to(images)

    def undo(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Back to what an eye can see (K2.10)."""
        return images * self.scale.to(images) + self.shift.to(images)

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with prepared images."""
        return batch.replace(images=self.apply(batch.images))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whiten:
    """Take out what pixels tell of each other: `W (x - mean)` over the whole image, channels last.

    ZCA gives images, PCA coordinates as (n, k, 1, 1).

    Shapes: mean (d), matrix (k, d), inverse (d, k); d = h w c, and (h, w, c) is the shape.  Source: tip W2.3.

    >>> one = torch.ones(1); two = torch.full((1, 1), 2.0)
    >>> Whiten(mean=one, matrix=two, inverse=two / 4, shape=(1, 1, 1)).apply(torch.full((1, 1, 1, 1), 3.0)).item()
    4.0
    """

    kind: ClassVar[str] = "whiten"
    mean: Float[Tensor, " d"]
    matrix: Float[Tensor, "k d"]
    inverse: Float[Tensor, "d k"]
    shape: tuple[int, int, int]

    def apply(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k p q"]:
        """Whiten images, in float32 or wider; the result has the images' dtype.

        Raises: SettingError where the images are of another shape than those measured.
        """
        height, width, channels = self.shape
        _check_shape(images, wanted=(channels, height, width))
        wide = self._wide(images)
        rows = images.permute(0, 2, 3, 1).flatten(1).to(wide)
        rows = (rows - self.mean.to(images.device, wide)) @ self.matrix.to(images.device, wide).T
        return self._shaped(rows.to(images.dtype), whole=len(self.matrix) == len(self.mean))

    def undo(self, images: Float[Tensor, "n k p q"]) -> Float[Tensor, "n c h w"]:
        """Back to what an eye can see; what the whitening left out stays out."""
        wide = self._wide(images)
        rows = images.permute(0, 2, 3, 1).flatten(1).to(wide)
        rows = rows @ self.inverse.to(images.device, wide).T + self.mean.to(images.device, wide)
        return self._shaped(rows.to(images.dtype), whole=True)

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with whitened images."""
        return batch.replace(images=self.apply(batch.images))

    def _wide(self, images: Tensor) -> torch.dtype:
        return torch.float64 if images.dtype == torch.float64 else torch.float32

    def _shaped(self, rows: Tensor, *, whole: bool) -> Tensor:
        shape = self.shape if whole else (1, 1, rows.shape[1])
        return rows.reshape(len(rows), *shape).permute(0, 3, 1, 2)


Preparation: TypeAlias = Affine | Whiten


def channel_scaling(name: str, moments: Moments) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give the (mean, std) of each channel by which the loader prepares images: `(x - mean) / std`, by name.

        standardize       mean and deviation, the latter at least a thousandth; what whitenings start from, too
        center            mean and 1
        minus-one-to-one  middle and half of the range, so that the lowest value becomes -1 and the highest 1

    Units: `moments` of colours in [0, 1], of the training split alone, and so the result.
    Raises: SettingError for an unknown name, or moments of nothing.  Source: tips W2.1, W2.2.

    >>> moments = Moments.of(np.array([[[0.0], [1.0], [0.2]]]))
    >>> channel_scaling("minus-one-to-one", moments), channel_scaling("center", moments)
    (((0.5,), (0.5,)), ((0.4,), (1.0,)))
    """
    if name not in PREPROCESSINGS:
        raise SettingError.unknown("preprocessing", name, known=PREPROCESSINGS)
    if not moments.count:
        raise SettingError("The statistics are of no image.", expected="training images.", remedy="add some.")
    if name == "minus-one-to-one":
        half = (moments.highest - moments.lowest) / 2
        middle, half = (moments.lowest + moments.highest) / 2, np.where(half > 0, half, 1.0)
        return tuple(middle.tolist()), tuple(half.tolist())
    std = np.ones_like(moments.std) if name == "center" else np.maximum(moments.std, _LEAST_STD)
    return tuple(moments.mean.tolist()), tuple(std.tolist())


def centering(moments: Moments, *, shape: Sequence[int] = (), white: float = 255.0) -> Affine:
    """Subtract the mean: per channel, or the mean image where `moments` are of flattened images of `shape` (h, w, c).

    Raises: SettingError where the moments are of nothing, not finite, or of another size than `shape`.
    Source: tip W2.1; the mean image: Krizhevsky et al. 2012; per channel: Simonyan and Zisserman 2015.

    >>> centering(Moments.of(np.array([[[0], [255]]], dtype=np.uint8))).apply(torch.ones(1, 1, 1, 1)).item()
    0.5
    """
    mean = _laid_out(moments.mean / white, moments=moments, shape=shape)
    return Affine(shift=mean, scale=torch.ones_like(mean))


def standardization(moments: Moments, *, shape: Sequence[int] = (), white: float = 255.0) -> Affine:
    """Subtract the mean and divide by the standard deviation; what never varies is only centred.

    Raises: SettingError as `centering`.  Source: tip W2.2.

    >>> standardization(Moments.of(np.array([[[0], [255]]], dtype=np.uint8))).apply(torch.ones(1, 1, 1, 1)).item()
    1.0
    """
    mean, std = (_laid_out(v / white, moments=moments, shape=shape) for v in (moments.mean, moments.std))
    return Affine(shift=mean, scale=std.where(std > 0, 1.0))


def range_scaling(moments: Moments, *, shape: Sequence[int] = (), white: float = 255.0) -> Affine:
    """Bring lowest and highest value of the training split to -1 and 1: `2 (x - low) / (high - low) - 1`.

    What never varies becomes 0. Test data may lie outside, and then come out beyond -1 and 1: cutting them off would
    hide that they do.

    Raises: SettingError as `centering`.  Source: tip W2.2.

    >>> range_scaling(Moments.of(np.array([[[0], [51]]], dtype=np.uint8))).apply(torch.full((1, 1, 1, 1), 0.2)).item()
    1.0
    """
    low, high = (_laid_out(v / white, moments=moments, shape=shape) for v in (moments.lowest, moments.highest))
    half = (high - low) / 2
    return Affine(shift=(low + high) / 2, scale=half.where(half > 0, 1.0))


def whitening_of(found: Whitening, *, shape: Sequence[int], white: float = 255.0) -> Whiten:
    """Whiten batches by what `epochal.stats.pca.whitening` found in flattened training images of `shape` (h, w, c).

    Raises: SettingError where `shape` has another size than what was measured.  Source: tip W2.3.

    >>> from epochal.stats.pca import Covariance, principal_components, whitening
    >>> found = whitening(principal_components(Covariance.of(np.array([[0], [255]], dtype=np.uint8))), eps=0.0)
    >>> whitening_of(found, shape=(1, 1, 1)).apply(torch.ones(1, 1, 1, 1)).item()
    1.0
    """
    if len(shape) != 3 or int(np.prod(shape)) != len(found.mean):
        raise SettingError(
            f"Whitening of {len(found.mean)} numbers for images of shape {tuple(shape)}.",
            expected="(height, width, channels) of the images measured.",
            remedy="flatten the images of the data room as they are: channels last.",
        )
    mean, matrix, inverse = (
        torch.from_numpy(np.ascontiguousarray(each, dtype=np.float32))
        for each in (found.mean / white, found.matrix * white, found.inverse / white)
    )
    return Whiten(mean=mean, matrix=matrix, inverse=inverse, shape=(shape[0], shape[1], shape[2]))


def state(preparation: Preparation) -> dict[str, Tensor]:
    """Name the tensors of a preparation, to be saved beside the weights of the network.

    >>> sorted(state(Affine(shift=torch.zeros(3, 1, 1), scale=torch.ones(3, 1, 1))))
    ['affine.scale', 'affine.shift']
    """
    values = {field.name: getattr(preparation, field.name) for field in fields(preparation)}
    return {f"{preparation.kind}.{name}": torch.as_tensor(value) for name, value in values.items()}


def restored(saved: Mapping[str, Tensor]) -> Preparation:
    """Make a preparation again from what `state` gave: the same to the last bit.

    Raises: SettingError for tensors of other names.

    >>> before = Affine(shift=torch.zeros(3, 1, 1), scale=torch.ones(3, 1, 1))
    >>> restored(state(before)).kind
    'affine'
    """
    names = {name.partition(".")[2]: tensor for name, tensor in saved.items()}
    kinds = {name.partition(".")[0] for name in saved}
    for known in (Affine, Whiten):
        if kinds == {known.kind} and set(names) == {field.name for field in fields(known)}:
            if known is Affine:
                return Affine(shift=names["shift"], scale=names["scale"])
            height, width, channels = (int(size) for size in names.pop("shape"))
            return Whiten(mean=names["mean"], matrix=names["matrix"], inverse=names["inverse"],
                          shape=(height, width, channels))  # fmt: skip
    raise SettingError(
        f"A preparation shall be made from {sorted(saved)}.",
        expected="the names that `state` gave.",
        remedy="pass all tensors of one preparation, and no others.",
    )


def _laid_out(values: Float[np.ndarray, " d"], *, moments: Moments, shape: Sequence[int]) -> Float[Tensor, "c h w"]:
    """Statistics with channels last, as a tensor with channels first."""
    wanted = tuple(shape) if shape else (1, 1, len(values))
    if not moments.count or not np.isfinite(values).all() or len(wanted) != 3 or int(np.prod(wanted)) != len(values):
        raise SettingError(
            f"Statistics of {moments.count} rows of {len(values)} numbers for images of shape {wanted}.",
            expected="finite ones of (height, width, channels), or of the channels alone.",
            remedy="measure the training split: Moments.of(images.reshape(len(images), -1)).",
        )
    return torch.from_numpy(values.reshape(wanted).astype(np.float32)).permute(2, 0, 1).contiguous()


def _check_shape(images: Tensor, *, wanted: tuple[int, ...]) -> None:
    channels, *sides = wanted
    if images.shape[1] != channels or (sides != [1, 1] and list(images.shape[2:]) != sides):
        raise SettingError(
            f"Images of shape {tuple(images.shape[1:])} meet statistics of {wanted}.",
            expected="channels, height and width as measured.",
            remedy="measure the training split at the size the network gets.",
        )
