"""What a saved model says of images that are already decoded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Num

from epochal.data.split import Samples
from epochal.stages.artifact import load_model
from epochal.training.evaluation import predict

if TYPE_CHECKING:
    from epochal.stages.inspected import Inspected

BATCH, DENSE_BATCH = 500, 16  # samples: outputs for each pixel take a thousand times the memory


def evidence_of(path: Path, inspected: Inspected, *, samples: Samples) -> Num[np.ndarray, "n e"]:
    """What the model at `path` says of each of `samples`, in their order, as the task keeps it for judging."""
    model, facts = load_model(path)
    loader = inspected.loader(samples, batch_size=looking_batch(inspected))
    said = predict(model, loader, runtime=inspected.runtime, flip=facts.flip, keep=inspected.task.evidence)
    evidence: Num[np.ndarray, "n e"] = said.outputs.cpu().numpy()
    return evidence


def looking_batch(inspected: Inspected) -> int:
    """How many samples are looked at together where no gradient is needed."""
    return DENSE_BATCH if inspected.task.dense else BATCH


def labels_of(inspected: Inspected, samples: Samples) -> np.ndarray:
    """The labels beside the evidence; masks stay where they are, for their evidence holds what is needed of them."""
    if inspected.task.dense:
        return np.zeros((len(samples), 0), np.uint8)
    return samples.targets
