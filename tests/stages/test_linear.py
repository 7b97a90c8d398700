"""The linear model as a network says what the closed form says."""

import numpy as np
import torch

from epochal.stages.artifact import Deployed, Facts
from epochal.stages.linear import linear_model, planes
from epochal.stats.linear import fit_images
from epochal.tasks.classification import Classification


def _data(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures whose left or right half is brighter, under noise."""
    dice = np.random.default_rng(0)
    labels = dice.integers(0, 2, n)
    pixels = dice.normal(100, 20, (n, 6, 8, 3))
    pixels[labels == 0, :, :4] += 40
    pixels[labels == 1, :, 4:] += 40
    return pixels.clip(0, 255).astype(np.uint8), labels


FACTS = Facts(
    task=Classification(classes=("left", "right"), counts=(1, 1)).describe(), size=(8, 8), channels=3,
    mean=(0.4, 0.4, 0.4), std=(0.1, 0.2, 0.3), network="linear", options={}, flip=False,
)  # fmt: skip


def test_the_fit_is_kept_as_a_network() -> None:
    """The network's logits for new pixels are those of the closed form, and it tells the halves apart."""
    pixels, labels = _data(120)
    pixels = np.repeat(pixels, 2, axis=1)[:, :8]  # square, as networks take them
    model = linear_model(pixels[:80], labels[:80], facts=FACTS)
    fitted = fit_images(planes(pixels[:80], FACTS), labels[:80], classes=2)
    said = fitted.logits(planes(pixels[80:], FACTS).reshape(40, -1))
    images = torch.from_numpy(pixels[80:]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        network = Deployed(model, FACTS)(images).numpy()
    np.testing.assert_allclose(said, network, atol=1e-4)
    assert (network.argmax(1) == labels[80:]).mean() > 0.9
