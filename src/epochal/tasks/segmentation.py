"""Segmentation: each pixel is one of a fixed set of classes, or was labelled by nobody.

target      one class number per pixel, 0 to c - 1; 255 where nobody labelled
loss        cross-entropy of the labelled pixels, averaged over each image and then over images
metric      mean overlap (IoU) over the classes that occur, pooled over the split; its interval draws images again
head        one logit per class and pixel, its bias begun at the logarithm of the class shares
chance      the most common class everywhere; the most common class at each place of the picture
prediction  a mask, and the share of each class, per file
"""
# ruff: noqa: ARG002  the evidence holds what is needed of the labels; other tasks need them beside it

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int64, Integer, Num, UInt8
from torch import Tensor, nn

from epochal.losses.mask_choice import SMOOTH, MaskLoss, mask_class_weights
from epochal.models.head import log_prior, set_prior_bias_
from epochal.stats.intervals import Interval
from epochal.stats.mask_counts import count_masks, dice_of_constant, trivial_confusions
from epochal.stats.mask_rows import (
    caption_of_image,
    figures_of_masks,
    hardest_images,
    most_seen,
    rows_of_classes,
    rows_of_images,
)
from epochal.stats.segmentation import masks_of, mean_iou_gain, mean_iou_interval
from epochal.tasks.mask_evidence import confusions_of, losses_of, mask_evidence
from epochal.tasks.task import Metric, figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmentation:
    """The task on one data set: its classes, and what the training masks hold of each.

    `shares` is the mean over images of a class's share of the labelled pixels: what a loss that is averaged over images
    sees. `places` is the most common class of each cell of the picture. What is left out is taken from `pixels`.

    >>> task = Segmentation(classes=("road", "sky"), pixels=(300, 100))
    >>> task.majority, round(task.initial_loss(), 4)
    ('road', 0.5624)
    """

    classes: tuple[str, ...]
    pixels: tuple[int, ...]
    shares: tuple[float, ...] = ()
    images: tuple[int, ...] = ()
    where_present: tuple[int, ...] = ()
    places: tuple[tuple[int, ...], ...] = ()
    dice: float | None = None  # expected of the prior on the training masks; None: of one picture of all pixels

    @classmethod
    def of(cls, classes: Sequence[str], masks: UInt8[np.ndarray, "n h w"]) -> "Segmentation":
        """Count the training masks, which may be a memory-mapped file: one image is read at a time.

        Raises: DataError for fewer than two classes, a label that is none of them, or masks without any label.

        >>> Segmentation.of(["road", "sky"], np.array([[[0, 0], [1, 255]]], np.uint8)).pixels
        (2, 1)
        """
        found = count_masks(masks, classes=len(classes))
        task = cls(
            classes=tuple(classes),
            pixels=tuple(found.pixels.tolist()),
            shares=tuple(found.shares.tolist()),
            images=tuple(found.images.tolist()),
            where_present=tuple(found.where_present.tolist()),
            places=tuple(tuple(row) for row in found.places.tolist()),
        )
        return dataclasses.replace(task, dice=dice_of_constant(found.per_image, said=task.prior, smooth=SMOOTH))

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Segmentation":
        """Make the task again from what `describe` gave."""
        lists = {name: tuple(description[name]) for name in ("classes", "pixels", "shares", "images", "where_present")}
        places = tuple(tuple(row) for row in description["places"])
        return cls(**lists, places=places, dice=description["dice"])

    @property
    def name(self) -> str:
        """`segmentation`."""
        return "segmentation"

    @property
    def metric(self) -> Metric:
        """Mean overlap over the classes that occur."""
        return Metric(name="mean IoU", higher_is_better=True)

    @property
    def outputs(self) -> int:
        """One logit per class, for each pixel."""
        return len(self.classes)

    @property
    def dense(self) -> bool:
        """One answer per pixel."""
        return True

    @property
    def names(self) -> tuple[str, ...]:
        """The classes."""
        return self.classes

    @property
    def majority(self) -> str:
        """The class with most pixels in the training split."""
        return self.classes[int(np.argmax(self.pixels))]

    @property
    def prior(self) -> Float64[np.ndarray, " c"]:
        """The class shares as the head's first bias gives them: one pixel is added to each class.

        >>> Segmentation(classes=("road", "sky"), pixels=(7, 1)).prior.round(3).tolist()
        [0.8, 0.2]
        """
        said = np.exp(log_prior(self._weight_of_classes()).double().numpy())
        return np.asarray(said / said.sum())

    def describe(self) -> dict[str, Any]:
        """Plain values that say everything."""
        lists = {name: list(getattr(self, name)) for name in ("classes", "pixels", "shares", "images", "where_present")}
        return {"name": self.name, **lists, "places": [list(row) for row in self.places], "dice": self.dice}

    def prepare_(self, model: nn.Module) -> None:
        """Begin the last convolution of `model` at the class shares, in place (tip K2.5).

        Raises: SettingError where the last layer does not have one bias per class.
        """
        set_prior_bias_(model, self._weight_of_classes())

    def loss(
        self, *, smoothing: float = 0.0, name: str = "cross-entropy", class_weights: str = "none", gamma: float = 2.0
    ) -> MaskLoss:
        """The loss of a batch: logits and masks in, one value per image out, averaged over its labelled pixels.

        `name` is cross-entropy, dice, cross-entropy+dice or focal; `class_weights` is none, balanced, median-frequency
        or effective-number.

        Raises: SettingError for other names, or for options that the loss does not take.

        >>> import torch
        >>> task = Segmentation(classes=("road", "sky"), pixels=(7, 1))
        >>> task.loss()(torch.zeros(1, 2, 1, 2), torch.tensor([[[0, 255]]]))
        tensor([0.6931])
        """
        weights = self.class_weights(class_weights)
        return MaskLoss(name=name, weights=weights, smoothing=smoothing, gamma=gamma)

    def class_weights(self, name: str) -> tuple[float, ...] | None:
        """One weight per class by its name, their mean 1 over the training pixels; None for `none`."""
        return mask_class_weights(
            name,
            shares=self._shares().tolist(),
            pixels=self.pixels,
            where_present=self.where_present or [sum(self.pixels)] * self.outputs,
            images=self.images or [int(count > 0) for count in self.pixels],
        )

    def initial_loss(
        self, *, smoothing: float = 0.0, name: str = "cross-entropy", class_weights: str = "none", gamma: float = 2.0
    ) -> float:
        """The loss to expect before the first step, on images that hold what the training masks hold (tip K2.4).

        Without options it is the entropy of the class shares, averaged over images as the loss is.

        >>> even = Segmentation(classes=tuple("abcd"), pixels=(9, 9, 9, 9))
        >>> round(even.initial_loss(), 4), round(even.initial_loss(name="focal"), 4)
        (1.3863, 0.7798)
        """
        loss = self.loss(smoothing=smoothing, name=name, class_weights=class_weights, gamma=gamma)
        return loss.expected_at_init(self._shares(), said=self.prior, dice=self._dice())

    def constant(self) -> Float[Tensor, " c"]:
        """The logits of the class shares, for every pixel."""
        return log_prior(self._weight_of_classes())

    def decoder(self) -> nn.Module:
        """Logits are handed on as they are."""
        return nn.Identity()

    def evidence(self, outputs: Float[Tensor, "n c h w"], labels: Integer[Tensor, "n h w"]) -> Num[Tensor, "n e"]:
        """Per image the c x c pixels by true and predicted class, the mean loss, and the number of labelled pixels.

        Raises: SettingError where outputs and masks differ in size.
        """
        return mask_evidence(outputs, labels)

    def score(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> Interval:
        """Mean overlap with its interval over images."""
        return mean_iou_interval(confusions_of(evidence))

    def losses(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> Float64[np.ndarray, " n"]:
        """Mean cross-entropy of each image's labelled pixels."""
        return losses_of(evidence)

    def gain(
        self, candidate: Num[np.ndarray, "n e"], present: Num[np.ndarray, "n e"], *, labels: np.ndarray
    ) -> Interval:
        """Difference of the mean overlaps, the same images drawn again for both."""
        return mean_iou_gain(confusions_of(candidate), confusions_of(present))

    def temperature(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> float:
        """1: the evidence holds counts, not the probabilities of millions of pixels, and no mask depends on them."""
        return 1.0

    def trivial(self, labels: UInt8[np.ndarray, "n h w"]) -> dict[str, Interval]:
        """Mean overlap on `labels` of answers that look at no image, the better one first.

        `majority` names the most common class everywhere, `position` the most common class at each place.

        >>> task = Segmentation.of(["road", "sky"], np.array([[[1, 1], [0, 0]]] * 3, np.uint8))
        >>> scores = task.trivial(np.array([[[1, 1], [0, 1]]], np.uint8))
        >>> [(name, round(each.value, 2)) for name, each in scores.items()]
        [('position', 0.58), ('majority', 0.12)]
        """
        majority = int(np.argmax(self.pixels))
        answers = {"majority": [[majority]], "position": self.places or [[majority]]}
        scores = {
            name: mean_iou_interval(trivial_confusions(labels, np.asarray(said), classes=self.outputs, common=majority))
            for name, said in answers.items()
        }
        return dict(sorted(scores.items(), key=lambda each: -each[1].value))

    def summary(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> dict[str, Any]:
        """The figures of a split for `summary.json`, pooled over all labelled pixels."""
        score = self.score(evidence, labels)
        own = figures_of_masks(confusions_of(evidence), losses_of(evidence))
        return {**figures(self, score, samples=len(evidence)), "mean_iou": score.value, **own}

    def details(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> dict[str, Any]:
        """What a report draws beside the score: each class alone, and which is taken for which, in pixels."""
        confusions = confusions_of(evidence)
        pooled = confusions.sum(axis=0)
        return {
            "per_class": rows_of_classes(confusions, classes=self.classes),
            "confusion": {"labels": list(self.classes), "counts": pooled.tolist()},
            "pixel_accuracy": figures_of_masks(confusions, losses_of(evidence))["pixel_accuracy"],
        }

    def masks(self, outputs: Num[np.ndarray, "n c h w"]) -> UInt8[np.ndarray, "n h w"]:
        """The likeliest class of each pixel, as a mask is stored."""
        return masks_of(outputs)

    def predicted(self, outputs: Num[np.ndarray, "n c h w"]) -> list[dict[str, Any]]:
        """The share of each class in the mask of each image; the masks themselves are those of `masks`.

        >>> task = Segmentation(classes=("road", "sky"), pixels=(7, 1))
        >>> task.predicted(np.array([[[[1.0, 0.0]], [[0.0, 2.0]]]]))
        [{'share.road': 0.5, 'share.sky': 0.5}]
        """
        return [
            {f"share.{name}": round(float((mask == k).mean()), 6) for k, name in enumerate(self.classes)}
            for mask in masks_of(outputs)
        ]

    def judged(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray) -> list[dict[str, Any]]:
        """Overlap, pixels right and the worst class of each image."""
        return rows_of_images(confusions_of(evidence), losses_of(evidence), classes=self.classes)

    def hardest(self, evidence: Num[np.ndarray, "n e"], labels: np.ndarray, *, count: int) -> Int64[np.ndarray, " k"]:
        """The images with the lowest overlap."""
        return hardest_images(confusions_of(evidence), count=count)

    def caption(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """How well the masks overlap, and where least.

        >>> task = Segmentation(classes=("road", "sky"), pixels=(7, 1))
        >>> task.caption({"mean_iou": 0.775, "pixel_accuracy": 0.9, "worst": "road", "worst_iou": 0.5})
        ('IoU 78%, road 50%', 'mean IoU 77.5%, 90.0% of pixels right; least overlap: road, 50.0%')
        """
        return caption_of_image(row)

    def spoken(self, labels: UInt8[np.ndarray, "n h w"]) -> list[str]:
        """The two classes that fill most of each mask."""
        return [most_seen(mask, classes=self.classes) for mask in labels]

    def _shares(self) -> Float64[np.ndarray, " c"]:
        """Mean over images of the class shares; of all pixels where that is not known."""
        pixels = np.asarray(self.pixels, dtype=np.float64)
        return np.asarray(self.shares) if self.shares else pixels / pixels.sum()

    def _weight_of_classes(self) -> list[float]:
        """Pixels of each class as the loss counts them: all images alike, however much of them is labelled."""
        shares = self._shares()
        return list((shares / shares.sum() * sum(self.pixels)).tolist())

    def _dice(self) -> float:
        if self.dice is not None:
            return self.dice
        return dice_of_constant(np.asarray([self.pixels], dtype=np.int64), said=self.prior, smooth=SMOOTH)
