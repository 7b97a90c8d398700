"""What a saved model says of images that are already decoded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from epochal.data.split import Samples
from epochal.stages.artifact import load_model
from epochal.training.evaluation import predict

if TYPE_CHECKING:
    from epochal.stages.inspect import Inspected

_BATCH = 500


def logits_of(path: Path, inspected: Inspected, *, samples: Samples) -> Float32[np.ndarray, "n c"]:
    """The logits of the model at `path` on each of `samples`, in their order."""
    model, facts = load_model(path)
    loader = inspected.loader(samples, batch_size=_BATCH)
    predicted = predict(model, loader, runtime=inspected.runtime, flip=facts.flip)
    logits: Float32[np.ndarray, "n c"] = predicted.logits.cpu().numpy()
    return logits
