"""The batch as the network receives it, in plain facts (tip K2.10).

Everything that stands between the file and the first layer has happened by now: decoding, augmentation,
normalisation, layout.  What is wrong here is wrong in every step of training.  `epochal.checks.input` judges it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """What a batch is, in plain values.

    Units: means and spreads as the network gets them; `pixel_mean` and `pixel_std` are those of the data set's pixels
    on a scale of 0 to 1, where known.
    """

    shape: tuple[int, ...]
    dtype: str
    broken: int  # values that are NaN or infinite
    low: float
    high: float
    mean: float
    std: float
    constant_images: int
    distinct_images: int
    lag_correlation: tuple[float, float]  # of neighbouring pixels along a row, and of pixels three apart
    labels_dtype: str
    labels_low: int
    labels_high: int
    label_counts: tuple[int, ...]
    prior: tuple[float, ...]
    pixel_mean: float | None = None
    pixel_std: float | None = None


def describe_batch(
    images: Tensor,
    labels: Tensor,
    *,
    prior: Sequence[float],
    pixel_mean: float | None = None,
    pixel_std: float | None = None,
) -> BatchFacts:
    """The facts of a batch, ready to be judged: nothing is changed, and no network is needed.

    Shapes: images (n, c, h, w) as the network gets them, labels (n,); prior has one share per class.

    >>> facts = describe_batch(torch.randn(8, 3, 4, 4), torch.arange(8) % 2, prior=[0.5, 0.5])
    >>> facts.shape, facts.broken, facts.label_counts
    ((8, 3, 4, 4), 0, (4, 4))
    """
    values = images.detach().double().flatten(1)
    finite = values[values.isfinite()]
    labels_known = labels.numel() > 0 and not labels.is_floating_point()
    known = labels[(labels >= 0) & (labels < len(prior))].long() if labels_known else torch.zeros(0, dtype=torch.long)
    return BatchFacts(
        shape=tuple(images.shape),
        dtype=str(images.dtype).removeprefix("torch."),
        broken=int(values.numel() - finite.numel()),
        low=float(finite.min()) if finite.numel() else inf,
        high=float(finite.max()) if finite.numel() else -inf,
        mean=float(finite.mean()) if finite.numel() else 0.0,
        std=float(finite.std(unbiased=False)) if finite.numel() else 0.0,
        constant_images=int((values.amax(1) == values.amin(1)).sum()) if values.numel() else 0,
        distinct_images=len(torch.unique(values, dim=0)),
        lag_correlation=(_correlation(images, lag=1), _correlation(images, lag=3)),
        labels_dtype=str(labels.dtype).removeprefix("torch."),
        labels_low=int(labels.min()) if labels.numel() else 0,
        labels_high=int(labels.max()) if labels.numel() else 0,
        label_counts=tuple(torch.bincount(known, minlength=len(prior)).tolist()),
        prior=tuple(float(share) for share in prior),
        pixel_mean=pixel_mean,
        pixel_std=pixel_std,
    )


def _correlation(images: Tensor, *, lag: int) -> float:
    """Correlation of pixels so many columns apart, within images; 0 where there is no spread or no such pair."""
    if images.ndim != 4 or images.shape[3] <= lag:
        return 0.0
    centred = images.detach().double()
    centred = centred - centred.mean((2, 3), keepdim=True)
    left, right = centred[..., :-lag], centred[..., lag:]
    scale = float((left.square().sum() * right.square().sum()).sqrt())
    return float((left * right).sum()) / scale if isfinite(scale) and scale > 0 else 0.0
