import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.normalize import denormalized, normalized
from epochal.transforms.scene import (
    ClassPaste,
    CopyPaste,
    DomainRandomization,
    lit,
    mask_boxes,
    on_background,
    pasted,
    textures,
)
from epochal.transforms.warp import Affine


def _batch(images: torch.Tensor, *, epoch: int = 0, first: int = 0) -> Batch:
    index = torch.arange(first, first + len(images))
    return Batch(images=images, labels=index, index=index, seed=0, epoch=epoch)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 3), height=st.integers(1, 6), width=st.integers(1, 6), objects=st.integers(1, 4),
    seed=st.integers(0, 2**31),
)  # fmt: skip
def test_pasting_is_the_loop_over_pixels(n: int, height: int, width: int, objects: int, seed: int) -> None:
    """A pixel of a chosen object takes the donor's colours and number, every other pixel stays."""
    g = torch.Generator().manual_seed(seed)
    images, donors = torch.rand(2, n, 2, height, width, generator=g)
    masks, donor_masks = torch.randint(0, objects + 1, (2, n, height, width), generator=g)
    chosen = torch.rand(n, objects, generator=g) < 0.5
    out, new = pasted(images, masks, donors=donors, donor_masks=donor_masks, chosen=chosen, offset=10)
    for i, y, x in np.ndindex(n, height, width):
        number = int(donor_masks[i, y, x])
        if number and bool(chosen[i, number - 1]):
            assert torch.equal(out[i, :, y, x], donors[i, :, y, x])
            assert int(new[i, y, x]) == number + 10
        else:
            assert torch.equal(out[i, :, y, x], images[i, :, y, x])
            assert int(new[i, y, x]) == int(masks[i, y, x])


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 3), height=st.integers(1, 7), width=st.integers(1, 7), seed=st.integers(0, 2**31))
def test_boxes_hold_their_objects_and_nothing_less(n: int, height: int, width: int, seed: int) -> None:
    """Each box is numpy's smallest one around the pixels of its number; what has no pixel has a box of zeros."""
    masks = torch.randint(0, 5, (n, height, width), generator=torch.Generator().manual_seed(seed))
    boxes, pixels = mask_boxes(masks, 3)
    for i in range(n):
        for number in (1, 2, 3):
            y, x = np.nonzero(masks[i].numpy() == number)
            expected = [x.min(), y.min(), x.max() + 1, y.max() + 1] if len(x) else [0, 0, 0, 0]
            assert boxes[i, number - 1].tolist() == expected
            assert int(pixels[i, number - 1]) == len(x)


def test_covered_objects_are_gone() -> None:
    """An object wholly behind a pasted one has no pixel left and can be dropped."""
    masks = torch.zeros(1, 4, 4).long()
    masks[0, 1, 1] = 1
    donor_masks = torch.ones(1, 4, 4).long()
    blank = torch.zeros(1, 1, 4, 4)
    _, new = pasted(
        blank, masks, donors=blank, donor_masks=donor_masks, chosen=torch.tensor([[True]]), offset=1
    )  # fmt: skip
    boxes, pixels = mask_boxes(new, 2)
    assert pixels.tolist() == [[0, 16]]
    assert boxes.tolist() == [[[0, 0, 0, 0], [0, 0, 4, 4]]]


def test_more_objects_than_are_chosen_from_are_refused() -> None:
    """A donor with an object of a number that `chosen` does not know is an error that names it."""
    blank, mask = torch.zeros(1, 1, 2, 2), torch.full((1, 2, 2), 3)
    with pytest.raises(SettingError, match="number 3"):
        pasted(blank, mask, donors=blank, donor_masks=mask, chosen=torch.ones(1, 2).bool(), offset=2)


def test_copies_stand_where_the_mask_says() -> None:
    """After pasting without scaling, image and mask agree: own objects, pasted ones, and the untouched rest."""
    masks = torch.zeros(6, 16, 16).long()
    masks[:, 4:9, 5:10] = 1
    images = torch.where(masks[:, None] == 1, torch.arange(1.0, 7)[:, None, None, None], torch.zeros(1)).contiguous()
    paste = CopyPaste(objects=1, share=1.0, motion=Affine(shift=0.3))
    batch, new = paste(_batch(images), masks)
    for i in range(6):
        assert set(new[i].flatten().tolist()) <= {0, 1, 2}
        assert bool((batch.images[i, 0][new[i] == 1] == i + 1).all())
        assert bool((batch.images[i, 0][new[i] == 0] == 0).all())
        donor = batch.images[i, 0][new[i] == 2]
        assert len(donor)
        assert float(donor.max()) != i + 1
    untouched, same = CopyPaste(objects=1, share=0.0)(_batch(images), masks)
    assert torch.equal(untouched.images, images)
    assert torch.equal(same, masks)


def test_backgrounds_change_and_objects_stay() -> None:
    """The foreground is the very same where no light falls, behind it stands a texture, for about the asked share."""
    images = torch.rand(400, 3, 8, 8)
    foreground = torch.zeros(400, 8, 8).bool()
    foreground[:, 2:6, 2:6] = True
    out = DomainRandomization(mean=(0.5,) * 3, std=(0.25,) * 3, chance=0.4, light=0)(_batch(images), foreground).images
    torch.testing.assert_close(out[:, :, 2:6, 2:6], images[:, :, 2:6, 2:6])
    changed = (out != images).flatten(1).double().mean(1) > 0.5
    assert 0.3 < changed.double().mean().item() < 0.5
    assert torch.equal(
        on_background(images, ~foreground, backgrounds=0 * images)[:, :, 2:6, 2:6].abs().sum(), torch.tensor(0.0)
    )


def test_textures_are_normalised_and_each_its_own() -> None:
    """Over many textures the mean is 0 and the deviation about 1; a sample's texture is the same in any batch."""
    drawn = textures(torch.arange(2000), shape=(3, 8, 8), seed=0, epoch=0)
    assert abs(float(drawn.mean())) < 0.05
    assert 0.6 < float(drawn.std()) < 1.1
    assert torch.equal(textures(torch.tensor([9]), shape=(3, 8, 8), seed=0, epoch=0)[0], drawn[9])
    assert textures(torch.arange(0), shape=(3, 8, 8), seed=0, epoch=0).shape == (0, 3, 8, 8)


def test_light_is_a_slope_over_colours() -> None:
    """Colours are multiplied by 1 + sx u + sy v at the pixels' middles; black stays black."""
    colors = torch.rand(2, 3, 4, 6, dtype=torch.float64)
    colors[:, :, 0, 0] = 0
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    slopes = torch.tensor([[0.3, -0.2], [0.0, 0.5]], dtype=torch.float64)
    out = denormalized(
        lit(normalized(colors, mean=mean, std=std), slopes=slopes, mean=mean, std=std), mean=mean, std=std
    )
    u, v = (np.arange(6) + 0.5) / 3 - 1, (np.arange(4) + 0.5) / 2 - 1
    for i in range(2):
        light = 1 + float(slopes[i, 0]) * u[None] + float(slopes[i, 1]) * v[:, None]
        np.testing.assert_allclose(out[i], colors[i].numpy() * light, atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_pasted_classes_bring_their_pixels(dtype: torch.dtype) -> None:
    """Unmoved, every pixel of the mixture shows what its label says; 255 is never pasted, and may be covered."""
    masks = torch.randint(0, 5, (40, 9, 7))
    masks[masks == 4] = 255
    batch = _batch(masks[:, None].float()).replace(labels=masks.to(dtype))
    out = ClassPaste(classes=4, motion=Affine())(batch)
    assert out.labels.dtype == dtype
    assert torch.equal(out.labels.float(), out.images[:, 0].round())
    assert int((out.labels == 255).sum()) < int((masks == 255).sum())
    assert torch.equal(ClassPaste(classes=4, share=0.0)(batch).labels, batch.labels)


def test_all_of_a_class_is_pasted_or_nothing() -> None:
    """About the asked share of classes comes from the other image, whole; what is moved out of it is not pasted."""
    masks = torch.arange(8).view(1, 2, 4).repeat_interleave(4, 1).repeat_interleave(4, 2).repeat(100, 1, 1)
    masks = masks + 8 * (torch.arange(100) % 2)[:, None, None]
    batch = _batch(torch.zeros(100, 1, 8, 16)).replace(labels=masks)
    out = ClassPaste(classes=16, share=0.3, motion=Affine())(batch).labels
    blocks = (out != masks).view(100, 2, 4, 4, 4).permute(0, 1, 3, 2, 4).flatten(3).double().mean(3)
    assert set(torch.unique(blocks).tolist()) == {0.0, 1.0}
    assert 0.1 < float(blocks.mean()) < 0.2  # 0.3 of those whose partner is of the other kind
    moved = ClassPaste(classes=16, share=1.0, motion=Affine(zoom=(0.5, 0.5)))(batch).labels
    assert torch.equal(moved[:, :2], masks[:, :2])


def test_classes_are_pasted_into_masks_alone() -> None:
    """Labels of whole images have no pixels to paste; boxes would be half covered."""
    batch = _batch(torch.zeros(2, 1, 4, 4))
    with pytest.raises(SettingError, match="cutmix for labels of whole images"):
        ClassPaste(classes=2)(batch)
    with pytest.raises(SettingError, match="without boxes"):
        ClassPaste(classes=2)(batch.replace(labels=torch.zeros(2, 4, 4).long(), boxes=torch.zeros(2, 1, 4)))


def test_without_a_foreground_the_light_alone_changes() -> None:
    """Where nobody says what stands in front, no texture covers anything: colours are lit from a side."""
    images = torch.rand(8, 3, 6, 6) + 0.5
    scenes = DomainRandomization(mean=(0.0,) * 3, std=(1.0,) * 3, chance=1.0)
    out = scenes(_batch(images)).images
    light = out / images
    torch.testing.assert_close(light[:, 0], light[:, 2], rtol=1e-3, atol=1e-3)
    assert torch.equal(out, scenes(_batch(images), torch.ones(8, 6, 6).bool()).images)


def test_settings_that_cannot_be_are_refused() -> None:
    """Shares and chances that are none, and light that would turn colours negative."""
    with pytest.raises(SettingError):
        CopyPaste(objects=1, share=2)
    with pytest.raises(SettingError):
        ClassPaste(classes=1, share=-1)
    with pytest.raises(SettingError):
        DomainRandomization(mean=(0.0,), std=(1.0,), chance=-1)
    with pytest.raises(SettingError):
        DomainRandomization(mean=(0.0,), std=(1.0,), light=0.6)
