"""The network that the train stage fits, built and joined with all that trains it, as the recipe says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from epochal.layers.image_whitening import fit_preprocessing_
from epochal.models.networks import fit_stem_
from epochal.stages.artifact import Facts, build_network
from epochal.stages.augmentation import transforms_for
from epochal.stages.choices import (
    average_for,
    clip_norm,
    loss_for,
    optimizer_for,
    penalties_for,
    sample_weights,
    schedule_for,
)
from epochal.stages.fit import Fit
from epochal.stages.scoring import looking_batch
from epochal.training.environment import seed_everything
from epochal.training.governor import ThreadGovernor
from epochal.training.loop import AfterUpdate, Update
from epochal.training.machine import usable_cores
from epochal.training.pace import TimedSteps

if TYPE_CHECKING:
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session
    from epochal.stages.transfer import Begun

_STEM_IMAGES = 5000  # whitening filters of more change by less than they differ between two such samples
_STEM_PIXELS = _STEM_IMAGES * 64 * 64  # 250 MB of them, and as many patches
_WHITENING_IMAGES, _WHITENING_BATCH = 10_000, 500
_STATISTICS_IMAGES = 2000  # for batch-norm statistics of averaged weights: a deviation is then right to 2 % at worst


def make_fit(
    session: Session, inspected: Inspected, *, facts: Facts, seconds: float, begun: Begun | None = None
) -> Fit:
    """Build the network, or take the one that `begun` holds, and join it with everything that trains it."""
    recipe, pace = session.recipe, TimedSteps(seconds)
    model = inspected.runtime.place(_begun(session, inspected, facts=facts) if begun is None else begun.model())
    optimizer = optimizer_for(recipe, model) if begun is None else begun.optimizer(recipe, model)
    penalties = penalties_for(recipe, model, optimizer=optimizer)
    average = average_for(
        recipe,
        model,
        optimizer=optimizer,
        progress=lambda: pace.progress,
        images=lambda: _some_images(session, inspected),
        arithmetic=inspected.runtime.autocast,
    )
    update = Update(
        loss=penalties.joined_to(loss_for(recipe, inspected.task)),
        optimizer=optimizer,
        schedule=schedule_for(recipe),
        clip_norm=clip_norm(recipe),
        transforms=transforms_for(session, inspected),
        after_update=(*penalties.after_update, average, *_governors(session, inspected)),
    )
    return Fit(
        model,
        task=inspected.task,
        update=update,
        average=average,
        pace=pace,
        runtime=inspected.runtime,
        loader=inspected.loader(
            inspected.train,
            batch_size=recipe.optimizer.batch_size,
            seed=recipe.seed,
            shuffle=True,
            drop_last=True,
            weights=sample_weights(recipe, inspected.train),
        ),
        validation=inspected.loader(inspected.val, batch_size=looking_batch(inspected)),
    )


def _some_images(session: Session, inspected: Inspected) -> Iterator[Tensor]:
    """The same few training images each time, as they are judged and not as they are taught: not augmented."""
    size = looking_batch(inspected)
    loader = inspected.loader(inspected.train, batch_size=size)
    rows = np.random.default_rng(session.recipe.seed).permutation(inspected.train.index)[:_STATISTICS_IMAGES]
    rows.sort()
    for start in range(0, len(rows), size):
        images = loader.batch(rows[start : start + size]).images
        yield inspected.runtime.layout(images.to(inspected.runtime.device))


def _begun(session: Session, inspected: Inspected, *, facts: Facts) -> nn.Module:
    """The network before its first step: its weights from the seed, then all that is known before learning."""
    seed_everything(session.recipe.seed)
    model = build_network(facts)
    _show_images_(model, session=session, inspected=inspected)
    inspected.task.prepare_(model)
    inspected.runtime.place(model)
    return model


def _show_images_(model: nn.Module, *, session: Session, inspected: Inspected) -> None:
    """Fill what a network measures of training images before it learns: the whitening of images, its first filters."""
    loader = inspected.loader(inspected.train, batch_size=_WHITENING_BATCH)
    order = np.random.default_rng(session.recipe.seed).permutation(inspected.train.index)
    few = np.sort(order[:_WHITENING_IMAGES])
    parts = (few[start : start + _WHITENING_BATCH] for start in range(0, len(few), _WHITENING_BATCH))
    found = fit_preprocessing_(model, (loader.batch(rows).images for rows in parts))
    if found is not None:
        note = "the quietest direction of images against the loudest; quiet ones are mostly noise (W2.3)"
        session.measure("preprocessing.amplification", round(found.amplification, 1), note=note)
    count = min(_STEM_IMAGES, max(1, _STEM_PIXELS // (inspected.size[0] * inspected.size[1])))
    fit_stem_(model, loader.batch(np.sort(order[:count])).images)


def _governors(session: Session, inspected: Inspected) -> tuple[AfterUpdate, ...]:
    """Watch how many threads pay, unless the user fixed the number or there is one core: others come and go."""
    cores = usable_cores()
    fixed = "runtime.threads" in session.chosen and session.recipe.runtime.threads > 0
    if fixed or cores == 1 or inspected.runtime.device.type != "cpu":
        return ()
    return (ThreadGovernor(cores, start=inspected.runtime.threads or cores),)
