"""New scenes out of old ones: objects pasted into other pictures, other backgrounds, other light.

A mask numbers the objects of an image: 0 is the background, k the k-th object; classes of objects stand in a table of
the user's own, by that number.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.annotation import warped_masks
from epochal.transforms.distributions import normal
from epochal.transforms.draws import coin, uniform
from epochal.transforms.mixing import partners
from epochal.transforms.moving import masks_of
from epochal.transforms.warp import Affine, warped


def pasted(
    images: Float[Tensor, "n c h w"],
    masks: Int[Tensor, "n h w"],
    *,
    donors: Float[Tensor, "n c h w"],
    donor_masks: Int[Tensor, "n h w"],
    chosen: Bool[Tensor, "n k"],
    offset: int,
) -> tuple[Float[Tensor, "n c h w"], Int[Tensor, "n h w"]]:
    """Paste the `chosen` objects of each donor over the image, and their numbers plus `offset` over its mask.

    Object k of the donor is `chosen[:, k - 1]`. With an `offset` of the most objects an image has, numbers stay apart;
    what is covered disappears from the mask, so `mask_boxes` gives the boxes that are left and which objects are gone.

    Shapes: n images, k objects at most in a donor.  Raises: SettingError where a donor has more objects than `chosen`.
    Source: Ghiasi et al. 2021, "Simple copy-paste"; tip K4.3.

    >>> images, masks = torch.zeros(1, 1, 1, 3), torch.tensor([[[1, 1, 0]]])
    >>> donors, donor_masks = torch.ones(1, 1, 1, 3), torch.tensor([[[0, 1, 2]]])
    >>> chosen = torch.tensor([[True, False]])
    >>> pasted(images, masks, donors=donors, donor_masks=donor_masks, chosen=chosen, offset=2)
    (tensor([[[[0., 1., 0.]]]]), tensor([[[1, 3, 0]]]))
    """
    most = int(donor_masks.max()) if donor_masks.numel() else 0
    if most > chosen.shape[1]:
        raise SettingError(
            f"A donor has an object number {most}, and {chosen.shape[1]} are chosen from.",
            expected="as many columns in `chosen` as objects.",
            remedy="number the objects of each image from 1, without gaps.",
        )
    table = F.pad(chosen, (1, 0))  # the background is never pasted
    over = table.gather(1, donor_masks.flatten(1).long()).view(donor_masks.shape)
    return torch.where(over[:, None], donors, images), torch.where(over, donor_masks + offset, masks)


def mask_boxes(masks: Int[Tensor, "n h w"], objects: int) -> tuple[Float[Tensor, "n k 4"], Int[Tensor, "n k"]]:
    """Fit a box around each of the objects 1 to `objects` of each mask; also count its pixels: 0 where none is left.

    The box of an object that is gone is all zeros.

    Shapes: n masks, k = `objects`; a box is (left, top, right, bottom).  Units: continuous pixels, see
    `epochal.transforms.matrices`: the box of one pixel in the corner is (0, 0, 1, 1).  Source: tip K4.3.

    >>> mask_boxes(torch.tensor([[[0, 2, 2], [0, 0, 2]]]), 2)
    (tensor([[[0., 0., 0., 0.],
             [1., 0., 3., 2.]]]), tensor([[0, 3]]))
    """
    n, height, width = masks.shape
    pixels = torch.zeros(n, objects, dtype=torch.int64, device=masks.device)
    boxes = torch.zeros(n, objects, 4, device=masks.device)
    for number in range(1, objects + 1):  # one object at a time: memory of a mask, not of all
        found = masks == number
        rows, columns = found.any(2), found.any(1)
        pixels[:, number - 1] = found.sum((1, 2))
        top, bottom = rows.byte().argmax(1), height - rows.flip(1).byte().argmax(1)
        left, right = columns.byte().argmax(1), width - columns.flip(1).byte().argmax(1)
        box = torch.stack((left, top, right, bottom), dim=1)
        boxes[:, number - 1] = box * (pixels[:, number - 1, None] > 0)
    return boxes, pixels


def on_background(
    images: Float[Tensor, "n c h w"], foreground: Bool[Tensor, "n h w"], *, backgrounds: Float[Tensor, "n c h w"]
) -> Float[Tensor, "n c h w"]:
    """Keep the foreground of each image, and put its background in place of the rest.

    Shapes: n images.  Source: Tobin et al. 2017, "Domain randomization"; tip K4.3.

    >>> one = torch.ones(1, 1, 1, 2)
    >>> on_background(one, torch.tensor([[[True, False]]]), backgrounds=0 * one).flatten()
    tensor([1., 0.])
    """
    return torch.where(foreground[:, None], images, backgrounds)


def textures(
    index: Int[Tensor, " n"], *, shape: tuple[int, int, int], seed: int, epoch: int, stream: str = "texture"
) -> Float[Tensor, "n c h w"]:
    """Draw a texture for each sample: smooth patches over a plain colour, coarse and fine ones in shares of its own.

    A colour per channel, and grids of 2, 4, 8 and 16 points interpolated in between, each of a drawn strength, scaled
    to the spread of normalised images (mean 0, deviation 1 over many textures).

    Shapes: n samples; `shape` is (channels, height, width).  Units: those of normalised images.  Source: tip K4.3.

    >>> textures(torch.arange(2), shape=(3, 8, 8), seed=0, epoch=0).shape
    torch.Size([2, 3, 8, 8])
    """
    channels, height, width = shape
    sizes = (1, 2, 4, 8, 16)
    drawn = uniform(index, len(sizes), seed=seed, epoch=epoch, stream=f"{stream}-share")
    shares = (drawn / drawn.square().sum(1, keepdim=True).sqrt()).float()
    out = torch.zeros(len(index), channels, height, width, device=index.device)
    for size, share in zip(sizes, shares.unbind(1), strict=True):
        points = normal(index, channels * size * size, seed=seed, epoch=epoch, stream=f"{stream}-{size}")
        grid = points.view(-1, channels, size, size)
        smooth = F.interpolate(grid, size=(height, width), mode="bilinear", align_corners=True)
        out += share[:, None, None, None] * smooth
    return out


def lit(
    images: Float[Tensor, "n c h w"], *, slopes: Float[Tensor, "n 2"], mean: tuple[float, ...], std: tuple[float, ...]
) -> Float[Tensor, "n c h w"]:
    """Light each image from one side: colours times `1 + sx u + sy v`, u and v running from -1 to 1 over the image.

    Shapes: n images.  Units: images normalised by `mean` and `std`; a slope of 0.5 is half as bright again at one edge,
    and half as bright at the other.  Source: Tobin et al. 2017; tip K4.3.

    >>> lit(torch.ones(1, 1, 1, 2), slopes=torch.tensor([[0.5, 0.0]]), mean=(0.0,), std=(1.0,)).flatten()
    tensor([0.7500, 1.2500])
    """
    height, width = images.shape[2:]
    u, v = ((2 * torch.arange(length, device=images.device) + 1) / max(1, length) - 1 for length in (width, height))
    extra = (slopes[:, 0, None, None] * u + slopes[:, 1, None, None] * v[:, None])[:, None].to(images)
    dark = images.new_tensor([m / (s or 1) for m, s in zip(mean, std, strict=True)])[:, None, None]  # minus black
    return images * (1 + extra) + dark * extra


_PLACED = Affine(zoom=(0.1, 2.0), shift=0.25, flip=0.5)  # the paper's large jitter
_NEAR = Affine(zoom=(0.5, 2.0), shift=0.25, flip=0.5)  # whole scenes, of which a tenth would be a few pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyPaste:
    """Paste some objects of another image of the batch, moved by `motion`, into each image and its mask.

    Every object of the other image is taken with probability `share`. Objects are numbered from 1 to `objects` at most;
    pasted ones keep their numbers plus `objects`, so the mask tells which came from where.

    Raises: SettingError if `share` is no probability.  Source: Ghiasi et al. 2021 (zoom 0.1 to 2, flips); tip K4.3.

    >>> batch = Batch(images=torch.rand(2, 3, 8, 8), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> masks = torch.zeros(2, 8, 8).long()
    >>> masks[:, 2:6, 2:6] = 1
    >>> out, new = CopyPaste(objects=1)(batch, masks)
    >>> out.images.shape, new.shape, int(new.max()) <= 2
    (torch.Size([2, 3, 8, 8]), torch.Size([2, 8, 8]), True)
    """

    objects: int
    share: float = 0.5
    motion: Affine = _PLACED

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        _check_share(self.share)

    def __call__(self, batch: Batch, masks: Int[Tensor, "n h w"]) -> tuple[Batch, Int[Tensor, "n h w"]]:
        """Give the batch and the masks with objects pasted in; labels stay, for they are the image's."""
        others = partners(batch.index, seed=batch.seed, epoch=batch.epoch, stream="copy-paste")
        matrices = self.motion.matrices(batch)
        drawn = uniform(batch.index, self.objects, seed=batch.seed, epoch=batch.epoch, stream="copy-paste")
        images, masks = pasted(
            batch.images,
            masks,
            donors=warped(batch.images[others], matrices, beyond="border"),
            donor_masks=warped_masks(masks[others], matrices, fill=0),
            chosen=drawn < self.share,
            offset=self.objects,
        )
        return batch.replace(images=images), masks


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassPaste:
    """Paste all pixels of some classes of another image of the batch, moved by `motion`, into each image and its mask.

    `CopyPaste` for masks that know classes and no objects: every one of `classes` is taken with probability `share`,
    pixels labelled 255 never. What lies beyond the moved image is not pasted.

    Raises: SettingError if `share` is no probability, or for labels that are no masks.
    Source: Olsson et al. 2021, "ClassMix"; Ghiasi et al. 2021; tip K4.3.

    >>> masks = torch.tensor([[[0, 1]], [[0, 0]]])
    >>> batch = Batch(images=torch.rand(2, 3, 1, 2), labels=masks, index=torch.arange(2), seed=0)
    >>> ClassPaste(classes=2, share=1.0, motion=Affine())(batch).labels
    tensor([[[0, 0]],
            [[0, 1]]])
    """

    classes: int
    share: float = 0.5
    motion: Affine = _NEAR

    def __post_init__(self) -> None:
        """Refuse what is no probability."""
        _check_share(self.share)

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with classes pasted into images and masks."""
        if not batch.dense or batch.boxes is not None or batch.keypoints is not None:
            raise SettingError(
                f"Classes shall be pasted where labels have the shape {tuple(batch.labels.shape)}.",
                expected="masks (n, h, w) of class numbers, without boxes and points.",
                remedy="cutmix for labels of whole images, CopyPaste for objects.",
            )
        others = partners(batch.index, seed=batch.seed, epoch=batch.epoch, stream="class-paste")
        matrices, masks = self.motion.matrices(batch), masks_of(batch).long()
        drawn = uniform(batch.index, self.classes, seed=batch.seed, epoch=batch.epoch, stream="class-paste")
        numbered = torch.where(masks < self.classes, masks + 1, 0)  # as objects: 0 is what is never pasted
        images, mixed = pasted(
            batch.images,
            masks + 1,
            donors=warped(batch.images[others], matrices, beyond="border"),
            donor_masks=warped_masks(numbered[others], matrices, fill=0),
            chosen=drawn < self.share,
            offset=0,
        )
        return batch.replace(images=images, labels=(mixed - 1).to(batch.labels.dtype))


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRandomization:
    """Put the foreground of each image before a texture with probability `chance`, and light it from a side.

    What no simulator renders right, the background and the light, is made so various that the real one is one more.
    Where nobody says what the foreground is, all of the image is, and the light alone changes.
    Blur and noise stand in `epochal.transforms.corruption`, colours in `epochal.transforms.color`.

    Units: `light` is the steepest slope, see `lit`; `mean` and `std` those by which the images were normalised.
    Raises: SettingError for a chance that is none, or light that turns colours negative.
    Source: Tobin et al. 2017, "Domain randomization"; tip K4.3.

    >>> batch = Batch(images=torch.ones(2, 3, 8, 8), labels=torch.zeros(2).int(), index=torch.arange(2), seed=0)
    >>> scenes = DomainRandomization(mean=(0.0,) * 3, std=(1.0,) * 3, chance=1.0, light=0.0)
    >>> out = scenes(batch, torch.eye(8).bool().expand(2, 8, 8)).images
    >>> bool((out.diagonal(dim1=2, dim2=3) == 1).all()), bool((out == 1).all())
    (True, False)
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    chance: float = 0.5
    light: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        if not 0 <= self.chance <= 1:
            raise SettingError(f"The chance of a texture is {self.chance}.", expected="0 to 1.", remedy="0.5.")
        if not 0 <= self.light <= 0.5:
            raise SettingError(f"The light slopes by {self.light}.", expected="0 to 0.5.", remedy="0.3.")

    def __call__(self, batch: Batch, foreground: Bool[Tensor, "n h w"] | None = None) -> Batch:
        """Give the batch with other backgrounds and other light."""
        images = batch.images if foreground is None else self._before_textures(batch, foreground)
        slopes = (2 * uniform(batch.index, 2, seed=batch.seed, epoch=batch.epoch, stream="light") - 1) * self.light
        return batch.replace(images=lit(images, slopes=slopes, mean=self.mean, std=self.std))

    def _before_textures(self, batch: Batch, foreground: Bool[Tensor, "n h w"]) -> Float[Tensor, "n c h w"]:
        channels, height, width = batch.images.shape[1:]
        kept = foreground | ~coin(
            batch.index, seed=batch.seed, epoch=batch.epoch, stream="background", chance=self.chance
        )[:, None, None]  # fmt: skip
        patterns = textures(batch.index, shape=(channels, height, width), seed=batch.seed, epoch=batch.epoch)
        return on_background(batch.images, kept, backgrounds=patterns.to(batch.images))


def _check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise SettingError(f"The share to paste is {share}.", expected="0 to 1.", remedy="0.5.")
