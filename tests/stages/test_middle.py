"""The middle of pictures with masks."""

import pytest
import torch

from epochal.data.batch import Batch
from epochal.stages.middle import middle


@pytest.mark.parametrize(("height", "width"), [(128, 64), (96, 96), (97, 200), (20, 10)])
def test_images_and_masks_are_cut_alike(height: int, width: int) -> None:
    """A mask that numbers the pixels still numbers those of its image, and nothing is larger than asked for."""
    places = torch.arange(height * width).view(1, height, width)
    batch = Batch(images=places[:, None].float(), labels=places, index=torch.zeros(1).long(), seed=0)
    cut = middle(batch)
    assert torch.equal(cut.images[:, 0].long(), cut.labels)
    assert cut.labels.shape[1:] == (min(height, 96), min(width, 96))
