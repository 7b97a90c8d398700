"""The network that the train stage fits: sized by rule, built, and joined with all that trains it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from epochal.layers.image_whitening import fit_preprocessing_
from epochal.models.networks import fit_stem_
from epochal.models.sizing import sized_for
from epochal.optim.optimizer import build
from epochal.recipe.duration import format_duration
from epochal.stages.artifact import Facts, build_network
from epochal.stages.augmentation import transforms_for
from epochal.stages.baseline import facts_for
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
from epochal.stages.options import network_options
from epochal.stages.roles import LARGE, network_for
from epochal.stages.scoring import looking_batch
from epochal.stages.settling import settle_learning, settle_rate
from epochal.training.environment import seed_everything
from epochal.training.governor import ThreadGovernor
from epochal.training.loop import AfterUpdate, Update, train
from epochal.training.machine import usable_cores
from epochal.training.pace import FixedSteps, TimedSteps
from epochal.transforms.geometry import HorizontalFlip, Translate

if TYPE_CHECKING:
    from epochal.stages.inspect import Inspected
    from epochal.stages.session import Session

_LEAST_SECONDS = 1.0
_SPEED_BATCH = 256
_SPEED_SHARE, _SPEED_SHORTEST, _SPEED_LONGEST = 0.01, 1.0, 4.0  # of the budget; seconds
_SPEED_STEPS, _SPEED_WARMING, _SPEED_COUNTED = 12, 2, 3
_USUAL = (HorizontalFlip(), Translate(reach=1))
_STEM_IMAGES = 5000  # whitening filters of more change by less than they differ between two such samples
_STEM_PIXELS = _STEM_IMAGES * 64 * 64  # 250 MB of them, and as many patches
_WHITENING_IMAGES, _WHITENING_BATCH = 10_000, 500
_STATISTICS_IMAGES = 2000  # for batch-norm statistics of averaged weights: a deviation is then right to 2 % at worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What was settled before training: the network's options, the seconds, and how that reads."""

    options: dict[str, Any]
    seconds: float
    sentence: str


def size_network(session: Session, inspected: Inspected, *, seconds: float) -> Planned | None:
    """Settle width, batch size and rates for these images and this time; None if there is too little time."""
    if seconds < _LEAST_SECONDS:
        return None
    settle_learning(session, inspected.task)
    samples, speed = len(inspected.train), images_per_second(session, inspected)
    sized = sized_for(
        image_size=inspected.image_size,
        channels=inspected.channels,
        train_samples=samples,
        seconds=seconds,
        images_per_second=speed,
    )
    room = f"{speed:,.0f} images/s for {format_duration(sized.seconds)} make {sized.epochs:.1f} epochs"
    width = session.decide("network.width", sized.width, reason=room)
    batch = session.decide("optimizer.batch_size", sized.batch_size, reason=f"{samples:,} training images; {room}")
    settle_rate(session, sgd_lr=round(sized.lr / sized.batch_size * batch, 6), batch_size=batch)
    side = inspected.image_size
    session.decide("transforms.crop_padding", sized.translate, reason=f"a sixteenth of {side} pixels")
    session.decide(
        "averaging.decay", round(sized.ema_decay, 5), reason="an average over about a twentieth of the steps"
    )
    return Planned(
        options={"width": width, **network_options(session.recipe, batch_size=batch)},
        seconds=min(seconds, sized.seconds),
        sentence=f"a residual network of width {width}, {sized.epochs:.1f} epochs in {format_duration(sized.seconds)}",
    )


def images_per_second(session: Session, inspected: Inspected) -> float:
    """Training speed of the default network on these images, over a few real steps; measured once for a run.

    Raises nothing for a slow machine: at least one step is taken, however long it is.
    """
    known = session.journal.measured("train.images_per_second")
    if known is not None:
        return float(known)
    seed_everything(session.recipe.seed)
    options = network_options(session.recipe, batch_size=_SPEED_BATCH)
    model = build_network(facts_for(inspected, network_for(inspected.task, LARGE), **options))
    loader = inspected.loader(inspected.train, batch_size=_SPEED_BATCH, shuffle=True, seed=session.recipe.seed)
    update = Update(
        loss=inspected.task.loss(),
        optimizer=build(model, lr=1e-3),
        transforms=transforms_for(session, inspected) if session.recipe.transforms.names else _USUAL,
    )
    allowed = min(max(_SPEED_SHARE * session.budget, _SPEED_SHORTEST), _SPEED_LONGEST)
    taken: list[float] = []
    start = began = time.perf_counter()
    for step in train(model, loader, update=update, runtime=inspected.runtime, pace=FixedSteps(_SPEED_STEPS)):
        now = time.perf_counter()
        taken.append((now - began) / step.samples)
        began = now
        if now - start >= allowed and (len(taken) >= _SPEED_WARMING + _SPEED_COUNTED or now - start >= 2 * allowed):
            break
    # the first steps pay for memory and kernels
    speed = 1 / statistics.median(taken[_SPEED_WARMING:] or taken[-1:])
    note = "the network of default width, a few steps"
    session.measure("train.images_per_second", round(speed, 1), unit="images/s", note=note)
    return speed


def make_fit(session: Session, inspected: Inspected, *, facts: Facts, seconds: float) -> Fit:
    """Build the network and join it with everything that trains it, as the recipe says."""
    recipe = session.recipe
    seed_everything(recipe.seed)
    model = build_network(facts)
    _show_images_(model, session=session, inspected=inspected)
    inspected.task.prepare_(model)
    inspected.runtime.place(model)
    optimizer, pace = optimizer_for(recipe, model), TimedSteps(seconds)
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
