"""The linear model of pixels, fitted without torch and kept as a network like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Shaped, UInt8
from torch import nn

from epochal.models.head import find
from epochal.stages.artifact import Facts, build_network
from epochal.stats.linear import LinearMap, fit_images
from epochal.stats.pixels import fit_pixels
from epochal.stats.ridge import fit_ridge_images
from epochal.tasks.regression import Regression


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """What a linear model is fitted to.

    Shapes: n images of h by w pixels.
    """

    pixels: UInt8[np.ndarray, "n h w c"]
    labels: Shaped[np.ndarray, "n ..."]
    facts: Facts

    @property
    def images(self) -> Float32[np.ndarray, "n c h w"]:
        """The images as a network receives them."""
        return planes(self.pixels, self.facts)


def linear_model(
    pixels: UInt8[np.ndarray, "n h w c"], labels: Shaped[np.ndarray, "n ..."], *, facts: Facts
) -> nn.Module:
    """The linear model of normalised pixels that fits these labels best, in the way of its task.

    Shapes: n images to fit.
    """
    fitted = _FITS[facts.kind.name](Fitted(pixels=pixels, labels=labels, facts=facts))
    model = build_network(facts)
    layer = find(model)
    assert layer.bias is not None
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(fitted.weight).reshape(layer.weight.shape))
        layer.bias.copy_(torch.from_numpy(fitted.bias))
    return model.eval()


def planes(pixels: UInt8[np.ndarray, "n h w c"], facts: Facts) -> Float32[np.ndarray, "n c h w"]:
    """Normalised pixels, one plane after the other, as the networks receive them."""
    mean, std = (np.asarray(each, dtype=np.float32) for each in (facts.mean, facts.std))
    scaled = (pixels.astype(np.float32) / 255 - mean) / std
    laid: Float32[np.ndarray, "n c h w"] = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
    return laid


def _classes(data: Fitted) -> LinearMap:
    return fit_images(data.images, data.labels, classes=data.facts.kind.outputs)


def _several(data: Fitted) -> LinearMap:
    from epochal.stats.linear_answers import fit_multi_label_images

    return fit_multi_label_images(data.images, data.labels)


def _values(data: Fitted) -> LinearMap:
    task = data.facts.kind
    assert isinstance(task, Regression)
    return fit_ridge_images(data.images, task.encode(data.labels))


def _pixels(data: Fitted) -> LinearMap:
    facts = data.facts
    return fit_pixels(data.pixels, data.labels, classes=facts.kind.outputs, mean=facts.mean, std=facts.std)


_FITS: Mapping[str, Callable[[Fitted], LinearMap]] = {
    "classification": _classes,
    "multi-label": _several,
    "regression": _values,
    "segmentation": _pixels,
}
