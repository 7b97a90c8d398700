"""Losses of whole images whose every pixel has a class: one value per image, averaged over its labelled pixels."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from epochal.errors import SettingError
from epochal.losses.focal import focal
from epochal.losses.image_surprise import image_surprise, is_fast
from epochal.losses.segmentation import VOID, pixel_cross_entropy


def image_cross_entropy(
    logits: Float[Tensor, "n c h w"],
    masks: Integer[Tensor, "images height width"],  # n, h and w, which a network may get wrong
    *,
    weights: Sequence[float] | None = None,
    smoothing: float = 0.0,
    ignore_index: int = VOID,
) -> Float[Tensor, " n"]:
    """Mean surprise at the true classes of each image's labelled pixels: `sum w_y (-log p_y) / pixels`.

    A weight belongs to the pixel, and the sum is divided by pixels, not by weights: an image of rare classes costs
    more than one of common ones. An image without labelled pixels costs 0, with a gradient of 0.

    Shapes: n images of h by w pixels, c classes.  Units: nats per labelled pixel, one value per image.
    Raises: SettingError where logits and masks differ in size, or there is not one weight per class, or `smoothing` is
    outside [0, 1).  Source: Long et al. 2015, section 4.

    >>> image_cross_entropy(torch.zeros(2, 2, 1, 2), torch.tensor([[[1, 255]], [[255, 255]]]))
    tensor([0.6931, 0.0000])
    """
    check_same_places(logits, masks)
    if not is_fast(logits):
        values = pixel_cross_entropy(logits, masks, ignore_index=ignore_index, smoothing=smoothing)
        if weights is not None:
            values = values * _of_pixels(weights, _known(masks, ignore_index), classes=logits.shape[1]).to(values)
        return image_mean(values, masks, ignore_index=ignore_index)
    kept, labels = masks != ignore_index, _known(masks, ignore_index)
    prices = kept / kept.flatten(1).sum(1).clamp(min=1)[:, None, None]
    if weights is not None:
        prices = prices * _of_pixels(weights, labels, classes=logits.shape[1])
    return image_surprise(logits, labels, prices=prices, smoothing=smoothing)


def image_focal(
    logits: Float[Tensor, "n c h w"],
    masks: Integer[Tensor, "images height width"],  # n, h and w, which a network may get wrong
    *,
    gamma: float = 2.0,
    weights: Sequence[float] | None = None,
    ignore_index: int = VOID,
) -> Float[Tensor, " n"]:
    """Mean focal loss of each image's labelled pixels, which looks away from pixels that are already right.

    Shapes: n images of h by w pixels, c classes.  Units: nats per labelled pixel, one value per image.
    Raises: SettingError where logits and masks differ in size, or as `epochal.losses.focal.focal`.
    Source: Lin et al. 2017, eq. 5; tip S7.

    >>> image_focal(torch.zeros(1, 2, 1, 2), torch.tensor([[[1, 255]]]), gamma=1.0)
    tensor([0.3466])
    """
    check_same_places(logits, masks)
    values = focal(logits, masks, gamma=gamma, alpha=weights, ignore_index=ignore_index)
    return image_mean(values, masks, ignore_index=ignore_index)


def image_mean(
    values: Float[Tensor, "n *places"], masks: Integer[Tensor, "n *places"], *, ignore_index: int = VOID
) -> Float[Tensor, " n"]:
    """Mean over the labelled pixels of each image, of values that are 0 where nobody labelled; 0 where no pixel is.

    >>> image_mean(torch.tensor([[2.0, 4.0, 0.0], [0.0, 0.0, 0.0]]), torch.tensor([[0, 1, 255], [255, 255, 255]]))
    tensor([3., 0.])
    """
    labelled = (masks != ignore_index).flatten(1).sum(1)
    return values.flatten(1).sum(1) / labelled.clamp(min=1)


def check_same_places(logits: Tensor, masks: Tensor) -> None:
    """Refuse a network that answers for other pixels than were labelled.

    Raises: SettingError.

    >>> check_same_places(torch.zeros(1, 2, 8, 8), torch.zeros(1, 8, 8))
    """
    if logits.ndim != 4 or (logits.shape[0], *logits.shape[2:]) != tuple(masks.shape):
        raise SettingError(
            f"The network gives {tuple(logits.shape)} for masks of {tuple(masks.shape)}.",
            expected="(images, classes, height, width), with the images, height and width of the masks.",
            remedy="end the network by enlarging its logits to the size of its input: F.interpolate, bilinear.",
        )


def median_frequency(counts: Sequence[float], *, where_present: Sequence[float]) -> tuple[float, ...]:
    """Weigh classes by how much of the pictures they fill where they occur: `w_k = median(f) / f_k`.

    `f_k` is the number of pixels of the class over all labelled pixels of the images that show it. A class that is rare
    because few images show it is not weighed up for that, unlike by `epochal.losses.balancing.inverse_frequency`. The
    weights are not scaled: the median class has 1. A class without pixels has weight 0.

    Raises: SettingError where a count is negative, not finite, or larger than its images have pixels, or all are 0.
    Source: Eigen and Fergus 2015, section 6.3.2; Badrinarayanan et al. 2017, section 4.1.

    >>> median_frequency([60, 30, 10], where_present=[100, 100, 20])
    (0.8333333333333334, 1.6666666666666667, 1.0)
    """
    fine = len(counts) == len(where_present) and any(counts) and all(map(math.isfinite, where_present))
    if not fine or not all(0 <= count <= held for count, held in zip(counts, where_present, strict=True)):
        raise SettingError(
            f"Pixels per class are {list(counts)[:8]}, in images that hold {list(where_present)[:8]}.",
            expected="as many of each, none negative, none more than its images hold, one above 0.",
            remedy="count the labelled pixels of each class, and all labelled pixels of the images with that class.",
        )
    shares = [count / held if count else 0.0 for count, held in zip(counts, where_present, strict=True)]
    middle = float(torch.tensor([share for share in shares if share], dtype=torch.float64).quantile(0.5))
    return tuple(middle / share if share else 0.0 for share in shares)


def _known(masks: Tensor, ignore_index: int) -> Tensor:
    """Labels as class numbers, the first class where nobody labelled."""
    return masks.long().where(masks != ignore_index, 0)


def _of_pixels(weights: Sequence[float], labels: Tensor, *, classes: int) -> Tensor:
    per_class = torch.as_tensor(weights, dtype=torch.float32, device=labels.device)
    if per_class.shape != (classes,) or not all(0 <= weight < math.inf for weight in weights):
        raise SettingError(
            f"The class weights are {list(weights)[:8]} for {classes} classes.",
            expected="one finite weight of 0 or more per class.",
            remedy="inverse_frequency or median_frequency of the pixels.",
        )
    return per_class.index_select(0, labels.flatten()).view_as(labels)  # 7 times the speed of per_class[labels]
