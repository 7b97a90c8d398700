"""The linear model as a network says what the closed form says."""

import numpy as np
import torch

from epochal.stages.artifact import Deployed, Facts
from epochal.stages.linear import linear_model


def _data(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose left or right half is brighter, under noise."""
    dice = np.random.default_rng(0)
    labels = dice.integers(0, 2, n)
    pixels = dice.normal(100, 20, (n, 6, 8, 3))
    pixels[labels == 0, :, :4] += 40
    pixels[labels == 1, :, 4:] += 40
    return pixels.clip(0, 255).astype(np.uint8), labels


FACTS = Facts(
    task="classification", classes=("left", "right"), image_size=8, channels=3, mean=(0.4, 0.4, 0.4),
    std=(0.1, 0.2, 0.3), network="linear", options={}, flip=False,
)  # fmt: skip


def test_logits_of_the_fit_are_those_of_the_network() -> None:
    """One fit without torch, one network with its weights: the same logits for pixels that neither has seen."""
    pixels, labels = _data(120)
    pixels = np.repeat(pixels, 2, axis=1)[:, :8]  # square, as networks take them
    model, said = linear_model(pixels[:80], labels[:80], facts=FACTS, held_out=pixels[80:])
    images = torch.from_numpy(pixels[80:]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        network = Deployed(model.eval(), FACTS)(images).numpy()
    np.testing.assert_allclose(said, network, atol=1e-4)
    assert (said.argmax(1) == labels[80:]).mean() > 0.9


def test_without_held_out_pixels_there_are_no_logits() -> None:
    """An empty table of two columns, not an error."""
    pixels, labels = _data(20)
    square = np.repeat(pixels, 2, axis=1)[:, :8]
    assert linear_model(square, labels, facts=FACTS)[1].shape == (0, 2)
