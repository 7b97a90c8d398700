"""Facts about the batch that travels through the network."""

import dataclasses

import pytest
import torch

from epochal.data.batch import Batch


def small() -> Batch:
    """Three images of one grey pixel."""
    images = torch.arange(3.0).reshape(3, 1, 1, 1)
    return Batch(images=images, labels=torch.tensor([2, 0, 1]), index=torch.tensor([9, 4, 6]), seed=5, epoch=2)


def test_length_counts_samples() -> None:
    """A batch is as long as it has labels."""
    assert len(small()) == 3


def test_replace_keeps_the_rest() -> None:
    """Replacing the images keeps labels, index, seed and epoch, and leaves the old batch as it was."""
    old = small()
    new = old.replace(images=old.images * 2)
    assert torch.equal(new.images, old.images * 2)
    assert torch.equal(old.images, torch.arange(3.0).reshape(3, 1, 1, 1))
    assert (new.labels is old.labels, new.index is old.index, new.seed, new.epoch) == (True, True, 5, 2)


def test_unknown_field_is_refused() -> None:
    """A misspelt field name is an error, not a silent extra."""
    with pytest.raises(TypeError, match="image"):
        small().replace(image=torch.zeros(1))


def test_frozen() -> None:
    """Nobody changes a batch in place by assignment."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        small().seed = 1  # type: ignore[misc]


def test_to_moves_every_tensor() -> None:
    """Moving a batch moves images, labels and index together."""
    moved = small().to("meta")
    assert {moved.images.device.type, moved.labels.device.type, moved.index.device.type} == {"meta"}


def plain(labels: torch.Tensor, **changes: object) -> Batch:
    """A batch of two images with such labels."""
    return Batch(images=torch.zeros(2, 3, 4, 4), labels=labels, index=torch.arange(2), seed=0, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "dense"),
    [
        (torch.zeros(2, dtype=torch.int64), False),
        (torch.zeros(2, 5), False),
        (torch.zeros(2, 4, 4, dtype=torch.uint8), True),
        (torch.zeros(2, 4, 4, dtype=torch.int64), True),
        (torch.zeros(2, 4, 4), False),
    ],
)
def test_masks_make_a_batch_dense(labels: torch.Tensor, *, dense: bool) -> None:
    """Whole numbers for each pixel are masks; classes, values and fractions for each pixel are not."""
    assert plain(labels).dense == dense
    assert len(plain(labels)) == 2


def test_boxes_and_keypoints_travel_along() -> None:
    """They are absent unless given, go to the device with the rest, and can be replaced."""
    batch = plain(torch.zeros(2, dtype=torch.int64))
    assert (batch.boxes, batch.keypoints) == (None, None)
    assert batch.to("cpu").boxes is None
    marked = batch.replace(boxes=torch.ones(2, 1, 4), keypoints=torch.ones(2, 3, 2)).to("meta")
    assert marked.boxes is not None
    assert marked.keypoints is not None
    assert (marked.boxes.device.type, marked.keypoints.shape) == ("meta", (2, 3, 2))
