"""What the first stage found out, for all that come after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from epochal.data.loader import ArrayLoader
from epochal.data.split import Samples, Splits
from epochal.data.table import SampleTable
from epochal.tasks.task import Task
from epochal.training.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inspected:
    """What the later stages know of the data.

    Units: `mean` and `std` per channel, of pixels in [0, 1], from the training split alone.
    """

    table: SampleTable
    splits: Splits
    task: Task
    size: tuple[int, int]  # height and width
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    carved: tuple[str, ...]  # splits that no folder gave
    runtime: Runtime

    @property
    def image_size(self) -> int:
        """The longer side."""
        return max(self.size)

    @property
    def train(self) -> Samples:
        """What may be fitted."""
        return self.splits.train

    @property
    def val(self) -> Samples:
        """What decides between models."""
        return self.splits.val

    def loader(
        self,
        samples: Samples,
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        drop_last: bool = False,
        weights: Float64[np.ndarray, " n"] | None = None,
    ) -> ArrayLoader:
        """Batches of `samples` as the networks receive them; `weights` say how often each of them is drawn."""
        return ArrayLoader(
            samples.images,
            samples.labels,
            samples.index,
            batch_size=max(1, min(batch_size, len(samples))),
            seed=seed,
            mean=self.mean,
            std=self.std,
            shuffle=shuffle,
            drop_last=drop_last,
            weights=weights,
            device=self.runtime.device,
        )
