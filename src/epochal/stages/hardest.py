"""The samples on which model and label disagree most: hard ones, and labels that may be wrong (K1.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int, UInt8

from epochal.data.sealed import Samples
from epochal.stages.artifact import load_model
from epochal.stages.pictures import Cell, show, show_masks
from epochal.stages.scoring import DENSE_BATCH
from epochal.training.evaluation import predict

if TYPE_CHECKING:
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session

SHOWN = 32  # on the page: four rows of eight
_SHOWN_MASKS = 10  # rows of image, truth and prediction, which are six times as large


def show_hardest(
    session: Session,
    inspected: Inspected,
    *,
    samples: Samples,
    worst: Int[np.ndarray, " k"],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Write a sheet of them to the journal; `worst` are places among `samples`, `rows` what `judged` says of each."""
    if not len(worst):
        return
    if inspected.task.dense:
        worst = worst[:_SHOWN_MASKS]
    cells = []
    for place in worst.tolist():
        label, text = inspected.task.caption(rows[place])
        cells.append(Cell(label=label, text=f"{inspected.table.keys[samples.index[place]]}: {text}"))
    images, chosen = samples.images[samples.index[worst]], samples.index[worst]
    if inspected.task.dense:
        said = _masks(session, inspected, samples=Samples(images=samples.images, labels=samples.labels, index=chosen))
        truths, classes = np.asarray(samples.labels[chosen]), inspected.task.outputs
        show_masks(session, images, truths=truths, predicted=said, classes=classes, cells=cells)
        return
    show(
        session,
        images,
        name="errors",
        caption="Test images on which network and label disagree most: label → prediction",
        cells=cells,
    )


def _masks(session: Session, inspected: Inspected, *, samples: Samples) -> UInt8[np.ndarray, "n h w"]:
    """What the run's model says of each pixel of a few samples: the evidence holds counts alone."""
    model, facts = load_model(session.folder.model)
    loader = inspected.loader(samples, batch_size=DENSE_BATCH)
    said = predict(
        model, loader, runtime=inspected.runtime, flip=facts.flip, keep=lambda outputs, _: outputs.argmax(1).byte()
    )
    masks: UInt8[np.ndarray, "n h w"] = said.outputs.cpu().numpy()
    return masks
