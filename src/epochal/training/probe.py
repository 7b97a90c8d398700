"""Looks into a network while it trains: its mind on one fixed batch, and its first filters."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from epochal.training.runtime import Runtime


class Probe:
    """Predictions on the same few samples, asked again and again: their paths show how the training goes (tip K2.11).

    Paths that jitter wildly mean too high a rate; samples that flip between classes late are the doubtful ones.

    >>> probe = Probe(torch.zeros(3, 2, 1, 1), runtime=Runtime())
    >>> probe(nn.Flatten())
    array([[0.5, 0.5],
           [0.5, 0.5],
           [0.5, 0.5]], dtype=float32)
    """

    def __init__(
        self, images: Float[Tensor, "n c h w"], *, runtime: Runtime, answer: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        """Keep the images on the device; `answer` makes of outputs what is followed, probabilities if not given."""
        self.images = runtime.layout(images.to(runtime.device))
        self.runtime = runtime
        self.answer = answer or _probabilities

    @torch.inference_mode()
    def __call__(self, model: nn.Module) -> Float[np.ndarray, "n k"]:
        """The answers for each sample, in evaluation mode; the model's mode is put back."""
        was_training = model.training
        model.eval()
        try:
            with self.runtime.autocast():
                outputs = model(self.images)
        finally:
            model.train(was_training)
        answers: Float[np.ndarray, "n k"] = self.answer(outputs.float()).cpu().numpy()
        return answers


def _probabilities(logits: Tensor) -> Tensor:
    return logits.softmax(1)


def first_layer_filters(model: nn.Module) -> Float[np.ndarray, "filters h w c"] | None:
    """Weights of the first convolution that sees the image, as small pictures; None where there is none (tip K4.11).

    >>> first_layer_filters(nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU())).shape
    (8, 5, 5, 3)
    >>> first_layer_filters(nn.Linear(2, 2)) is None
    True
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.detach().float().cpu()
            return np.ascontiguousarray(weight.permute(0, 2, 3, 1).numpy())
    return None
