import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.annotation import inside, warped_boxes, warped_keypoints, warped_masks
from epochal.transforms.matrices import centred, rotation, scaling
from epochal.transforms.warp import Affine, warped

ALL = Affine(degrees=30, zoom=(0.7, 1.5), shear=15, shift=0.2, flip=0.5)


def _motions(n: int, size: tuple[int, int], *, seed: int) -> torch.Tensor:
    index = torch.arange(n)
    return ALL.matrices(Batch(images=torch.zeros(n, 1, *size), labels=index, index=index, seed=seed))


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 3), height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 2**31),
    dtype=st.sampled_from([torch.int64, torch.int32, torch.uint8]),
    target=st.tuples(st.integers(1, 8), st.integers(1, 8)),
)  # fmt: skip
def test_masks_take_the_nearest_label(
    n: int, height: int, width: int, seed: int, dtype: torch.dtype, target: tuple[int, int]
) -> None:
    """Each pixel holds the label of the pixel its centre comes from, and the filling where there is none."""
    masks = torch.randint(0, 200, (n, height, width), generator=torch.Generator().manual_seed(seed)).to(dtype)
    motions = _motions(n, (height, width), seed=seed)
    out = warped_masks(masks, motions, fill=255, size=target)
    assert out.dtype == dtype
    for i in range(n):
        back = np.linalg.inv(motions[i].numpy())
        for y in range(target[0]):
            for x in range(target[1]):
                u, v, _ = back @ [x + 0.5, y + 0.5, 1]
                if min(abs(u - round(u)), abs(v - round(v))) < 1e-4:
                    continue  # two pixels are as near
                found = 0 <= u < width and 0 <= v < height
                assert int(out[i, y, x]) == (int(masks[i, int(v), int(u)]) if found else 255)


def test_masks_of_truth_values_and_no_masks() -> None:
    """Boolean masks stay boolean; no mask gives no mask, of the asked size."""
    motions = _motions(1, (6, 6), seed=0)
    assert warped_masks(torch.ones(1, 6, 6).bool(), motions, fill=0).dtype == torch.bool
    assert warped_masks(torch.zeros(0, 6, 6).long(), motions[:0], fill=255, size=(2, 3)).shape == (0, 2, 3)


def test_everything_moves_together() -> None:
    """A bright square, its mask, its box and its middle are found at the same place after any motion."""
    motions = _motions(20, (64, 64), seed=3)
    images, masks = torch.zeros(20, 1, 64, 64), torch.zeros(20, 64, 64, dtype=torch.int64)
    images[:, :, 24:40, 20:44], masks[:, 24:40, 20:44] = 1, 1
    points = warped_keypoints(torch.tensor([[[32.0, 32.0]]]).repeat(20, 1, 1), motions)[:, 0]
    boxes, shares = warped_boxes(torch.tensor([[[20.0, 24.0, 44.0, 40.0]]]).repeat(20, 1, 1), motions, size=(64, 64))
    out, moved = warped(images, motions)[:, 0], warped_masks(masks, motions, fill=0)
    for i in range(20):
        if float(shares[i]) < 1:
            continue
        y, x = moved[i].nonzero().double().add(0.5).unbind(1)
        torch.testing.assert_close(torch.stack((x.mean(), y.mean())), points[i].double(), atol=0.3, rtol=0)
        fitted = torch.stack((x.min(), y.min(), x.max(), y.max())) + torch.tensor([-0.5, -0.5, 0.5, 0.5])
        torch.testing.assert_close(fitted, boxes[i, 0].double(), atol=1.5, rtol=0)
        assert bool((out[i] > 0.5).eq(moved[i] == 1).double().mean() > 0.99)
    assert int((shares == 1).sum()) > 10


def test_boxes_are_fitted_anew_and_cut() -> None:
    """A square turned by 45 degrees has a box longer by sqrt 2, and half of one on the edge is left."""
    turn = centred(rotation(torch.tensor([45.0])), source=(100, 100), target=(100, 100))
    boxes, shares = warped_boxes(torch.tensor([[[40.0, 40, 60, 60], [200, 200, 220, 220]]]), turn, size=(100, 100))
    half = 10 * 2**0.5
    torch.testing.assert_close(boxes[0, 0], torch.tensor([50 - half, 50 - half, 50 + half, 50 + half]))
    assert shares.tolist() == [[1.0, 0.0]]
    still = torch.eye(3)[None]
    cut, left = warped_boxes(torch.tensor([[[-10.0, 0, 10, 20]]]), still, size=(100, 100))
    assert cut.tolist() == [[[0.0, 0.0, 10.0, 20.0]]]
    assert left.tolist() == [[0.5]]


def test_no_boxes_and_no_points() -> None:
    """Images without an object give no box, no share and no point."""
    still = torch.eye(3).repeat(2, 1, 1)
    boxes, shares = warped_boxes(torch.zeros(2, 0, 4), still, size=(8, 8))
    assert boxes.shape == (2, 0, 4)
    assert shares.shape == (2, 0)
    assert warped_keypoints(torch.zeros(2, 0, 2), still, when_mirrored=()).shape == (2, 0, 2)


def test_left_becomes_right_only_in_the_mirror() -> None:
    """Points change places where the motion mirrors, and nowhere else; also under a turn."""
    mirror = scaling(torch.tensor([-1.0, 1.0]), torch.tensor([1.0, 1.0]))
    motions = rotation(torch.tensor([20.0, 20.0])) @ centred(mirror, source=(8, 8), target=(8, 8))
    points = torch.tensor([[[2.0, 3], [6, 3], [4, 5]]]).repeat(2, 1, 1)
    plain = warped_keypoints(points, motions)
    out = warped_keypoints(points, motions, when_mirrored=(1, 0, 2))
    assert torch.equal(out[0], plain[0, [1, 0, 2]])
    assert torch.equal(out[1], plain[1])
    with pytest.raises(SettingError, match="3 points"):
        warped_keypoints(points, motions, when_mirrored=(1, 1, 2))


def test_points_outside_are_told() -> None:
    """The right and the lower edge are outside, the left and the upper one inside."""
    points = torch.tensor([[[0.0, 0.0], [8.0, 1.0], [1.0, 4.0], [-0.1, 1.0]]])
    assert inside(points, size=(4, 8)).tolist() == [[True, False, False, False]]
