"""The linear model of pixels, fitted without torch and kept as a network like any other."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32, Int, UInt8

from epochal.models.simple import LinearClassifier
from epochal.stages.artifact import Facts, build_network
from epochal.stats.linear import fit_images

LINEAR = "linear"


def linear_model(
    pixels: UInt8[np.ndarray, "n h w c"],
    labels: Int[np.ndarray, " n"],
    *,
    facts: Facts,
    held_out: UInt8[np.ndarray, "m h w c"] | None = None,
) -> tuple[LinearClassifier, Float32[np.ndarray, "m k"]]:
    """The linear classifier of normalised pixels, and its logits on `held_out`.

    Shapes: n images to fit, m to score (none by default), k classes.
    """
    fitted = fit_images(_planes(pixels, facts), labels, classes=len(facts.classes))
    model = build_network(facts)
    assert isinstance(model, LinearClassifier)
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(fitted.weight))
        model.head.bias.copy_(torch.from_numpy(fitted.bias))
    scored = _planes(pixels[:0] if held_out is None else held_out, facts)
    return model, fitted.logits(scored.reshape(len(scored), fitted.weight.shape[1])).astype(np.float32)


def _planes(pixels: UInt8[np.ndarray, "n h w c"], facts: Facts) -> Float32[np.ndarray, "n c h w"]:
    """Normalised pixels, one plane after the other, as the linear layer counts them."""
    mean, std = (np.asarray(each, dtype=np.float32) for each in (facts.mean, facts.std))
    scaled = (pixels.astype(np.float32) / 255 - mean) / std
    planes: Float32[np.ndarray, "n c h w"] = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
    return planes
