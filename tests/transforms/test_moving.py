"""Whatever moves an image moves its masks, boxes and points alike: the same facts for every transform that does."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import DataError, SettingError
from epochal.transforms.by_name import Transform
from epochal.transforms.geometry import HorizontalFlip, Translate, VerticalFlip
from epochal.transforms.matrices import translation
from epochal.transforms.moving import IGNORED, carried, moved_marks
from epochal.transforms.policy import RandAugment, Simulated, TrivialAugment
from epochal.transforms.scene import mask_boxes
from epochal.transforms.warp import Affine, ResizedCrop

EXACT: list[Transform] = [
    HorizontalFlip(), HorizontalFlip(alternating=True), HorizontalFlip(chance=1.0), VerticalFlip(), Translate(reach=5),
    Translate(reach=9, padding="zeros"),
]  # fmt: skip
RESAMPLED: list[Transform] = [
    Affine(degrees=25, zoom=(0.7, 1.4), shear=10, shift=0.15, flip=0.5),
    Affine(degrees=25, zoom=(0.7, 1.0), beyond="reflection"),
    Affine(degrees=25, shift=0.2, beyond="border"),
    Affine(degrees=10, size=(40, 32)),
    ResizedCrop(size=(32, 40), flip=0.5),
]
POLICIES: list[Transform] = [
    RandAugment(mean=(0.0,), std=(1.0,), number=1), TrivialAugment(mean=(0.0,), std=(1.0,)),
]  # fmt: skip


def _squares(n: int = 24, *, seed: int = 0, dtype: torch.dtype = torch.uint8) -> Batch:
    """One rectangle on each image: 2 on 1 in the image, 1 on 0 in the mask, its box, its middle as a point."""
    g = torch.Generator().manual_seed(seed)
    high, wide = 48, 64
    left, top = torch.randint(8, 20, (n,), generator=g), torch.randint(8, 16, (n,), generator=g)
    right, bottom = left + torch.randint(16, 30, (n,), generator=g), top + torch.randint(12, 24, (n,), generator=g)
    rows, columns = torch.arange(high)[:, None], torch.arange(wide)
    masks = torch.stack([
        ((rows >= t) & (rows < b) & (columns >= x) & (columns < r))
        for x, t, r, b in zip(left, top, right, bottom, strict=True)
    ])  # fmt: skip
    boxes = torch.stack([left, top, right, bottom], dim=1).float()[:, None]
    return Batch(
        images=masks[:, None].float() + 1, labels=masks.to(dtype), index=torch.arange(n), seed=seed, boxes=boxes,
        keypoints=(boxes[..., :2] + boxes[..., 2:]) / 2,
    )  # fmt: skip


def _seen(images: torch.Tensor) -> torch.Tensor:
    """The mask that an eye would draw on the moved image: nothing, ground or rectangle."""
    values = images[:, 0]
    return torch.where(values < 0.5, IGNORED, (values > 1.5).long())


@pytest.mark.parametrize("transform", EXACT, ids=str)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.int32])
@pytest.mark.parametrize("epoch", [0, 1])
def test_whole_pixels_move_with_their_labels(transform: Transform, dtype: torch.dtype, epoch: int) -> None:
    """Flips and shifts: the moved mask is the threshold of the moved image, pixel by pixel, of its own type."""
    out = transform(_squares(dtype=dtype).replace(epoch=epoch))
    assert out.labels.dtype == dtype
    assert torch.equal(out.labels.long(), _seen(out.images))


@pytest.mark.parametrize("transform", RESAMPLED, ids=str)
def test_resampled_masks_are_those_of_the_resampled_image(transform: Transform) -> None:
    """But for the edges of what is shown, where half a pixel decides, mask and image say the same of every pixel."""
    out = transform(_squares())
    assert out.labels.shape == (24, *out.images.shape[2:])
    seen, inner = _seen(out.images), torch.ones(24, 1, 3, 3)
    alike = torch.nn.functional.conv2d(torch.nn.functional.pad(out.images, (1,) * 4, mode="replicate"), inner[:1])
    flat = (alike[:, 0] - 9 * out.images[:, 0]).abs() < 1e-3
    assert 0.7 < float(flat.double().mean()) < 1
    assert torch.equal(out.labels.long()[flat], seen[flat])


def _repeats(transform: Transform) -> bool:
    """Whether parts of an image may be seen twice, at its edges."""
    return "reflect" in str(transform) or (isinstance(transform, Affine) and transform.beyond == "border")


@pytest.mark.parametrize("transform", [each for each in (*EXACT, *RESAMPLED) if not _repeats(each)], ids=str)
def test_boxes_and_points_follow(transform: Transform) -> None:
    """The moved box holds the moved rectangle as tightly as an upright one can, the point is its middle."""
    out = transform(_squares(60))
    assert out.boxes is not None
    assert out.keypoints is not None
    high, wide = out.images.shape[2:]
    shown = (out.labels == 1).long()
    found, _ = mask_boxes(shown, 1)
    whole = (out.boxes[:, 0, :2] > 0).all(1) & (out.boxes[:, 0, 2:] < torch.tensor([wide, high])).all(1)
    exact = not isinstance(transform, Affine | ResizedCrop)
    for sample in whole.nonzero()[:, 0].tolist():
        assert float((out.boxes[sample, 0] - found[sample, 0]).abs().max()) <= (0 if exact else 1.5)
        rows, columns = torch.nonzero(shown[sample], as_tuple=True)
        middle = torch.stack((columns.float().mean(), rows.float().mean())) + 0.5
        assert float((out.keypoints[sample, 0] - middle).abs().max()) <= (1e-4 if exact else 1.0)
    assert int(whole.sum()) > 5


@pytest.mark.parametrize("transform", POLICIES, ids=str)
def test_policies_move_masks_where_they_move_images(transform: Transform) -> None:
    """Of 14 operations 5 are motions: where a mask changed, it is the one seen on the image; elsewhere it stayed."""
    batch = _squares(140)
    batch = batch.replace(images=batch.images / 2)  # black does not occur: 0 shows what came from outside
    out = transform(batch)
    moved = (out.labels != batch.labels).flatten(1).any(1)
    assert 0.2 < float(moved.double().mean()) < 0.5
    seen = _seen(2 * out.images[moved])
    assert float((out.labels[moved].long() == seen).double().mean()) > 0.97
    assert int((out.labels[moved] == IGNORED).sum()) > 0
    assert out.boxes is not None
    assert batch.boxes is not None
    assert bool((out.boxes[~moved] == batch.boxes[~moved]).all())


@pytest.mark.parametrize("flip", [HorizontalFlip(chance=1.0), VerticalFlip(chance=1.0)])
def test_flipping_twice_is_nothing(flip: Transform) -> None:
    """Twice mirrored, image, mask, box and point are what they were."""
    batch = _squares()
    once = flip(batch)
    twice = flip(once)
    for name in ("images", "labels", "boxes", "keypoints"):
        assert torch.equal(getattr(twice, name), getattr(batch, name)), name
        assert not torch.equal(getattr(once, name), getattr(batch, name)), name


@pytest.mark.parametrize("transform", [*EXACT, *RESAMPLED, *POLICIES], ids=str)
def test_images_do_not_know_what_is_drawn_on_them(transform: Transform) -> None:
    """With masks, boxes and points or without, the bits of the images are the same."""
    batch = _squares()
    plain = Batch(images=batch.images, labels=torch.zeros(24).long(), index=batch.index, seed=batch.seed)
    assert torch.equal(transform(batch).images, transform(plain).images)
    assert torch.equal(transform(plain).labels, plain.labels)


@pytest.mark.parametrize("transform", [*EXACT, *RESAMPLED, *POLICIES], ids=str)
def test_one_draw_moves_all_of_a_sample(transform: Transform) -> None:
    """A sample's mask, box and points are the same whatever its neighbours are."""
    batch = _squares()
    rows = torch.tensor([3, 17, 8])
    assert batch.boxes is not None
    assert batch.keypoints is not None
    part = batch.replace(
        images=batch.images[rows], labels=batch.labels[rows], index=batch.index[rows], boxes=batch.boxes[rows],
        keypoints=batch.keypoints[rows],
    )  # fmt: skip
    whole, few = transform(batch), transform(part)
    assert torch.equal(whole.labels[rows], few.labels)
    assert whole.boxes is not None
    assert few.boxes is not None
    torch.testing.assert_close(whole.boxes[rows], few.boxes)


@settings(max_examples=40, deadline=None)
@given(dx=st.integers(-80, 80), dy=st.integers(-60, 60))
def test_what_left_the_image_is_gone(dx: int, dy: int) -> None:
    """A box that was pushed out is all zeros, one that was not has an area: as many pixels as the mask has left."""
    batch = _squares(4)
    motions = translation(torch.full((4,), float(dx)), torch.full((4,), float(dy)))
    out = carried(batch, batch.images, matrices=motions)
    assert out.boxes is not None
    area = (out.boxes[:, 0, 2:] - out.boxes[:, 0, :2]).prod(1)
    assert torch.equal(area, (out.labels == 1).sum((1, 2)).float())
    assert bool((out.boxes[area == 0] == 0).all())


def test_eyes_change_places_in_the_mirror() -> None:
    """Points named as pairs are exchanged in mirrored images alone."""
    points = torch.tensor([[[10.0, 5.0], [50.0, 5.0], [32.0, 20.0]]]).repeat(24, 1, 1)
    batch = _squares().replace(keypoints=points, boxes=None)
    for transform in (HorizontalFlip(when_mirrored=(1, 0, 2)), Affine(flip=0.5, when_mirrored=(1, 0, 2))):
        out = transform(batch).keypoints
        assert out is not None
        turned = out[:, 2, 0] == 32
        assert bool(turned.all())
        expected = torch.where(
            (out[:, :1, :1] == 14), points.new_tensor([[14.0, 5.0], [54.0, 5.0], [32.0, 20.0]]), points
        )
        torch.testing.assert_close(out, expected)
        assert 0 < int((out[:, 0, 0] == 14).sum()) < 24


def test_masks_of_another_size_are_refused() -> None:
    """A mask that does not lie on its image cannot move with it."""
    batch = _squares().replace(labels=torch.zeros(24, 24, 32, dtype=torch.uint8))
    with pytest.raises(DataError, match="Masks of 32 x 24 pixels belong to images of 64 x 48"):
        HorizontalFlip()(batch)


def test_without_marks_nothing_is_moved() -> None:
    """A batch of plain labels has no boxes and points to carry."""
    batch = Batch(images=torch.zeros(2, 1, 4, 4), labels=torch.arange(2), index=torch.arange(2), seed=0)
    assert moved_marks(batch, translation(torch.ones(2), torch.ones(2)), size=(4, 4)) == {}


def test_a_simulator_replaces_masks_and_boxes_too() -> None:
    """What a user's simulator makes takes the place of image, mask and box of the chosen samples alone."""

    def night(part: Batch) -> Batch:
        assert part.boxes is not None
        return part.replace(images=part.images * 0, labels=part.labels * 0 + 7, boxes=part.boxes * 0)

    batch = _squares()
    out = Simulated(simulate=night, share=0.5)(batch)
    made = (out.images == 0).flatten(1).all(1)
    assert 0 < int(made.sum()) < 24
    assert bool((out.labels[made] == 7).all())
    assert torch.equal(out.labels[~made], batch.labels[~made])
    with pytest.raises(SettingError, match="made boxes none"):
        Simulated(simulate=lambda part: part.replace(boxes=None), share=1.0)(batch)
