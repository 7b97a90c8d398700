"""What a network says about a whole split: every sample once, in order, the last partial batch like all others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn

from epochal.errors import DataError
from epochal.training.loop import Loader
from epochal.training.runtime import Runtime

Keep: TypeAlias = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictions:
    """What is kept of the outputs beside the labels, one row per sample, in the loader's order, on the device.

    Masks are not gathered: `labels` then has no columns. `index` is each sample's row in the table it came from.
    """

    outputs: Shaped[Tensor, "n ..."]
    labels: Shaped[Tensor, "n ..."]
    index: Int[Tensor, " n"]

    def __len__(self) -> int:
        """Samples."""
        return int(self.index.shape[0])


class _Outputs(Protocol):
    def __call__(self, images: Tensor, /) -> Tensor:
        """Logits of a batch."""


@torch.inference_mode()
def predict(
    model: nn.Module, loader: Loader, *, runtime: Runtime, flip: bool = False, keep: Keep | None = None
) -> Predictions:
    """Outputs for every sample in the loader, in evaluation mode; the model's mode is put back afterwards.

    With `flip` they are the mean over an image and its mirror image, for half the speed. `keep(outputs, labels)` says
    what of a batch is kept, one row per sample: all of the outputs unless they are large.

    Shapes: n samples.  Raises: DataError where the loader holds no batch.  Source: tip K2.3.

    >>> from epochal.data.batch import Batch
    >>> class One:
    ...     def epoch(self, number, start=0):
    ...         yield Batch(images=torch.eye(2)[:, :, None, None], labels=torch.tensor([0, 1]),
    ...                     index=torch.tensor([4, 5]), seed=0)
    ...     def __len__(self): return 1
    >>> said = predict(nn.Flatten(), One(), runtime=Runtime(), keep=lambda outputs, labels: outputs.argmax(1))
    >>> said.outputs, said.index
    (tensor([0, 1]), tensor([4, 5]))
    """
    was_training = model.training
    runtime.place(model).eval()
    outputs, labels, index = [], [], []
    try:
        for batch in loader.epoch(0):
            here = batch.to(runtime.device)
            said = _outputs(model, here.images, runtime=runtime, flip=flip)
            outputs.append(said if keep is None else keep(said, here.labels))
            labels.append(here.labels if here.labels.ndim < 3 else here.labels[:, :0, 0])
            index.append(here.index)
    finally:
        model.train(was_training)
    if not outputs:
        raise DataError(
            "There is no sample to predict.",
            expected="at least one.",
            remedy="look at the split: a validation or test split may be empty.",
        )
    return Predictions(outputs=torch.cat(outputs), labels=torch.cat(labels), index=torch.cat(index))


def _outputs(model: _Outputs, images: Tensor, *, runtime: Runtime, flip: bool) -> Tensor:
    images = runtime.layout(images)
    with runtime.autocast():
        straight = model(images)
        if not flip:
            return straight.float()
        mirrored = model(images.flip(-1))
    if mirrored.ndim == 4:  # an answer for each pixel is mirrored too
        mirrored = mirrored.flip(-1)
    return (straight.float() + mirrored.float()) / 2
