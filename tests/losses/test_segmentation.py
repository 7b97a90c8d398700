"""Losses for masks against loops over pixels, with pixels that nobody labelled."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.losses.classification import expected_at_init
from epochal.losses.segmentation import (
    binary_dice,
    dice,
    expected_dice_at_init,
    masked_cross_entropy,
    mean_labelled,
    pixel_cross_entropy,
)

seeds = st.integers(0, 2**31)


def _masks(seed: int, *, classes: int = 4, shape: tuple[int, ...] = (3, 5, 6)) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=shape)
    labels[rng.random(shape) < 0.3] = 255
    logits = rng.normal(size=(shape[0], classes, *shape[1:])) * 3
    return torch.from_numpy(logits), torch.from_numpy(labels)


def _dice_twin(logits: np.ndarray, labels: np.ndarray, smooth: float) -> list[float]:
    out = []
    for z, mask in zip(logits, labels, strict=True):
        p = np.exp(z - z.max(0))
        p /= p.sum(0)
        each = []
        for k in range(len(z)):
            t = mask == k
            if t.any():
                kept = mask != 255
                each.append(1 - (2 * p[k][t].sum() + smooth) / (p[k][kept].sum() + t.sum() + smooth))
        out.append(float(np.mean(each)) if each else 0.0)
    return out


@given(seeds, st.floats(0, 0.9))
def test_pixels_cost_what_samples_cost(seed: int, smoothing: float) -> None:
    """Each labelled pixel costs as if it were a sample of its own, each other one nothing, with smoothing too."""
    logits, labels = _masks(seed)
    values = pixel_cross_entropy(logits, labels, smoothing=smoothing)
    rows, flat = logits.permute(0, 2, 3, 1).reshape(-1, 4).numpy(), labels.flatten().numpy()
    log_p = rows - np.log(np.exp(rows).sum(1, keepdims=True))
    wanted = [
        0.0 if k == 255 else -(1 - smoothing) * p[k] - smoothing * p.mean() for p, k in zip(log_p, flat, strict=True)
    ]
    np.testing.assert_allclose(values.flatten(), wanted, atol=1e-9)
    assert masked_cross_entropy(logits, labels, smoothing=smoothing).item() == pytest.approx(
        sum(wanted) / max(1, int((flat != 255).sum()))
    )


def test_equals_torch_where_torch_is_defined() -> None:
    """With a labelled pixel, the mean is torch's own."""
    logits, labels = _masks(0)
    wanted = F.cross_entropy(logits, labels, ignore_index=255)
    torch.testing.assert_close(masked_cross_entropy(logits, labels), wanted)


@pytest.mark.parametrize("loss", [masked_cross_entropy, dice])
def test_a_batch_without_labels_costs_nothing(loss: type) -> None:
    """The mean of torch is NaN there; ours is 0 with a gradient of 0."""
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    labels = torch.full((2, 4, 4), 255)
    assert torch.isnan(F.cross_entropy(logits, labels, ignore_index=255))
    value = loss(logits, labels)
    (grad,) = torch.autograd.grad(value.sum(), logits)
    assert value.abs().sum() == 0
    assert torch.equal(grad, torch.zeros_like(grad))


def test_binary_dice_without_labels_costs_nothing() -> None:
    """An image that nobody labelled is no empty mask."""
    logits = torch.randn(2, 4, 4, requires_grad=True)
    value = binary_dice(logits, torch.full((2, 4, 4), 255))
    (grad,) = torch.autograd.grad(value.sum(), logits)
    assert value.abs().sum() == grad.abs().sum() == 0


@given(seeds, st.sampled_from([0.0, 1.0, 7.0]))
def test_dice_equals_its_formula(seed: int, smooth: float) -> None:
    """Class by class over labelled pixels, the mean over classes that occur in the image."""
    logits, labels = _masks(seed)
    np.testing.assert_allclose(dice(logits, labels, smooth=smooth), _dice_twin(logits.numpy(), labels.numpy(), smooth))


@given(seeds)
def test_binary_dice_equals_its_formula(seed: int) -> None:
    """Sums over labelled pixels, image by image."""
    logits, labels = _masks(seed, classes=2)
    p, kept = 1 / (1 + np.exp(-logits[:, 0].numpy())), labels.numpy() != 255
    t = (labels.numpy() == 1) & kept
    wanted = [1 - (2 * a[y].sum() + 1) / (a[k].sum() + y.sum() + 1) for a, y, k in zip(p, t, kept, strict=True)]
    np.testing.assert_allclose(binary_dice(logits[:, 0], labels), wanted)


def test_gradients_are_right() -> None:
    """They pass torch's check by differences."""
    logits, labels = _masks(1, shape=(2, 3, 2))
    logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: masked_cross_entropy(z, labels), (logits,))
    assert torch.autograd.gradcheck(lambda z: dice(z, labels), (logits,))
    assert torch.autograd.gradcheck(lambda z: binary_dice(z[:, 0], (labels == 1).long()), (logits,))


def test_bytes_and_channels_last_are_taken() -> None:
    """Masks as they are stored and images as they are fast give the same values."""
    logits, labels = _masks(2)
    fast = logits.contiguous(memory_format=torch.channels_last)
    for loss in (pixel_cross_entropy, dice):
        torch.testing.assert_close(loss(fast, labels.to(torch.uint8)), loss(logits, labels))
    small = logits[:, 0].to(torch.bfloat16)
    assert binary_dice(small, labels == 1).dtype == torch.float32


def test_empty_batches_are_taken() -> None:
    """No image gives no value, and a mean of 0."""
    logits, labels = torch.zeros(0, 3, 4, 4), torch.zeros(0, 4, 4).long()
    assert dice(logits, labels).shape == (0,)
    assert masked_cross_entropy(logits, labels).item() == 0


def test_what_is_ignored_cannot_be_nan() -> None:
    """A value that is left out stays out of the mean, whatever it is."""
    values = torch.tensor([1.0, float("nan")])
    assert mean_labelled(values, torch.tensor([0, 255])).item() == 1.0


def test_right_and_wrong_masks() -> None:
    """A mask that is right costs 0, one that is wrong everywhere 1, when nothing is smoothed."""
    labels = torch.tensor([[[0, 1], [1, 0]]])
    sure = torch.stack([(labels[0] == k).float() * 80 - 40 for k in (0, 1)])[None]
    assert dice(sure, labels, smooth=0.0).item() == pytest.approx(0, abs=1e-6)
    assert dice(-sure, labels, smooth=0.0).item() == pytest.approx(1, abs=1e-6)
    assert binary_dice(torch.full((1, 4), -90.0), torch.zeros(1, 4).long(), smooth=0.0).item() == pytest.approx(1)


@given(st.lists(st.integers(1, 30), min_size=2, max_size=5), st.sampled_from([0.0, 1.0]))
def test_expected_dice_is_the_mean_loss(counts: list[int], smooth: float) -> None:
    """Of a network that says the same shares for every pixel, the prior or others (K2.4)."""
    prior = np.array(counts) / sum(counts)
    labels = torch.from_numpy(np.repeat(np.arange(len(counts)), counts))[None]
    for said in (prior, np.full(len(counts), 1 / len(counts))):
        logits = torch.from_numpy(np.log(said))[None, :, None].expand(1, -1, sum(counts))
        told = expected_dice_at_init(prior.tolist(), predicted=said.tolist(), pixels=sum(counts), smooth=smooth)
        assert told == pytest.approx(dice(logits, labels, smooth=smooth).item())


def test_expected_cross_entropy_is_that_of_samples() -> None:
    """The entropy of the class shares among labelled pixels, whatever is left out."""
    labels = torch.tensor([[0, 0, 0, 1, 255, 255]])
    logits = torch.tensor([0.75, 0.25]).log()[None, :, None].expand(1, 2, 6)
    assert masked_cross_entropy(logits, labels).item() == pytest.approx(expected_at_init([0.75, 0.25]), rel=1e-6)


def test_impossible_settings_are_refused() -> None:
    """Each is told in three parts."""
    logits, labels = torch.zeros(1, 2, 2), torch.zeros(1, 2).long()
    with pytest.raises(SettingError, match="smoothing"):
        pixel_cross_entropy(logits, labels, smoothing=1.0)
    for smooth in (-1.0, float("nan")):
        with pytest.raises(SettingError, match="smooth"):
            dice(logits, labels, smooth=smooth)
    with pytest.raises(SettingError, match="shares"):
        expected_dice_at_init([0.5, 0.5], predicted=[1.0], pixels=4)
