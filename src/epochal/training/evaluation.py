"""What a network says about a whole split: every sample once, in order, the last partial batch like all others."""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from epochal.errors import DataError
from epochal.training.loop import Loader
from epochal.training.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """Logits beside labels, one row per sample, in the loader's order, on the device.

    `index` is each sample's row in the table it came from.
    """

    logits: Float[Tensor, "n c"]
    labels: Int[Tensor, " n"]
    index: Int[Tensor, " n"]

    def __len__(self) -> int:
        """Samples."""
        return int(self.labels.shape[0])

    def accuracy(self) -> float:
        """Share of samples whose largest logit is the label's.

        >>> right = Predictions(logits=torch.eye(2), labels=torch.tensor([0, 0]), index=torch.arange(2))
        >>> right.accuracy()
        0.5
        """
        return float((self.logits.argmax(1) == self.labels).double().mean())


class _Outputs(Protocol):
    def __call__(self, images: Tensor, /) -> Tensor:
        """Logits of a batch."""


@torch.inference_mode()
def predict(model: nn.Module, loader: Loader, *, runtime: Runtime, flip: bool = False) -> Predictions:
    """Logits of every sample in the loader, in evaluation mode; the model's mode is put back afterwards.

    With `flip` the logits are the mean over an image and its mirror image, for half the speed.

    Shapes: n samples, c classes.  Raises: DataError where the loader holds no batch.  Source: tip K2.3.

    >>> from epochal.data.batch import Batch
    >>> class One:
    ...     def epoch(self, number, start=0):
    ...         yield Batch(images=torch.eye(2)[:, :, None, None], labels=torch.tensor([0, 1]),
    ...                     index=torch.tensor([4, 5]), seed=0)
    ...     def __len__(self): return 1
    >>> said = predict(nn.Flatten(), One(), runtime=Runtime())
    >>> said.accuracy(), said.index
    (1.0, tensor([4, 5]))
    """
    was_training = model.training
    runtime.place(model).eval()
    logits, labels, index = [], [], []
    try:
        for batch in loader.epoch(0):
            here = batch.to(runtime.device)
            logits.append(_logits(model, here.images, runtime=runtime, flip=flip))
            labels.append(here.labels)
            index.append(here.index)
    finally:
        model.train(was_training)
    if not logits:
        raise DataError(
            "There is no sample to predict.",
            expected="at least one.",
            remedy="look at the split: a validation or test split may be empty.",
        )
    return Predictions(logits=torch.cat(logits), labels=torch.cat(labels), index=torch.cat(index))


def _logits(model: _Outputs, images: Tensor, *, runtime: Runtime, flip: bool) -> Float[Tensor, "n c"]:
    images = runtime.layout(images)
    with runtime.autocast():
        straight = model(images)
        if not flip:
            return straight.float()
        mirrored = model(images.flip(-1))
    return (straight.float() + mirrored.float()) / 2
