"""Losses of masks and weights of their classes by name, each with the value to expect before anything is learnt."""

import difflib
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Integer
from torch import Tensor

from epochal.errors import SettingError
from epochal.losses.balancing import effective_number, inverse_frequency
from epochal.losses.masks import check_same_places, image_cross_entropy, image_focal, median_frequency
from epochal.losses.segmentation import dice

MASK_LOSSES = ("cross-entropy", "dice", "cross-entropy+dice", "focal")
CLASS_WEIGHTS = ("none", "balanced", "median-frequency", "effective-number")
GAMMA = 2.0  # Lin et al. 2017, section 5.1: best of those tried
SMOOTH = 1.0  # pixels; what `dice` takes by itself

MaskLoss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def mask_loss(name: str, *, weights: Sequence[float] | None = None, smoothing: float = 0.0) -> MaskLoss:
    """Choose the loss of masks by name: logits and masks of a batch in, one value per image out.

    `dice` weighs all classes of an image alike by itself, so that weights and smoothing are the cross-entropy's alone.

    Raises: SettingError for another name, weights for `dice` alone, or smoothing where there is no cross-entropy.

    >>> import torch
    >>> mask_loss("cross-entropy+dice")(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.uint8))
    tensor([1.0131])
    """
    _check(name, weights=weights, smoothing=smoothing)
    entropy = partial(image_cross_entropy, weights=weights, smoothing=smoothing)
    losses: dict[str, MaskLoss] = {
        "cross-entropy": entropy,
        "dice": _image_dice,
        "cross-entropy+dice": partial(_both, entropy),
        "focal": partial(image_focal, gamma=GAMMA, weights=weights),
    }
    return losses[name]


def expected_mask_loss(
    name: str,
    *,
    shares: Float64[np.ndarray, " c"],
    said: Float64[np.ndarray, " c"],
    weights: Sequence[float] | None = None,
    smoothing: float = 0.0,
    dice: float = 0.0,
) -> float:
    """Mean loss of a network that says the same shares for every pixel: exact on masks of these class shares.

    Cross-entropy: `-sum_k r_k w_k ((1 - s) log q_k + s mean_j log q_j)`; focal: `-sum_k r_k w_k (1 - q_k)^g log q_k`.
    r is the mean over images of their class shares (its sum is below 1 where images have no label at all), q what the
    network says. Dice depends on each image's classes: its value is handed in, from
    `epochal.stats.mask_counts.dice_of_constant`.

    Units: nats per pixel, dice 0 to 1.  Raises: SettingError as `mask_loss`.  Source: tip K2.4.

    >>> round(expected_mask_loss("cross-entropy", shares=np.array([0.5, 0.5]), said=np.array([0.5, 0.5])), 4)
    0.6931
    """
    _check(name, weights=weights, smoothing=smoothing)
    weighted = shares * (1.0 if weights is None else np.asarray(weights))
    surprise = -np.log(said)
    if name == "dice":
        return dice
    if name == "focal":
        return float(weighted @ ((1 - said) ** GAMMA * surprise))
    entropy = float(weighted @ ((1 - smoothing) * surprise + smoothing * surprise.mean()))
    return entropy + dice if name == "cross-entropy+dice" else entropy


def mask_class_weights(
    name: str,
    *,
    shares: Sequence[float],
    pixels: Sequence[float],
    where_present: Sequence[float],
    images: Sequence[float],
) -> tuple[float, ...] | None:
    """Choose weights of the classes by name; their mean over the pixels is 1, so that the loss keeps its size.

    "balanced" gives all classes the same say; "median-frequency" looks only at images in which a class occurs;
    "effective-number" counts images, for the pixels of one image repeat each other.

    Raises: SettingError for another name.
    Source: King and Zeng 2001; Eigen and Fergus 2015, section 6.3.2; Cui et al. 2019, eq. 2; tip W9.

    >>> mask_class_weights("balanced", shares=[0.75, 0.25], pixels=[3, 1], where_present=[4, 4], images=[1, 1])
    (0.6666666666666666, 2.0)
    """
    _check_name(name, known=CLASS_WEIGHTS, what="The weights of the classes are")
    if name == "none":
        return None
    if name == "balanced":
        return inverse_frequency(shares)
    if name == "median-frequency":
        raw = median_frequency(pixels, where_present=where_present)
    else:
        raw = effective_number(images)
    mean = sum(weight * share for weight, share in zip(raw, shares, strict=True)) / sum(shares)
    return tuple(weight / mean for weight in raw)


def _image_dice(logits: Float[Tensor, "n c h w"], masks: Integer[Tensor, "n h w"]) -> Float[Tensor, " n"]:
    check_same_places(logits, masks)
    return dice(logits, masks, smooth=SMOOTH)


def _both(entropy: MaskLoss, logits: Tensor, masks: Tensor) -> Tensor:  # noqa: PLR0917  partial fills the first
    return entropy(logits, masks) + _image_dice(logits, masks)


def _check(name: str, *, weights: Sequence[float] | None, smoothing: float) -> None:
    _check_name(name, known=MASK_LOSSES, what="The loss of masks is")
    if name == "dice" and weights is not None:
        raise SettingError(
            "The dice loss was asked to weigh classes.",
            expected="no weights: it gives each class of an image the same say already.",
            remedy="cross-entropy+dice, whose cross-entropy takes them.",
        )
    if smoothing and "cross-entropy" not in name:
        raise SettingError(
            f"Label smoothing is {smoothing} for the {name} loss.",
            expected="0: only cross-entropy takes it.",
            remedy="set the smoothing to 0, or take cross-entropy.",
        )


def _check_name(name: str, *, known: Sequence[str], what: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise SettingError(
            f"{what} {name!r}.",
            expected=f"one of {', '.join(known)}.",
            remedy=f"did you mean {near[0]}?" if near else known[0],
        )
