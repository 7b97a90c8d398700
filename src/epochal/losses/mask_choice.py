"""Losses of masks and weights of their classes by name, each with the value to expect before anything is learnt."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Integer
from torch import Tensor

from epochal.errors import SettingError
from epochal.losses.balancing import effective_number, inverse_frequency
from epochal.losses.masks import check_same_places, image_cross_entropy, image_focal, median_frequency
from epochal.losses.segmentation import dice

MASK_LOSSES = ("cross-entropy", "dice", "cross-entropy+dice", "focal")
CLASS_WEIGHTS = ("none", "balanced", "median-frequency", "effective-number")
SMOOTH = 1.0  # pixels; what `dice` takes by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskLoss:
    """The loss of masks by name: logits and masks of a batch in, one value per image out.

    "cross-entropy" and "focal" are means over an image's labelled pixels, "dice" over its classes;
    "cross-entropy+dice" is the sum of both. Weights and smoothing are the cross-entropy's (weights the focal loss's
    too): dice gives all classes of an image the same say by itself.

    Shapes: (n, c, h, w) and (n, h, w) to (n,).  Units: nats per pixel, dice 0 to 1.
    Raises: SettingError for another name, weights for dice alone, or smoothing where there is no cross-entropy.

    >>> import torch
    >>> loss = MaskLoss(name="cross-entropy+dice")
    >>> loss(torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.uint8))
    tensor([1.0131])
    """

    name: str = "cross-entropy"
    weights: tuple[float, ...] | None = None
    smoothing: float = 0.0
    gamma: float = 2.0  # Lin et al. 2017, section 5.1: best of those tried

    def __post_init__(self) -> None:
        """Refuse what cannot work before anything is trained with it."""
        if self.name not in MASK_LOSSES:
            raise SettingError.unknown("loss of the segmentation task", self.name, known=MASK_LOSSES)
        if self.name == "dice" and self.weights is not None:
            raise SettingError(
                "The dice loss was asked to weigh classes.",
                expected="no weights: it gives each class of an image the same say already.",
                remedy="cross-entropy+dice, whose cross-entropy takes them.",
            )
        if self.smoothing and "cross-entropy" not in self.name:
            raise SettingError(
                f"Label smoothing is {self.smoothing} for the {self.name} loss.",
                expected="0: only cross-entropy takes it.",
                remedy="set the smoothing to 0, or take cross-entropy.",
            )

    def __call__(
        self, logits: Float[Tensor, "n c h w"], masks: Integer[Tensor, "images height width"]
    ) -> Float[Tensor, " n"]:
        """The loss of each image.

        Raises: SettingError where logits and masks differ in number or size.
        """
        check_same_places(logits, masks)
        if self.name == "dice":
            return dice(logits, masks, smooth=SMOOTH)
        if self.name == "focal":
            return image_focal(logits, masks, gamma=self.gamma, weights=self.weights)
        entropy = image_cross_entropy(logits, masks, weights=self.weights, smoothing=self.smoothing)
        return entropy if self.name == "cross-entropy" else entropy + dice(logits, masks, smooth=SMOOTH)

    def expected_at_init(
        self, shares: Float64[np.ndarray, " c"], *, said: Float64[np.ndarray, " c"], dice: float = 0.0
    ) -> float:
        """The mean loss of a network that says the same shares of every pixel: exact on masks of these class shares.

        Cross-entropy: `-sum_k r_k w_k ((1 - s) log q_k + s mean_j log q_j)`, focal:
        `-sum_k r_k w_k (1 - q_k)^g log q_k`. r is the mean over images of their class shares (its sum is below 1 where
        images have no label at all), q what the network says. Dice depends on each image's classes: its value is handed
        in, from `epochal.stats.mask_counts.dice_of_constant`.

        Units: nats per pixel, dice 0 to 1.  Source: tip K2.4.

        >>> round(MaskLoss().expected_at_init(np.array([0.5, 0.5]), said=np.array([0.5, 0.5])), 4)
        0.6931
        """
        weighted = shares * (1.0 if self.weights is None else np.asarray(self.weights))
        surprise = -np.log(said)
        if self.name == "dice":
            return dice
        if self.name == "focal":
            return float(weighted @ ((1 - said) ** self.gamma * surprise))
        entropy = float(weighted @ ((1 - self.smoothing) * surprise + self.smoothing * surprise.mean()))
        return entropy if self.name == "cross-entropy" else entropy + dice


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
    if name not in CLASS_WEIGHTS:
        raise SettingError.unknown("class weighting", name, known=CLASS_WEIGHTS)
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
