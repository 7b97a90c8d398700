"""Facts about batches of normalised images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.data.loader import ArrayLoader, normalized, row_of_scales
from epochal.errors import SettingError

COUNT = 23
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 5, 3), dtype=np.uint8)
LABELS = np.arange(COUNT) % 4
MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.25, 0.3]


def loader(index: np.ndarray | None = None, *, images: np.ndarray = IMAGES, **changes: object) -> ArrayLoader:
    """A loader over all rows unless said otherwise."""
    settings: dict[str, object] = {"batch_size": 4, "mean": MEAN, "std": STD, "seed": 3, "shuffle": True}
    return ArrayLoader(images, LABELS, np.arange(COUNT) if index is None else index, **(settings | changes))  # type: ignore[arg-type]


def rows(batches: list[Batch]) -> list[list[int]]:
    """The rows of each batch."""
    return [batch.index.tolist() for batch in batches]


@given(st.sampled_from([1, 3]), st.integers(1, 7), st.integers(1, 7), st.sampled_from([torch.float32, torch.bfloat16]))
def test_normalised_as_the_formula_says(channels: int, height: int, width: int, dtype: torch.dtype) -> None:
    """Values are `(x / 255 - mean) / std`, rounded once, in the place where they belong."""
    images = np.random.default_rng(height).integers(0, 256, (4, height, width, channels), dtype=np.uint8)
    scale, shift = row_of_scales(MEAN[:channels], STD[:channels], width=width)
    found = normalized(torch.from_numpy(images), scale=scale, shift=shift, dtype=dtype)
    expected = (images / 255 - np.array(MEAN[:channels])) / np.array(STD[:channels])
    assert found.dtype == dtype
    exact = torch.from_numpy(expected).permute(0, 3, 1, 2)
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-6 if dtype == torch.float32 else 0.02)


def test_memory_is_channels_last() -> None:
    """Images arrive in channels-last memory, which the network needs, without being copied once more."""
    batch = next(loader().epoch(0))
    assert batch.images.shape == (4, 3, 6, 5)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)


def test_constant_channel_is_left_at_zero() -> None:
    """A channel that never changes is centred and not divided by nothing."""
    images = np.full((2, 3, 3, 1), 51, np.uint8)
    batch = next(ArrayLoader(images, np.zeros(2, int), np.arange(2), batch_size=2, mean=[0.2], std=[0.0]).epoch(0))
    assert batch.images.abs().max() < 1e-6


def test_labels_and_pixels_belong_to_their_rows() -> None:
    """Each sample of a batch carries the pixels and the label of the row that it names."""
    for batch in loader(np.array([20, 3, 7, 11, 2])).epoch(1):
        for image, label, row in zip(batch.images, batch.labels.tolist(), batch.index.tolist(), strict=True):
            expected = (IMAGES[row] / 255 - np.array(MEAN)) / np.array(STD)
            np.testing.assert_allclose(image.permute(1, 2, 0).numpy(), expected, atol=1e-5)
            assert label == LABELS[row]
        assert (batch.seed, batch.epoch) == (3, 1)


@given(batch_size=st.integers(1, 30), shuffle=st.booleans(), drop_last=st.booleans(), epoch=st.integers(0, 5))
def test_an_epoch_visits_every_row_once(*, batch_size: int, shuffle: bool, drop_last: bool, epoch: int) -> None:
    """Every row comes once; a last partial batch is kept, or dropped when asked; the length is the number of steps."""
    one = loader(batch_size=batch_size, shuffle=shuffle, drop_last=drop_last)
    batches = list(one.epoch(epoch))
    visited = [row for batch in rows(batches) for row in batch]
    assert len(batches) == len(one)
    assert len(visited) == len(set(visited)) == one.samples
    assert one.samples == (COUNT // batch_size * batch_size if drop_last else COUNT)
    if not shuffle:
        assert visited == list(range(one.samples))


@given(start=st.integers(0, 6), epoch=st.integers(0, 3), prefetch=st.booleans())
def test_resuming_gives_the_rest(*, start: int, epoch: int, prefetch: bool) -> None:
    """From step `start` on, an epoch goes on bit for bit as if it had not been interrupted."""
    whole = list(loader().epoch(epoch))
    rest = list(loader(prefetch=prefetch).epoch(epoch, start=start))
    assert len(rest) == max(0, len(whole) - start)
    for one, other in zip(whole[start:], rest, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
        assert torch.equal(one.index, other.index)


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    """Each epoch and each seed shuffles anew; the same pair shuffles the same."""
    orders = {tuple(loader(seed=seed).order(epoch).tolist()) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert loader().order(2).tolist() == loader().order(2).tolist()


@given(world_size=st.integers(1, 4), batch_size=st.integers(4, 12), drop_last=st.booleans())
def test_ranks_together_see_the_batches_of_one(*, world_size: int, batch_size: int, drop_last: bool) -> None:
    """Step by step, the processes together hold exactly the samples that one process would."""
    alone = rows(list(loader(batch_size=batch_size, drop_last=drop_last).epoch(1)))
    parts = [
        rows(list(loader(batch_size=batch_size, drop_last=drop_last, rank=rank, world_size=world_size).epoch(1)))
        for rank in range(world_size)
    ]
    for step, batch in enumerate(alone):
        assert sorted(row for part in parts for row in part[step]) == sorted(batch)
        assert max(len(part[step]) for part in parts) - min(len(part[step]) for part in parts) <= 1


@pytest.mark.parametrize(
    "changes",
    [
        {"rank": 2, "world_size": 2},
        {"rank": -1, "world_size": 2},
        {"batch_size": 0},
        {"batch_size": 1, "world_size": 2},
    ],
)
def test_impossible_settings(changes: dict[str, int]) -> None:
    """A rank that does not exist, and fewer samples than processes, are refused."""
    with pytest.raises(SettingError, match="batch_size"):
        loader(**changes)  # type: ignore[arg-type]  # any of the settings


@pytest.mark.parametrize("prefetch", [False, True])
def test_memory_mapped_equals_in_memory(tmp_path: Path, *, prefetch: bool) -> None:
    """A read-only file as the array gives the same batches, without warnings."""
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r").view(np.ndarray)
    for one, other in zip(loader().epoch(0), loader(images=mapped, prefetch=prefetch).epoch(0), strict=True):
        assert torch.equal(one.images, other.images)


def test_batches_may_be_changed() -> None:
    """A transform may write into a batch: neither the array nor later batches change."""
    before = IMAGES.copy()
    for batch in loader().epoch(0):
        batch.images.zero_()
    np.testing.assert_array_equal(IMAGES, before)
    assert next(loader().epoch(0)).images.abs().sum() > 0


def test_no_rows() -> None:
    """A split without samples has no steps."""
    empty = loader(np.array([], dtype=np.int64))
    assert len(empty) == 0
    assert not list(empty.epoch(0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_same_batches_on_a_gpu() -> None:
    """On a GPU the batches are those of the processor, to the last digits of float32."""
    for one, other in zip(loader().epoch(0), loader(device="cuda").epoch(0), strict=True):
        assert other.images.is_cuda
        torch.testing.assert_close(other.images.cpu(), one.images, rtol=1e-6, atol=1e-6)
        assert torch.equal(other.index.cpu(), one.index)


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        (np.arange(COUNT, dtype=np.int8), torch.int64),
        (np.arange(COUNT, dtype=np.float64)[:, None] / 3, torch.float32),
        (np.eye(COUNT, dtype=np.float32), torch.float32),
        (np.random.default_rng(0).integers(0, 12, (COUNT, 6, 5), dtype=np.uint8), torch.uint8),
    ],
)
def test_labels_of_any_form_belong_to_their_rows(labels: np.ndarray, dtype: torch.dtype) -> None:
    """Classes, values, marks and masks arrive in their type, each with the row that it belongs to."""
    one = ArrayLoader(IMAGES, labels, np.arange(COUNT), batch_size=7, mean=MEAN, std=STD, shuffle=True)
    for batch in one.epoch(0):
        assert batch.labels.dtype == dtype
        np.testing.assert_array_equal(batch.labels.numpy(), labels[batch.index.numpy()].astype(np.float32))
        assert batch.dense == (labels.ndim == 3)


def test_masks_of_a_batch_may_be_changed() -> None:
    """A transform may write into the masks of a batch: the array stays."""
    masks = np.ones((COUNT, 6, 5), np.uint8)
    for batch in ArrayLoader(IMAGES, masks, np.arange(COUNT), batch_size=7, mean=MEAN, std=STD).epoch(0):
        batch.labels.fill_(7)
    assert (masks == 1).all()
