"""Two samples in one: mixup and cutmix, with labels that say exactly how much of each is there.

Labels become a distribution over classes per sample, which `epochal.losses.classification.cross_entropy` takes as it
is; rows of values are blended, and masks are cut with their images. Who is mixed with whom depends on the batch, as it
must; every share and every rectangle belongs to its sample.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.corruption import covers
from epochal.transforms.distributions import symmetric_beta
from epochal.transforms.draws import coin, uniform
from epochal.transforms.moving import masks_of


def partners(index: Int[Tensor, " n"], *, seed: int, epoch: int, stream: str) -> Int[Tensor, " n"]:
    """Find each sample another one of its batch to be mixed with: a ring in random order, so none meets itself.

    Any number of samples will do, also an odd one; a single sample has only itself.

    Shapes: n samples; the result counts places in the batch.  Source: tip K4.3.

    >>> ring = partners(torch.arange(5), seed=0, epoch=0, stream="mixup")
    >>> sorted(ring.tolist()), bool((ring == torch.arange(5)).any())
    ([0, 1, 2, 3, 4], False)
    """
    order = uniform(index, 1, seed=seed, epoch=epoch, stream=f"{stream}-partner")[:, 0].argsort(stable=True)
    ring = torch.empty_like(order)
    ring[order] = order.roll(1)
    return ring


def one_hot(labels: Int[Tensor, " n"] | Float[Tensor, "n c"], classes: int) -> Float[Tensor, "n c"]:
    """Write class numbers as a distribution over `classes`; distributions, as mixing makes them, stay as they are.

    Raises: SettingError for a label that is none of the classes, or a distribution over others.

    >>> one_hot(torch.tensor([2, 0]), 3)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if labels.ndim == 2:
        if labels.shape[1] != classes:
            raise SettingError(
                f"Labels spread over {labels.shape[1]} classes.", expected=f"{classes}.", remedy="count the classes."
            )
        return labels
    if labels.numel() and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        raise SettingError(
            f"Labels reach from {int(labels.min())} to {int(labels.max())}.",
            expected=f"0 to {classes - 1}.",
            remedy="pass the number of classes of these labels.",
        )
    return F.one_hot(labels.long(), classes).float()


def mixed_labels(
    labels: Int[Tensor, " n"] | Float[Tensor, "n c"],
    others: Int[Tensor, " n"],
    *,
    shares: Float[Tensor, " n"],
    classes: int,
) -> Float[Tensor, "n c"]:
    """Blend the label of each sample with that of its partner: `s y + (1 - s) y_other`.

    Shapes: n samples, c = `classes`; `others` counts places in the batch, `shares` is what each keeps of its own.
    Raises: SettingError for a label that is none of the classes.  Source: Zhang et al. 2018; tip K4.3.

    >>> mixed_labels(torch.tensor([0, 1]), torch.tensor([1, 0]), shares=torch.tensor([0.75, 1.0]), classes=2)
    tensor([[0.7500, 0.2500],
            [0.0000, 1.0000]])
    """
    soft = one_hot(labels, classes)
    own = shares.to(soft)[:, None]
    return own * soft + (1 - own) * soft[others]


def blended(
    images: Float[Tensor, "n c h w"], others: Int[Tensor, " n"], *, shares: Float[Tensor, " n"]
) -> Float[Tensor, "n c h w"]:
    """Lay two images over each other: `s x + (1 - s) x_other`.

    Shapes: n images; `others` counts places in the batch.  Source: Zhang et al. 2018; tip K4.3.

    >>> images = torch.tensor([0.0, 4.0]).view(2, 1, 1, 1)
    >>> blended(images, torch.tensor([1, 0]), shares=torch.tensor([0.75, 1.0])).flatten()
    tensor([1., 4.])
    """
    return torch.lerp(images[others], images, shares.to(images)[:, None, None, None])


def patched(
    images: Float[Tensor, "n c h w"], others: Int[Tensor, " n"], *, regions: Int[Tensor, "n 4"]
) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, " n"]]:
    """Put a rectangle of the other image over each image; also say which share of its own pixels each keeps.

    The share is counted from the pixels covered, after the rectangle is cut at the edges: exact, float64.

    Shapes: n images; a region is (left, top, right, bottom), right and bottom not included.  Units: whole pixels.
    Source: Yun et al. 2019; tip K4.3.

    >>> images = torch.tensor([1.0, 2.0])[:, None, None, None].expand(2, 1, 2, 2)
    >>> patched(images, torch.tensor([1, 0]), regions=torch.tensor([[0, 0, 1, 1], [0, 0, 9, 9]]))[1]
    tensor([0.7500, 0.0000], dtype=torch.float64)
    """
    covered = covers(regions, size=(images.shape[2], images.shape[3]))
    return torch.where(covered[:, None], images[others], images), 1 - covered.double().mean((1, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixup:
    """Blend each image and label with another of the batch, by a share drawn from Beta(alpha, alpha) for each.

    Labels that are rows already (several labels, values) are blended as they are, `classes` counts their columns.
    Values on a circle must not be: half way between 9.9 and 0.1 of 10 lies 0, not 5.

    Raises: SettingError if `alpha` is not above 0, or `chance` no probability; for masks, boxes and points, of which
    blended images would need two each.  Source: Zhang et al. 2018 (0.2 on ImageNet, 1 on CIFAR-10); tip K4.3.

    >>> batch = Batch(images=torch.rand(3, 3, 8, 8), labels=torch.tensor([0, 1, 2]), index=torch.arange(3), seed=0)
    >>> Mixup(classes=3)(batch).labels.sum(1)
    tensor([1., 1., 1.])
    """

    classes: int
    alpha: float = 0.2
    chance: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _check(self.alpha, self.chance)

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with images and labels mixed."""
        if batch.dense:
            raise SettingError(
                "Mixup received masks.",
                expected="one label for each image: a pixel of two blended images has two classes.",
                remedy="cutmix, or copy-paste.",
            )
        _refuse_marks(batch, name="Mixup")
        draw = {"seed": batch.seed, "epoch": batch.epoch}
        others = partners(batch.index, seed=batch.seed, epoch=batch.epoch, stream="mixup")
        shares = symmetric_beta(batch.index, alpha=self.alpha, stream="mixup-share", **draw)
        shares[~coin(batch.index, chance=self.chance, stream="mixup-chance", **draw)] = 1
        return batch.replace(
            images=blended(batch.images, others, shares=shares),
            labels=mixed_labels(batch.labels, others, shares=shares, classes=self.classes),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutmix:
    """Put a rectangle of another image of the batch over each image; the label follows the pixels exactly.

    The rectangle has the image's shape, and 1 - s of its area with s from Beta(alpha, alpha), about an evenly drawn
    middle; where it hangs over the edge it is cut, and the label counts what is left of it. Masks get the rectangle of
    the other mask, and `classes` does not matter.

    Raises: SettingError if `alpha` is not above 0, or `chance` no probability; for boxes and points, of which a part
    would be covered.  Source: Yun et al. 2019; tip K4.3.

    >>> batch = Batch(images=torch.rand(3, 3, 8, 8), labels=torch.tensor([0, 1, 2]), index=torch.arange(3), seed=0)
    >>> Cutmix(classes=3)(batch).labels.sum(1)
    tensor([1., 1., 1.])
    """

    classes: int
    alpha: float = 1.0
    chance: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        _check(self.alpha, self.chance)

    def regions(self, batch: Batch) -> Int[Tensor, "n 4"]:
        """Draw the rectangle of each sample; an empty one where nothing is mixed."""
        height, width = batch.images.shape[2:]
        draw = {"seed": batch.seed, "epoch": batch.epoch}
        shares = symmetric_beta(batch.index, alpha=self.alpha, stream="cutmix-share", **draw)
        drawn = uniform(batch.index, 3, stream="cutmix", **draw)
        side = (1 - shares).clamp_min(0).sqrt().where(drawn[:, 2] < self.chance, 0)
        wide, tall = (side * width).long(), (side * height).long()
        left = (drawn[:, 0] * width).long() - torch.div(wide, 2, rounding_mode="floor")
        top = (drawn[:, 1] * height).long() - torch.div(tall, 2, rounding_mode="floor")
        return torch.stack((left, top, left + wide, top + tall), dim=1)

    def __call__(self, batch: Batch) -> Batch:
        """Give the batch with images and labels mixed."""
        _refuse_marks(batch, name="Cutmix")
        others = partners(batch.index, seed=batch.seed, epoch=batch.epoch, stream="cutmix")
        regions = self.regions(batch)
        images, shares = patched(batch.images, others, regions=regions)
        if batch.dense:
            masks = masks_of(batch)
            covered = covers(regions, size=(masks.shape[1], masks.shape[2]))
            return batch.replace(images=images, labels=torch.where(covered, masks[others], masks))
        labels = mixed_labels(batch.labels, others, shares=shares, classes=self.classes)
        return batch.replace(images=images, labels=labels)


def _refuse_marks(batch: Batch, *, name: str) -> None:
    if batch.boxes is not None or batch.keypoints is not None:
        raise SettingError(
            f"{name} received boxes or points.",
            expected="labels of whole images.",
            remedy="transforms that move or recolour images, or CopyPaste.",
        )


def _check(alpha: float, chance: float) -> None:
    if not 0 < alpha < float("inf"):
        raise SettingError(f"Alpha is {alpha}.", expected="above 0.", remedy="0.2 for mixup, 1 for cutmix.")
    if not 0 <= chance <= 1:
        raise SettingError(f"The chance of mixing is {chance}.", expected="0 to 1.", remedy="1, or 0.5.")
