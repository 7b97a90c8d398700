"""The linear model of pixels, fitted without torch and kept as a network like any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from jaxtyping import Float32, Shaped, UInt8
from torch import nn

from epochal.models.head import find
from epochal.stages.artifact import Facts, build_network
from epochal.stats.linear import LinearMap, fit_images
from epochal.tasks.task import Task

_Fit = Callable[[Task, tuple[np.ndarray, np.ndarray]], LinearMap]  # of images (n, c, h, w) and their labels


def linear_model(
    pixels: UInt8[np.ndarray, "n h w c"], labels: Shaped[np.ndarray, "n ..."], *, facts: Facts
) -> nn.Module:
    """The linear model of normalised pixels that fits these labels best, in the way of its task.

    Shapes: n images to fit.
    """
    fitted = _FITS[facts.kind.name](facts.kind, (planes(pixels, facts), labels))
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


def _classes(task: Task, data: tuple[np.ndarray, np.ndarray]) -> LinearMap:
    return fit_images(*data, classes=task.outputs)


_FITS: Mapping[str, _Fit] = {
    "classification": _classes,
}
