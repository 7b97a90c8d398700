"""The samples on which model and label disagree most: hard ones, and labels that may be wrong (K1.5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int

from epochal.stages.pictures import Cell, show

if TYPE_CHECKING:
    from epochal.data.split import Samples
    from epochal.stages.inspect import Inspected
    from epochal.stages.session import Session

SHOWN = 32  # on the page: four rows of eight


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
    cells = []
    for place in worst.tolist():
        label, text = inspected.task.caption(rows[place])
        cells.append(Cell(label=label, text=f"{inspected.table.keys[samples.index[place]]}: {text}"))
    show(
        session,
        samples.images[samples.index[worst]],
        name="errors",
        caption="Test images on which network and label disagree most: label → prediction",
        cells=cells,
    )
