"""How fast the network trains on these images, on this machine."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from epochal.optim.optimizer import build
from epochal.stages.artifact import build_network
from epochal.stages.augmentation import transforms_for
from epochal.stages.baseline import facts_for
from epochal.stages.options import network_options
from epochal.stages.roles import LARGE, network_for
from epochal.training.environment import seed_everything
from epochal.training.loop import Update, train
from epochal.training.pace import FixedSteps
from epochal.transforms.geometry import HorizontalFlip, Translate

if TYPE_CHECKING:
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session

_BATCH, _DENSE_BATCH = 256, 8
_SHARE, _SHORTEST, _LONGEST = 0.01, 1.0, 4.0  # of the budget; seconds
_STEPS, _WARMING, _COUNTED = 12, 2, 3
_USUAL = (HorizontalFlip(), Translate(reach=1))


def images_per_second(session: Session, inspected: Inspected) -> float:
    """Training speed of the default network on these images, over a few real steps; measured once for a run.

    Raises nothing for a slow machine: at least one step is taken, however long it is.
    """
    known = session.journal.measured("train.images_per_second")
    if known is not None:
        return float(known)
    seed_everything(session.recipe.seed)
    batch = _DENSE_BATCH if inspected.task.dense else _BATCH
    options = network_options(session.recipe, task=inspected.task, batch_size=batch)
    model = build_network(facts_for(inspected, network_for(inspected.task, LARGE), **options))
    loader = inspected.loader(inspected.train, batch_size=batch, shuffle=True, seed=session.recipe.seed)
    update = Update(
        loss=inspected.task.loss(),
        optimizer=build(model, lr=1e-3),
        transforms=transforms_for(session, inspected) if session.recipe.transforms.names else _USUAL,
    )
    allowed = min(max(_SHARE * session.budget, _SHORTEST), _LONGEST)
    taken: list[float] = []
    start = began = time.perf_counter()
    for step in train(model, loader, update=update, runtime=inspected.runtime, pace=FixedSteps(_STEPS)):
        now = time.perf_counter()
        taken.append((now - began) / step.samples)
        began = now
        if now - start >= allowed and (len(taken) >= _WARMING + _COUNTED or now - start >= 2 * allowed):
            break
    # the first steps pay for memory and kernels
    speed = 1 / statistics.median(taken[_WARMING:] or taken[-1:])
    note = "the network of default width, a few steps"
    session.measure("train.images_per_second", round(speed, 1), unit="images/s", note=note)
    return speed
