"""Losses of whole images against torch and loops, on every path and with pixels that nobody labelled."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from epochal.errors import SettingError
from epochal.losses.focal import focal
from epochal.losses.masks import image_cross_entropy, image_focal, image_mean, median_frequency

seeds = st.integers(0, 2**31)
WEIGHTS = (0.5, 2.0, 1.0, 0.0)


def _masks(seed: int, *, shape: tuple[int, int, int] = (3, 5, 6)) -> tuple[Tensor, Tensor]:
    source = np.random.default_rng(seed)
    labels = source.integers(4, size=shape)
    labels[source.random(shape) < 0.3] = 255
    labels[0] = 255 if seed % 3 == 0 else labels[0]
    logits = source.normal(size=(shape[0], 4, *shape[1:])) * 3
    return torch.from_numpy(logits), torch.from_numpy(labels)


def _twin(logits: Tensor, labels: Tensor, *, weights: tuple[float, ...] | None, smoothing: float) -> list[float]:
    """Pixel by pixel, from the formula."""
    values = []
    for z, mask in zip(logits.double().numpy(), labels.numpy(), strict=True):
        log_p = z - np.log(np.exp(z).sum(axis=0))
        costs = [
            (1.0 if weights is None else weights[mask[at]])
            * -((1 - smoothing) * log_p[(mask[at], *at)] + smoothing * log_p[(slice(None), *at)].mean())
            for at in np.ndindex(mask.shape)
            if mask[at] != 255
        ]
        values.append(float(np.mean(costs)) if costs else 0.0)
    return values


PATHS: dict[str, Callable[[Tensor], Tensor]] = {
    "float32": lambda z: z.float(),
    "float64": lambda z: z,
    "channels last": lambda z: z.float().contiguous(memory_format=torch.channels_last),
    "strided": lambda z: torch.cat([z, z], dim=3).float()[..., : z.shape[3]],
}


@pytest.mark.parametrize("path", PATHS)
@given(seed=seeds, smoothing=st.sampled_from([0.0, 0.2]), weights=st.sampled_from([None, WEIGHTS]))
def test_each_image_costs_the_mean_of_its_pixels(
    path: str, seed: int, smoothing: float, weights: tuple[float, ...] | None
) -> None:
    """However the logits lie in memory the values are the formula's, an image without labels costs nothing."""
    logits, labels = _masks(seed)
    values = image_cross_entropy(PATHS[path](logits), labels, weights=weights, smoothing=smoothing)
    expected = _twin(logits, labels, weights=weights, smoothing=smoothing)
    np.testing.assert_allclose(values.numpy(), expected, atol=1e-5)


@given(seed=seeds, smoothing=st.sampled_from([0.0, 0.2]), weights=st.sampled_from([None, WEIGHTS]))
def test_both_paths_have_one_slope(seed: int, smoothing: float, weights: tuple[float, ...] | None) -> None:
    """The slope made in place is that of the plain formula in float64, whatever each image's loss is multiplied by."""
    logits, labels = _masks(seed)
    share = torch.rand(3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    slopes = []
    for each in (logits.float(), logits):
        z = each.clone().requires_grad_()
        loss = image_cross_entropy(z, labels, weights=weights, smoothing=smoothing)
        slopes.append(torch.autograd.grad((loss * share.to(loss)).sum(), z)[0].double())
    torch.testing.assert_close(slopes[0], slopes[1], atol=1e-6, rtol=1e-4)


def test_one_image_is_torchs_mean() -> None:
    """For a single image, with weights of 1 and without, it is what torch gives over its pixels."""
    logits, labels = _masks(1, shape=(1, 8, 9))
    expected = F.cross_entropy(logits, labels, ignore_index=255)
    for each in (logits, logits.float()):
        torch.testing.assert_close(image_cross_entropy(each, labels)[0].double(), expected)


def test_bytes_are_taken_as_masks() -> None:
    """Masks as they are stored give what numbers of any width give."""
    logits, labels = _masks(2)
    expected = image_cross_entropy(logits.float(), labels)
    for kind in (torch.uint8, torch.int16, torch.int32):
        torch.testing.assert_close(image_cross_entropy(logits.float(), labels.to(kind)), expected)


def test_half_precision_is_widened() -> None:
    """bfloat16 logits give float32 values of the same numbers."""
    logits, labels = _masks(4)
    half = logits.bfloat16()
    torch.testing.assert_close(image_cross_entropy(half, labels), image_cross_entropy(half.float(), labels))


@given(seeds, st.sampled_from([None, WEIGHTS]))
def test_focal_is_that_of_pixels(seed: int, weights: tuple[float, ...] | None) -> None:
    """The mean over each image's labelled pixels of the focal loss of each."""
    logits, labels = _masks(seed)
    values = image_focal(logits, labels, gamma=1.5, weights=weights)
    for got, z, mask in zip(values, logits, labels, strict=True):
        each = focal(z[None], mask[None], gamma=1.5, alpha=weights, ignore_index=255)
        expected = each.sum() / max(1, int((mask != 255).sum()))
        torch.testing.assert_close(got, expected)


@pytest.mark.parametrize("loss", [image_cross_entropy, image_focal])
def test_a_batch_without_labels_costs_nothing(loss: Callable[..., Tensor]) -> None:
    """Value and slope are 0, not NaN; no image gives no value."""
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    value = loss(logits, torch.full((2, 4, 4), 255))
    (slope,) = torch.autograd.grad(value.sum(), logits)
    assert value.abs().sum() == slope.abs().sum() == 0
    assert loss(logits[:0], torch.zeros(0, 4, 4).long()).shape == (0,)


@pytest.mark.parametrize("loss", [image_cross_entropy, image_focal])
@pytest.mark.parametrize("shape", [(2, 8, 8), (2, 16, 8), (1, 16, 16)])
def test_other_sizes_are_refused(loss: Callable[..., Tensor], shape: tuple[int, ...]) -> None:
    """Logits at another resolution than the mask are an error that says what to do, whatever torch would."""
    logits = torch.zeros(2, 3, 16, 16)
    with pytest.raises(SettingError, match="enlarging its logits"):
        loss(logits, torch.zeros(shape).long())


def test_means_leave_out_what_nobody_labelled() -> None:
    """Each image is divided by its own labelled pixels."""
    values, masks = torch.ones(2, 2, 2), torch.tensor([[[0, 1], [255, 255]], [[0, 0], [0, 255]]])
    kept = values.where(masks != 255, 0)
    assert image_mean(kept, masks).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("weights", [(1.0, 2.0), (1.0, 1.0, -1.0, 1.0), (1.0, 1.0, float("nan"), 1.0)])
def test_impossible_weights_are_refused(weights: tuple[float, ...]) -> None:
    """One finite weight of 0 or more is needed per class."""
    logits, labels = _masks(1)
    for each in (logits, logits.float()):
        with pytest.raises(SettingError, match="class weights"):
            image_cross_entropy(each, labels, weights=weights)


def test_median_frequency_is_the_papers() -> None:
    """Median of the frequencies over each one's frequency, where each counts only images with the class."""
    counts, present = [900, 90, 10, 0], [1000, 1000, 20, 0]
    frequency = np.array([0.9, 0.09, 0.5])
    expected = np.median(frequency) / frequency
    np.testing.assert_allclose(median_frequency(counts, where_present=present), [*expected, 0])


@pytest.mark.parametrize(("counts", "present"), [([1, 2], [3]), ([0, 0], [0, 0]), ([4, 1], [3, 9]), ([-1, 1], [3, 9])])
def test_impossible_counts_are_refused(counts: list[int], present: list[int]) -> None:
    """More pixels than their images hold, none at all or fewer than none are told in three parts."""
    with pytest.raises(SettingError, match="Pixels per class"):
        median_frequency(counts, where_present=present)
