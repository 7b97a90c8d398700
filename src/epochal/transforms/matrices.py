"""Affine motions as one 3 x 3 matrix per sample, so that any chain of them costs a single resampling.

A matrix carries a point (x, y, 1) of the input to where it lies in the output. Coordinates are continuous: x runs to
the right, y downwards, the image covers [0, width] x [0, height], and the pixel in column i has its centre at i + 0.5.
So edges of boxes, points and pixels all move by the same numbers. Motions are chained by `@`, the last one to the left.
"""

from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from epochal.errors import SettingError

Beyond: TypeAlias = Literal["zeros", "border", "reflection"]  # what is seen where the image ends


def rotation(degrees: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """Turn about the origin, counter-clockwise as one sees it (y points downwards).

    Shapes: n samples.  Units: degrees.  Source: tip L6.

    >>> right = torch.tensor([2.0, 0.0, 1.0])
    >>> (rotation(torch.tensor([90.0])) @ right).round().tolist()  # what lay to the right lies above
    [[0.0, -2.0, 1.0]]
    """
    angle = torch.deg2rad(degrees)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    return _matrix(cos, sin, zero, -sin, cos, zero)


def scaling(x: Float[Tensor, " n"], y: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """Stretch by `x` to the right and `y` downwards; -1 mirrors.

    >>> scaling(torch.tensor([2.0]), torch.tensor([-1.0]))[0].diagonal()
    tensor([ 2., -1.,  1.])
    """
    zero = torch.zeros_like(x)
    return _matrix(x, zero, zero, zero, y, zero)


def shearing(degrees: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """Lean to the left, the further down the more: `x - tan(degrees) y`, so that upright lines lean by `degrees`.

    >>> shearing(torch.tensor([45.0]))[0, 0]
    tensor([ 1., -1.,  0.])
    """
    zero, one = torch.zeros_like(degrees), torch.ones_like(degrees)
    return _matrix(one, -torch.deg2rad(degrees).tan(), zero, zero, one, zero)


def translation(x: Float[Tensor, " n"], y: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
    """Move by `x` to the right and `y` downwards.

    >>> translation(torch.tensor([3.0]), torch.tensor([-4.0]))[0, :, 2]
    tensor([ 3., -4.,  1.])
    """
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix(one, zero, x, zero, one, y)


def centred(
    matrices: Float[Tensor, "n 3 3"], *, source: tuple[int, int], target: tuple[int, int]
) -> Float[Tensor, "n 3 3"]:
    """Let a motion act about the middle of the image, and put that middle into the middle of the output.

    With the identity this is the central crop of `target` out of `source`.

    Units: (height, width) in pixels.

    >>> centred(torch.eye(3)[None], source=(8, 8), target=(4, 6))[0, :2, 2]
    tensor([-1., -2.])
    """
    (h, w), (high, wide) = source, target
    out = matrices.clone()
    middle = matrices.new_tensor([w / 2, h / 2])
    out[:, :2, 2] += matrices.new_tensor([wide / 2, high / 2]) - matrices[:, :2, :2] @ middle
    return out


def inverse(matrices: Float[Tensor, "n 3 3"]) -> Float[Tensor, "n 3 3"]:
    """Undo each motion: say where in the input a point of the output comes from.

    Raises: SettingError for a motion that flattens the image, which cannot be undone.

    >>> inverse(scaling(torch.tensor([4.0]), torch.tensor([2.0])))[0].diagonal()
    tensor([0.2500, 0.5000, 1.0000])
    """
    (a, b, x), (c, d, y) = matrices[:, 0].unbind(1), matrices[:, 1].unbind(1)
    det = a * d - b * c
    if not bool(((det != 0) & det.isfinite()).all()):
        worst = int(((det == 0) | ~det.isfinite()).nonzero()[0])
        raise SettingError(
            f"The matrix of sample {worst} scales areas by {float(det[worst])}.",
            expected="any finite number but 0.",
            remedy="a zoom above 0 and a shear below 90 degrees.",
        )
    a, b, c, d = d / det, -b / det, -c / det, a / det
    return _matrix(a, b, -(a * x + b * y), c, d, -(c * x + d * y))


def _matrix(*entries: Tensor) -> Tensor:
    """Two rows of three entries, each one number per sample, and the row 0 0 1."""
    zero, one = torch.zeros_like(entries[0]), torch.ones_like(entries[0])
    return torch.stack((*entries, zero, zero, one), dim=1).view(-1, 3, 3)
