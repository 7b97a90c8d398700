"""Losses for masks: every pixel has a class, or is left out."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Integer
from torch import Tensor

from epochal.errors import SettingError

VOID = 255  # the label of pixels that nobody labelled, by the custom of Pascal VOC and Cityscapes


def pixel_cross_entropy(
    logits: Float[Tensor, "n c *places"],
    labels: Integer[Tensor, "n *places"],
    *,
    ignore_index: int = VOID,
    smoothing: float = 0.0,
) -> Float[Tensor, "n *places"]:
    """Surprise at the true class of each pixel, 0 where the label is `ignore_index`.

    Labels may be bytes, as masks are stored. Do not average with `.mean()`, which counts pixels that were left out:
    `mean_labelled` does it right, and `masked_cross_entropy` is both in one. Before anything is learnt its mean is
    `epochal.losses.classification.expected_at_init` of the class shares among labelled pixels (tip K2.4).

    Shapes: n images, c classes, their pixels.  Units: nats per pixel, not averaged.
    Raises: SettingError if `smoothing` is outside [0, 1).  Source: Long et al. 2015, section 4.

    >>> pixel_cross_entropy(torch.zeros(1, 2, 1, 2), torch.tensor([[[1, 255]]]))
    tensor([[[0.6931, 0.0000]]])
    """
    if not 0 <= smoothing < 1:
        raise SettingError(f"Label smoothing is {smoothing}.", expected="0 or more, below 1.", remedy="0 for masks.")
    return F.cross_entropy(
        _widened(logits), labels.long(), reduction="none", ignore_index=ignore_index, label_smoothing=smoothing
    )


def mean_labelled(
    values: Float[Tensor, "n *places"], labels: Integer[Tensor, "n *places"], *, ignore_index: int = VOID
) -> Float[Tensor, ""]:
    """Mean over the pixels that are labelled; 0, with a gradient of 0, where none is.

    A crop may hold nothing but border or sky that nobody labelled. torch then divides 0 by 0, and the NaN ends the run.

    Shapes: n images, their pixels.  Units: those of the values.

    >>> mean_labelled(torch.tensor([2.0, 4.0, 9.0]), torch.tensor([0, 1, 255]))
    tensor(3.)
    >>> mean_labelled(torch.tensor([2.0]), torch.tensor([255]))
    tensor(0.)
    """
    kept = labels != ignore_index
    return values.where(kept, 0).sum() / kept.sum().clamp(min=1)


def masked_cross_entropy(
    logits: Float[Tensor, "n c *places"],
    labels: Integer[Tensor, "n *places"],
    *,
    ignore_index: int = VOID,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Cross-entropy over all labelled pixels of the batch, each counted alike, safe when there is none.

    Shapes: n images, c classes, their pixels.  Units: nats per labelled pixel.
    Raises: SettingError if `smoothing` is outside [0, 1).  Source: Long et al. 2015.

    >>> masked_cross_entropy(torch.zeros(1, 4, 2, 2), torch.full((1, 2, 2), 255))
    tensor(0.)
    """
    values = pixel_cross_entropy(logits, labels, ignore_index=ignore_index, smoothing=smoothing)
    return mean_labelled(values, labels, ignore_index=ignore_index)


def dice(
    logits: Float[Tensor, "n c *places"],
    labels: Integer[Tensor, "n *places"],
    *,
    ignore_index: int = VOID,
    smooth: float = 1.0,
) -> Float[Tensor, " n"]:
    """One minus the overlap with the true masks, by softmax: `1 - mean_k (2 sum p t + s) / (sum p + sum t + s)`.

    The mean is over the classes that occur in the image's own mask: a class that is nowhere would only say that
    nothing overlaps with nothing. Small classes count as much as large ones. `smooth` (s) counts in pixels and keeps
    tiny masks from shouting. An image without any labelled pixel costs 0, with a gradient of 0.

    Shapes: n images, c classes, their pixels.  Units: 0 (perfect) to 1, one value per image.
    Raises: SettingError if `smooth` < 0.  Source: Milletari et al. 2016, eq. 1, without squares.

    >>> sure = torch.tensor([[[[9.0, -9.0]], [[-9.0, 9.0]]]])
    >>> dice(sure, torch.tensor([[[0, 1]]])).round(decimals=3), dice(sure, torch.tensor([[[1, 0]]]), smooth=0.0)
    (tensor([0.]), tensor([1.0000]))
    """
    _check_smooth(smooth)
    p = _widened(logits).softmax(1).flatten(2)
    flat = labels.flatten(1).long()
    kept = flat != ignore_index
    where = flat.where(kept, 0)[:, None]
    counted = kept[:, None].to(p.dtype)
    there = p.new_zeros(p.shape[:2])
    true = there.scatter_add(1, where[:, 0], counted[:, 0])
    overlap = there.scatter_add(1, where[:, 0], (p.gather(1, where) * counted)[:, 0])
    said = (p @ counted.transpose(1, 2))[:, :, 0]
    return _mean_over_present(1 - (2 * overlap + smooth) / (said + true + smooth).clamp(min=_TINY), true > 0)


def binary_dice(
    logits: Float[Tensor, "n *places"],
    targets: Bool[Tensor, "n *places"] | Integer[Tensor, "n *places"],
    *,
    ignore_index: int = VOID,
    smooth: float = 1.0,
) -> Float[Tensor, " n"]:
    """Dice loss of one mask per image, by sigmoid: `1 - (2 sum p t + s) / (sum p + sum t + s)` over labelled pixels.

    With `smooth` above 0 an empty mask is asked for too: every pixel that is claimed costs.

    Shapes: n images, their pixels.  Units: 0 (perfect) to 1, one value per image.
    Raises: SettingError if `smooth` < 0.  Source: Milletari et al. 2016, eq. 1, without squares.

    >>> binary_dice(torch.tensor([[20.0, -20.0]]), torch.tensor([[1, 0]])).abs().round(decimals=4)
    tensor([0.])
    """
    _check_smooth(smooth)
    flat = targets.flatten(1)
    kept = (flat != ignore_index).to(torch.float32) if flat.dtype != torch.bool else torch.ones_like(flat).float()
    p = _widened(logits).sigmoid().flatten(1) * kept
    t = flat.to(p.dtype) * kept
    ratio = (2 * (p * t).sum(1) + smooth) / (p.sum(1) + t.sum(1) + smooth).clamp(min=_TINY)
    return torch.where(kept.sum(1) > 0, 1 - ratio, 0 * ratio)


def expected_dice_at_init(
    prior: Sequence[float], *, pixels: float, predicted: Sequence[float] | None = None, smooth: float = 1.0
) -> float:
    """Dice loss of a network that says the same shares for every pixel: `1 - mean_k (2 q r m + s) / (q m + r m + s)`.

    r are the shares of the classes among the m labelled pixels, q what the network says, by default r itself. For C
    classes in large images that is near `1 - 1 / C`.

    Units: 0 to 1.
    Raises: SettingError where shares are negative, do not sum to 1 or differ in number, or `pixels` is not above 0.
    Source: tip K2.4.

    >>> round(expected_dice_at_init([0.25] * 4, pixels=10**6), 4)
    0.75
    """
    _check_smooth(smooth)
    said = list(prior if predicted is None else predicted)
    fine = len(said) == len(prior) and all(s >= 0 for s in (*said, *prior)) and pixels > 0
    if not fine or abs(sum(prior) - 1) > 1e-6 or abs(sum(said) - 1) > 1e-6:
        raise SettingError(
            f"Class shares are {list(prior)[:8]}, predicted {said[:8]}, of {pixels} pixels.",
            expected="as many of each, none negative, summing to 1, of more than 0 pixels.",
            remedy="count the labelled pixels of each class and divide by their sum.",
        )
    pairs = [(q, r) for q, r in zip(said, prior, strict=True) if r > 0]
    overlaps = [(2 * q * r * pixels + smooth) / ((q + r) * pixels + smooth) for q, r in pairs]
    return 1 - math.fsum(overlaps) / len(overlaps)


_TINY = 1e-12  # where nothing is claimed and nothing is there: 0 / 0 is 0


def _mean_over_present(losses: Float[Tensor, "n c"], present: Bool[Tensor, "n c"]) -> Float[Tensor, " n"]:
    return losses.where(present, 0).sum(1) / present.sum(1).clamp(min=1)


def _check_smooth(smooth: float) -> None:
    if not smooth >= 0 or not math.isfinite(smooth):
        raise SettingError(f"smooth is {smooth}.", expected="0 or more pixels, finite.", remedy="1.0.")


def _widened(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()
