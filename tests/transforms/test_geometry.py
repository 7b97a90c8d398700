import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.geometry import (
    HorizontalFlip,
    Padding,
    Translate,
    VerticalFlip,
    flipped,
    shifted,
    shifted_masks,
)


def _batch(images: torch.Tensor, *, seed: int = 0, epoch: int = 0, first: int = 0) -> Batch:
    n = len(images)
    return Batch(
        images=images,
        labels=torch.zeros(n, dtype=torch.int64),
        index=torch.arange(first, first + n),
        seed=seed,
        epoch=epoch,
    )


def _numpy_shift(image: np.ndarray, *, dy: int, dx: int, padding: Padding) -> np.ndarray:
    reach = max(abs(dy), abs(dx))
    mode = {"reflect": "reflect", "zeros": "constant"}[padding]
    padded = np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode=mode)  # type: ignore[call-overload]
    h, w = image.shape[1:]
    moved: np.ndarray = padded[:, reach - dy : reach - dy + h, reach - dx : reach - dx + w]
    return moved


@given(
    n=st.integers(1, 5), c=st.integers(1, 4), h=st.integers(4, 9), w=st.integers(4, 9),
    padding=st.sampled_from(["reflect", "zeros"]), last=st.booleans(), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_shift_equals_padding_and_cropping(
    n: int,
    c: int,
    h: int,
    w: int,
    padding: Padding,
    last: bool,
    seed: int,
) -> None:
    """Each image equals numpy's padded copy cut at its own place, in either memory layout."""
    g = torch.Generator().manual_seed(seed)
    images = torch.randn(n, c, h, w, generator=g)
    if last:
        images = images.to(memory_format=torch.channels_last)
    dy, dx = torch.randint(-3, 4, (2, n), generator=g)
    out = shifted(images, dy=dy, dx=dx, padding=padding)
    for i in range(n):
        expected = _numpy_shift(images[i].numpy(), dy=int(dy[i]), dx=int(dx[i]), padding=padding)
        np.testing.assert_array_equal(out[i].numpy(), expected)


def test_shift_gives_channels_last() -> None:
    """The shifted batch lies in memory as convolutions on a CPU like it."""
    images = torch.randn(3, 4, 8, 8).to(memory_format=torch.channels_last)
    out = shifted(images, dy=torch.tensor([1, 0, -1]), dx=torch.tensor([0, 2, 1]))
    assert out.is_contiguous(memory_format=torch.channels_last)


def test_reflection_farther_than_the_image_is_refused() -> None:
    """A reflected shift as long as the image is an error that names the distance; zeros go as far as they like."""
    images, far, near = torch.ones(1, 1, 3, 3), torch.tensor([3]), torch.tensor([0])
    with pytest.raises(SettingError, match="by 3"):
        shifted(images, dy=far, dx=near)
    assert shifted(images, dy=far, dx=near, padding="zeros").sum() == 0


def test_flip_mirrors_the_chosen_images_alone() -> None:
    """Chosen images are mirrored, the others and the input stay as they were."""
    images = torch.randn(4, 3, 5, 6)
    before = images.clone()
    out = flipped(images, torch.tensor([True, False, True, False]))
    np.testing.assert_array_equal(out[0].numpy(), before[0].numpy()[:, :, ::-1])
    assert torch.equal(out[1], before[1])
    assert torch.equal(images, before)


def test_upside_down_is_numpys() -> None:
    """With certainty, every image is numpy's flipud; with a half chance, about half of them are."""
    images = torch.randn(200, 2, 5, 4)
    np.testing.assert_array_equal(VerticalFlip(chance=1.0)(_batch(images)).images.numpy(), images.numpy()[:, :, ::-1])
    changed = (VerticalFlip()(_batch(images)).images != images).flatten(1).any(1)
    assert 70 < int(changed.sum()) < 130


@given(seed=st.integers(0, 2**31), padding=st.sampled_from(["reflect", "zeros"]))
def test_masks_are_shifted_as_images_are(seed: int, padding: Padding) -> None:
    """A mask of small numbers moves exactly as the image of these numbers; where that is zero it is filled."""
    g = torch.Generator().manual_seed(seed)
    masks = torch.randint(1, 250, (5, 6, 7), generator=g)
    dy, dx = torch.randint(-5, 6, (2, 5), generator=g)
    out = shifted_masks(masks, dy=dy, dx=dx, padding=padding, fill=0)
    assert torch.equal(out.float(), shifted(masks[:, None].float(), dy=dy, dx=dx, padding=padding)[:, 0])


@pytest.mark.parametrize("transform", [HorizontalFlip(), HorizontalFlip(alternating=True), Translate(reach=3)])
def test_each_sample_draws_for_itself(transform: HorizontalFlip | Translate) -> None:
    """64 equal images come out in several versions, and a sample's version does not depend on its neighbours."""
    images = torch.randn(1, 3, 12, 12).repeat(64, 1, 1, 1)
    out = transform(_batch(images)).images
    assert len({tuple(image.flatten().tolist()) for image in out}) > 1
    part = transform(_batch(images[:10], first=20)).images
    assert torch.equal(part, out[20:30])


@pytest.mark.parametrize("transform", [HorizontalFlip(), Translate(reach=3)])
def test_epochs_and_seeds_differ(transform: HorizontalFlip | Translate) -> None:
    """The same samples are treated differently in another epoch and under another seed."""
    images = torch.randn(64, 1, 8, 8)
    first = transform(_batch(images)).images
    assert not torch.equal(first, transform(_batch(images, epoch=1)).images)
    assert not torch.equal(first, transform(_batch(images, seed=1)).images)


def test_alternating_flip_shows_both_sides_in_two_epochs() -> None:
    """In epochs 2k and 2k + 1 each image is mirrored exactly once; about half of them in the first."""
    images = torch.arange(2.0).view(1, 1, 1, 2).repeat(1000, 1, 1, 1)
    flip = HorizontalFlip(alternating=True)
    mirrored = [flip(_batch(images, epoch=e)).images[:, 0, 0, 0] == 1 for e in range(4)]
    assert torch.equal(mirrored[0], ~mirrored[1])
    assert torch.equal(mirrored[0], mirrored[2])
    assert 400 < int(mirrored[0].sum()) < 600


def test_translations_reach_every_place_evenly() -> None:
    """Each of the 25 shifts of reach 2 takes its share of 10,000 samples, within five standard errors."""
    n = 10_000
    images = torch.zeros(n, 1, 5, 5)
    images[:, 0, 2, 2] = 1
    out = Translate(reach=2, padding="zeros")(_batch(images)).images
    share = out.mean((0, 1))
    assert bool((share - 1 / 25).abs().max() < 5 * (0.04 * 0.96 / n) ** 0.5)


def test_no_reach_changes_nothing() -> None:
    """A reach of 0 hands the batch through."""
    batch = _batch(torch.randn(2, 1, 4, 4))
    assert Translate(reach=0)(batch) is batch


def test_settings_that_cannot_be_are_refused() -> None:
    """A chance outside 0 to 1 and a distance below 0 are errors at once, not in the middle of a training."""
    with pytest.raises(SettingError):
        HorizontalFlip(chance=1.5)
    with pytest.raises(SettingError):
        VerticalFlip(chance=-0.5)
    with pytest.raises(SettingError):
        Translate(reach=-1)
