"""Every motion of an image in one resampling: flip, crop, zoom, shear, rotation and shift are one matrix per sample.

Resampling once keeps sharp what three resamplings would blur, and costs a third of them. Where a motion is whole pixels
alone (a flip, a shift), `epochal.transforms.geometry` moves pixels without any arithmetic.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms import matrices as motion
from epochal.transforms.draws import uniform
from epochal.transforms.moving import carried

Beyond: TypeAlias = motion.Beyond


def warped(
    images: Float[Tensor, "n c h w"],
    matrices: Float[Tensor, "n 3 3"],
    *,
    size: tuple[int, int] | None = None,
    beyond: Beyond = "zeros",
) -> Float[Tensor, "n c high wide"]:
    """Move each image by its matrix and resample it bilinearly: `out(p) = in(A^-1 p)`.

    What lies beyond the image is 0 (the mean colour of normalised images), its nearest pixel, or its reflection. Four
    neighbours are read whatever the zoom: below about a half, details alias, so shrink such images beforehand.
    Gradients flow to the images. The result is contiguous, channels first.

    Shapes: n images; `size` is (high, wide), by default the input's.  Units: pixels, as `epochal.transforms.matrices`
    states them.  Raises: SettingError where a matrix cannot be inverted.  Source: tips W1.1, L6, K4.2.

    >>> image = torch.tensor([[[[1., 2., 3.]]]])
    >>> warped(image, motion.translation(torch.tensor([0.5]), torch.tensor([0.]))).flatten()
    tensor([0.5000, 1.5000, 2.5000])
    """
    n, channels, height, width = images.shape
    high, wide = size or (height, width)
    pixels = images if images.dtype in {torch.float32, torch.float64} else images.float()
    if not images.numel() or not high * wide:
        return images.new_zeros(n, channels, high, wide)
    back = motion.inverse(matrices.to(torch.float64))
    grid = _grid(back.to(pixels.device), like=pixels, size=(high, wide))
    return F.grid_sample(pixels, grid, padding_mode=beyond, align_corners=False).to(images.dtype)


def _grid(back: Float[Tensor, "m 3 3"], *, like: Tensor, size: tuple[int, int]) -> Float[Tensor, "m high wide 2"]:
    """Say where each output pixel comes from, in torch's units: -1 and 1 are the outer edges of the image."""
    rows, columns = (torch.arange(length, dtype=like.dtype, device=like.device) for length in size)
    grid = torch.empty(len(back), *size, 2, dtype=like.dtype, device=like.device)
    steps = back[:, :2] * back.new_tensor([2 / like.shape[3], 2 / like.shape[2]])[:, None]
    steps[:, :, 2] += steps[:, :, :2].mean(2) - 1  # the centre of the first output pixel lies at (0.5, 0.5)
    per_x, per_y, start = steps.to(like.dtype).unbind(2)
    along_x = torch.addcmul(start[..., None], per_x[..., None], columns)
    along_y = per_y[..., None] * rows
    for axis in (0, 1):
        torch.add(along_x[:, axis, None, :], along_y[:, axis, :, None], out=grid[..., axis])
    return grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Affine:
    """Flip, zoom, lean, turn and shift each image by its own draws, in one resampling.

    About the middle of the image, in this order: mirrored with probability `flip`; magnified by a factor between the
    two of `zoom`, even on a log scale; leaning by up to `shear` degrees to either side; turned by up to `degrees` to
    either side; shifted by up to `shift` of its width and height. `size` cuts the middle of another size out: shift
    (256 - 224) / 2 / 256 with size (224, 224) is the random crop of 224 out of 256.

    Masks, boxes and points move along, see `epochal.transforms.moving`; `when_mirrored` reorders points in mirrored
    images. `matrices(batch)` gives the motions.

    Units: degrees, degrees, a share of the image's side; `size` is (height, width) in pixels.
    Raises: SettingError for settings that no image survives.  Source: tips W1.1, L6, K4.2.

    >>> batch = Batch(images=torch.rand(2, 3, 40, 40), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> affine = Affine(degrees=15, zoom=(0.8, 1.25), shift=0.1, flip=0.5, size=(32, 32))
    >>> affine(batch).images.shape, affine.matrices(batch).shape
    (torch.Size([2, 3, 32, 32]), torch.Size([2, 3, 3]))
    """

    degrees: float = 0.0
    zoom: tuple[float, float] = (1.0, 1.0)
    shear: float = 0.0
    shift: float = 0.0
    flip: float = 0.0
    size: tuple[int, int] | None = None
    beyond: Beyond = "zeros"
    when_mirrored: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse settings that no image survives."""
        _require(self.degrees >= 0, f"Images turn by up to {self.degrees} degrees.", remedy="15 for photographs.")
        _require(0 < self.zoom[0] <= self.zoom[1], f"The zoom is {self.zoom}.", remedy="(0.8, 1.25): low, then high.")
        _require(0 <= self.shear < 90, f"Images lean by up to {self.shear} degrees.", remedy="10, and below 90.")
        _require(0 <= self.shift <= 1, f"Images shift by up to {self.shift} of their size.", remedy="0.1, at most 1.")
        _require(0 <= self.flip <= 1, f"The chance of a flip is {self.flip}.", remedy="0.5, between 0 and 1.")
        _require(self.size is None or min(self.size) > 0, f"The output is {self.size}.", remedy="(224, 224).")

    def matrices(self, batch: Batch) -> Float[Tensor, "n 3 3"]:
        """Draw the motion of each sample: input pixels to output pixels, float64."""
        height, width = batch.images.shape[2:]
        drawn = uniform(batch.index, 6, seed=batch.seed, epoch=batch.epoch, stream="affine")
        flip, zoom, shear, turn, right, down = drawn.unbind(1)
        low, high = (math.log(factor) for factor in self.zoom)
        scale = (low + (high - low) * zoom).exp()
        out = motion.scaling(torch.where(flip < self.flip, -scale, scale), scale)
        if self.shear:
            out = motion.shearing((2 * shear - 1) * self.shear) @ out
        if self.degrees:
            out = motion.rotation((2 * turn - 1) * self.degrees) @ out
        out = motion.centred(out, source=(height, width), target=self.size or (height, width))
        out[:, 0, 2] += (2 * right - 1) * self.shift * width
        out[:, 1, 2] += (2 * down - 1) * self.shift * height
        return out

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with each image moved by a draw of its own."""
        matrices = self.matrices(batch)
        images = warped(batch.images, matrices, size=self.size, beyond=self.beyond)
        return carried(batch, images, matrices=matrices, beyond=self.beyond, when_mirrored=self.when_mirrored)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResizedCrop:
    """Cut a random part out of each image, of random area and shape, and resize it: `size` whatever was cut.

    The area is an even draw from `area` (shares of the image), width / height an even draw on a log scale from
    `aspect`; the first of ten draws that fits inside is taken, else the largest part of an allowed shape. Places are
    not rounded to whole pixels. Mirrored with probability `flip`. Masks, boxes and points move along, as in `Affine`.

    Units: `size` is (height, width) in pixels.  Raises: SettingError for shares outside (0, 1] and empty ranges.
    Source: Szegedy et al. 2015, section 6; tips W1.1, L6, K4.2.

    >>> batch = Batch(images=torch.rand(2, 3, 40, 50), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> ResizedCrop(size=(32, 32))(batch).images.shape
    torch.Size([2, 3, 32, 32])
    """

    size: tuple[int, int]
    area: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.0
    beyond: Beyond = "border"
    when_mirrored: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse parts that cannot be cut."""
        _require(min(self.size) > 0, f"The output is {self.size}.", remedy="(224, 224).")
        _require(0 < self.area[0] <= self.area[1] <= 1, f"The area is {self.area}.", remedy="(0.08, 1.0).")
        _require(0 < self.aspect[0] <= self.aspect[1], f"The aspect is {self.aspect}.", remedy="(0.75, 1.333).")
        _require(0 <= self.flip <= 1, f"The chance of a flip is {self.flip}.", remedy="0.5, between 0 and 1.")

    def matrices(self, batch: Batch) -> Float[Tensor, "n 3 3"]:
        """Draw the part of each sample, as the motion that fills the output with it: float64."""
        height, width = batch.images.shape[2:]
        drawn = uniform(batch.index, 23, seed=batch.seed, epoch=batch.epoch, stream="resized-crop")
        wide, high = self._extent(drawn[:, 3:], height=height, width=width)
        x, y = drawn[:, 1] * (width - wide), drawn[:, 2] * (height - high)
        out = motion.scaling(self.size[1] / wide, self.size[0] / high) @ motion.translation(-x, -y)
        mirror = drawn[:, 0] < self.flip
        out[mirror] = out.new_tensor([[-1.0, 0, self.size[1]], [0, 1, 0], [0, 0, 1]]) @ out[mirror]
        return out

    def _extent(self, drawn: Float[Tensor, "n 20"], *, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Width and height of each part: the first of ten attempts that fits, else the largest allowed shape."""
        least, most = (math.log(each) for each in self.aspect)
        area = (self.area[0] + (self.area[1] - self.area[0]) * drawn[:, :10]) * height * width
        aspect = (least + (most - least) * drawn[:, 10:]).exp()
        wide, high = (area * aspect).sqrt(), (area / aspect).sqrt()
        fits = (wide <= width) & (high <= height)
        first = fits.long().argmax(1, keepdim=True)  # the first of equal maxima
        shape = min(max(width / height, self.aspect[0]), self.aspect[1])
        return tuple(
            torch.where(fits.any(1), tried.gather(1, first)[:, 0], fallback)
            for tried, fallback in ((wide, min(width, height * shape)), (high, min(height, width / shape)))
        )  # type: ignore[return-value]

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with a part of each image in its place."""
        matrices = self.matrices(batch)
        images = warped(batch.images, matrices, size=self.size, beyond=self.beyond)
        return carried(batch, images, matrices=matrices, beyond=self.beyond, when_mirrored=self.when_mirrored)


def _require(holds: bool, happened: str, *, remedy: str) -> None:  # noqa: FBT001  reads as the condition it is
    if not holds:
        raise SettingError(happened, expected="a range that leaves something of the image.", remedy=remedy)
