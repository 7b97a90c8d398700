"""Masks, boxes and points, moved by the matrices that move their images."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from epochal.errors import SettingError
from epochal.transforms import matrices as motion


def warped_masks(
    masks: Integer[Tensor, "n h w"] | Bool[Tensor, "n h w"],
    matrices: Float[Tensor, "n 3 3"],
    *,
    fill: int,
    size: tuple[int, int] | None = None,
    beyond: motion.Beyond = "zeros",
) -> Integer[Tensor, "n high wide"] | Bool[Tensor, "n high wide"]:
    """Move masks as `warped` moves images, each pixel taking the nearest label; beyond the edges as `beyond` says.

    "zeros" stands for `fill`, "border" for the nearest label, "reflection" for the one in the mirror. No label is ever
    blended with another, so none appears that was not there.

    Shapes: n masks; `size` is (high, wide), by default the input's.  Raises: SettingError where a matrix cannot be
    inverted.  Source: tips W1.1, L6, K4.2.

    >>> from epochal.transforms.matrices import translation
    >>> warped_masks(torch.tensor([[[1, 2, 3]]]), translation(torch.tensor([1.]), torch.tensor([0.])), fill=255)
    tensor([[[255,   1,   2]]])
    """
    n, height, width = masks.shape
    high, wide = size or (height, width)
    if not masks.numel():
        return masks.new_full((n, high, wide), fill)
    back = motion.inverse(matrices.to(torch.float64)).to(masks.device)
    rows, columns = (torch.arange(length, device=masks.device) + 0.5 for length in (high, wide))
    x, y = (
        (each[:, 0, None, None] * columns + each[:, 1, None, None] * rows[:, None] + each[:, 2, None, None]).floor_()
        for each in back[:, :2].float().unbind(1)
    )
    if beyond != "zeros":
        x, y = (_brought_back(each, size=length, beyond=beyond) for each, length in ((x, width), (y, height)))
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    source = torch.where(inside, y * width + x, 0).long().view(n, -1)  # exact in float32 below 2^24 pixels
    found = masks.reshape(n, -1).gather(1, source).view(n, high, wide)
    return found.masked_fill_(~inside, fill)


def _brought_back(place: Tensor, *, size: int, beyond: motion.Beyond) -> Tensor:
    """Where along one axis a place beyond the edges is seen: at the edge, or as far inside it as it lies outside."""
    if beyond == "border":
        return place.clamp(0, size - 1)
    around = place.remainder(2 * size)
    return torch.minimum(around, 2 * size - 1 - around)


def warped_boxes(
    boxes: Float[Tensor, "n k 4"], matrices: Float[Tensor, "n 3 3"], *, size: tuple[int, int]
) -> tuple[Float[Tensor, "n k 4"], Float[Tensor, "n k"]]:
    """Move boxes with their images: the upright box around the four moved corners, cut at the edges of the output.

    The second result is the share of that upright box which is left inside: drop a box whose share is small, and one
    that is gone has 0.

    Shapes: n images of k boxes each (left, top, right, bottom); `size` is the output's (height, width).
    Units: continuous pixels, see `epochal.transforms.matrices`.  Source: tips W1.1, L6, K4.2.

    >>> from epochal.transforms.matrices import translation
    >>> move = translation(torch.tensor([6.]), torch.tensor([0.]))
    >>> warped_boxes(torch.tensor([[[0., 2., 4., 6.]]]), move, size=(8, 8))
    (tensor([[[6., 2., 8., 6.]]]), tensor([[0.5000]]))
    """
    x, y = boxes[..., [0, 2, 2, 0]], boxes[..., [1, 1, 3, 3]]
    n, k = boxes.shape[:2]
    corners = _moved(torch.stack((x, y), dim=-1).reshape(n, -1, 2), matrices).view(n, k, 4, 2)
    low, high = (corners.amin(2), corners.amax(2)) if k else (corners[:, :, 0], corners[:, :, 0])
    limit = boxes.new_tensor([size[1], size[0]])
    left_top, right_bottom = low.clamp(min=0).minimum(limit), high.clamp(min=0).minimum(limit)
    whole = (high - low).prod(-1)
    share = (right_bottom - left_top).prod(-1) / torch.where(whole > 0, whole, 1)
    return torch.cat((left_top, right_bottom), dim=-1), share


def warped_keypoints(
    points: Float[Tensor, "n k 2"], matrices: Float[Tensor, "n 3 3"], *, when_mirrored: Sequence[int] | None = None
) -> Float[Tensor, "n k 2"]:
    """Move points (x, y) with their images; in a mirrored image the left eye becomes the right one.

    `when_mirrored` names, for each point, whose place it takes where the motion mirrors: (1, 0, 2) for left eye, right
    eye, nose. Points may leave the image: `inside` tells.

    Shapes: n images of k points.  Units: continuous pixels; the centre of the first pixel is (0.5, 0.5).
    Raises: SettingError if `when_mirrored` is no reordering of the k points.  Source: tips W1.1, L6, K4.2.

    >>> from epochal.transforms.matrices import centred, scaling
    >>> flip = centred(scaling(torch.tensor([-1.]), torch.tensor([1.])), source=(8, 8), target=(8, 8))
    >>> warped_keypoints(torch.tensor([[[1., 4.], [6., 4.]]]), flip, when_mirrored=(1, 0))
    tensor([[[2., 4.],
             [7., 4.]]])
    """
    moved = _moved(points, matrices)
    if when_mirrored is None:
        return moved
    if sorted(when_mirrored) != list(range(points.shape[1])):
        raise SettingError(
            f"The order of mirrored points is {tuple(when_mirrored)}, for {points.shape[1]} points.",
            expected="each number from 0 once.",
            remedy="say for each point which one it becomes in the mirror, itself for those in the middle.",
        )
    mirrored = torch.linalg.det(matrices[:, :2, :2]) < 0
    return torch.where(mirrored[:, None, None], moved[:, list(when_mirrored)], moved)


def inside(points: Float[Tensor, "n k 2"], *, size: tuple[int, int]) -> Bool[Tensor, "n k"]:
    """Tell which points lie on the image of `size` (height, width).

    >>> inside(torch.tensor([[[0.5, 0.5], [9.0, 1.0]]]), size=(8, 8))
    tensor([[ True, False]])
    """
    limit = points.new_tensor([size[1], size[0]])
    return ((points >= 0) & (points < limit)).all(-1)


def _moved(points: Float[Tensor, "n k 2"], matrices: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n k 2"]:
    """Matrix times point, in the points' own precision at the end."""
    exact = matrices.to(torch.float64)
    out = points.to(torch.float64) @ exact[:, :2, :2].mT + exact[:, None, :2, 2]
    return out.to(points.dtype)
