"""What is kept of masks for judging, against counting by hand."""

import numpy as np
import pytest
import torch

from epochal.errors import SettingError
from epochal.losses.masks import image_cross_entropy
from epochal.stats.segmentation import mask_confusions
from epochal.tasks.mask_evidence import confusions_of, losses_of, mask_evidence


def _case() -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 4, (5, 8, 6), generator=source)
    masks[torch.rand(masks.shape, generator=source) < 0.3] = 255
    masks[2] = 255
    return torch.randn(5, 4, 8, 6, generator=source), masks


@pytest.mark.parametrize("kind", [torch.uint8, torch.int64])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_rows_hold_counts_loss_and_pixels(kind: torch.dtype, layout: torch.memory_format) -> None:
    """Counts are those of the likeliest classes image by image, the loss is its mean, however the logits lie."""
    logits, masks = _case()
    rows = mask_evidence(logits.contiguous(memory_format=layout), masks.to(kind)).numpy()
    expected = mask_confusions(logits.argmax(1).numpy(), masks.numpy(), classes=4)
    np.testing.assert_array_equal(confusions_of(rows), expected)
    np.testing.assert_allclose(losses_of(rows), image_cross_entropy(logits, masks), rtol=1e-6)
    np.testing.assert_array_equal(rows[:, -1], (masks != 255).sum((1, 2)))


def test_equal_logits_go_to_the_first_class() -> None:
    """As argmax decides it, so that a network that says nothing is not right by luck."""
    rows = mask_evidence(torch.zeros(1, 3, 2, 2), torch.tensor([[[0, 1], [2, 2]]]))
    assert confusions_of(rows.numpy())[0].tolist() == [[1, 0, 0], [1, 0, 0], [2, 0, 0]]


def test_nothing_is_asked_of_the_gradient() -> None:
    """Evidence is no part of the graph; no image gives no row."""
    logits, masks = _case()
    assert not mask_evidence(logits.requires_grad_(), masks).requires_grad
    assert mask_evidence(logits[:0], masks[:0]).shape == (0, 18)
    assert confusions_of(np.zeros((0, 18))).shape == (0, 4, 4)


def test_other_sizes_are_refused() -> None:
    """Logits of half the resolution are an error that says what to do."""
    logits, masks = _case()
    with pytest.raises(SettingError, match="enlarging its logits"):
        mask_evidence(logits[:, :, ::2, ::2], masks)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_counts_alike() -> None:
    """Counts on the device are those of the CPU."""
    logits, masks = _case()
    here, there = mask_evidence(logits, masks), mask_evidence(logits.cuda(), masks.cuda()).cpu()
    torch.testing.assert_close(here, there, rtol=1e-5, atol=1e-6)
