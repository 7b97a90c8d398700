"""Letting all that is drawn on an image move with it: what every transform that moves images ends with."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from epochal.data.batch import Batch
from epochal.errors import DataError
from epochal.transforms import matrices as motion
from epochal.transforms.annotation import warped_boxes, warped_keypoints, warped_masks

IGNORED = 255  # of a mask: no class is known there, and no loss counts it


def masks_of(batch: Batch) -> Integer[Tensor, "n h w"]:
    """Give the masks of a dense batch.

    Raises: DataError where they are of another size than the images.

    >>> images, index = torch.zeros(1, 3, 4, 4), torch.tensor([0])
    >>> masks_of(Batch(images=images, labels=torch.zeros(1, 4, 4).byte(), index=index, seed=0)).shape
    torch.Size([1, 4, 4])
    """
    high, wide = batch.labels.shape[1:]
    if batch.images.shape[2:] != (high, wide):
        raise DataError(
            f"Masks of {wide} x {high} pixels belong to images of {batch.images.shape[3]} x {batch.images.shape[2]}.",
            expected="the same size, so that they move alike.",
            remedy="resize both when they are read, masks by nearest neighbour.",
        )
    return batch.labels


def carried(
    batch: Batch,
    images: Float[Tensor, "n c high wide"],
    *,
    matrices: Float[Tensor, "n 3 3"],
    beyond: motion.Beyond = "zeros",
    when_mirrored: Sequence[int] | None = None,
) -> Batch:
    """Give the batch with `images`, which `matrices` moved, and let all that is drawn on them move alike.

    Masks take the nearest label; where the image shows nothing the label is 255, where it shows its edge or its
    reflection (`beyond`) the label is the one of that pixel. Boxes are cut at the edges, those that left are all zeros.
    Points may leave the image.

    Raises: DataError for masks of another size, SettingError as `warped_keypoints`.  Source: tips W1.1, L6, K4.2.

    >>> from epochal.transforms.matrices import translation
    >>> images = torch.tensor([[[[5., 6., 7.]]]])
    >>> batch = Batch(images=images, labels=torch.tensor([[[0, 1, 2]]]), index=torch.tensor([0]), seed=0)
    >>> carried(batch, images.roll(1, 3), matrices=translation(torch.tensor([1.]), torch.tensor([0.]))).labels
    tensor([[[255,   0,   1]]])
    """
    size = (images.shape[2], images.shape[3])
    changes = moved_marks(batch, matrices, size=size, when_mirrored=when_mirrored)
    if batch.dense:
        changes["labels"] = warped_masks(masks_of(batch), matrices, fill=IGNORED, size=size, beyond=beyond)
    return batch.replace(images=images, **changes)


def moved_marks(
    batch: Batch,
    matrices: Float[Tensor, "n 3 3"],
    *,
    size: tuple[int, int],
    when_mirrored: Sequence[int] | None = None,
) -> dict[str, Tensor]:
    """Move the boxes and points of a batch, where it has any; boxes that left the image of `size` are all zeros.

    Raises: SettingError as `warped_keypoints`.  Source: tips W1.1, L6, K4.2.

    >>> images, index = torch.zeros(1, 3, 4, 4), torch.tensor([0])
    >>> batch = Batch(images=images, labels=index, index=index, seed=0, keypoints=torch.tensor([[[1.0, 2.0]]]))
    >>> moved_marks(batch, motion.translation(torch.tensor([1.0]), torch.tensor([0.0])), size=(4, 4))
    {'keypoints': tensor([[[2., 2.]]])}
    """
    moved: dict[str, Tensor] = {}
    if batch.boxes is not None:
        boxes, left = warped_boxes(batch.boxes, matrices.to(batch.boxes.device), size=size)
        moved["boxes"] = torch.where((left > 0)[..., None], boxes, 0)
    if batch.keypoints is not None:
        motions = matrices.to(batch.keypoints.device)
        moved["keypoints"] = warped_keypoints(batch.keypoints, motions, when_mirrored=when_mirrored)
    return moved
