"""The training that is planned before it begins: how wide, how long, how fast, by rule from what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from epochal.models import dense_sizing, sizing
from epochal.models.dense_sizing import dense_sized_for
from epochal.models.sizing import sized_for
from epochal.recipe.duration import format_duration
from epochal.stages.options import network_options
from epochal.stages.settling import settle_learning, settle_rate
from epochal.stages.speed import images_per_second

if TYPE_CHECKING:
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session

_LEAST_SECONDS = 1.0
_VALUES_WHY = "by measurements on dials, docs/decisions/regression.md"
_DENSE_WHY = "by measurements on street scenes, docs/decisions/segmentation-network.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What was settled before training: the network's options, the seconds, and how that reads."""

    options: dict[str, Any]
    seconds: float
    sentence: str


def plan_training(session: Session, inspected: Inspected, *, seconds: float) -> Planned | None:
    """Settle width, batch size and rates for these images and this time; None if there is too little time."""
    if seconds < _LEAST_SECONDS:
        return None
    plan = _plan_dense if inspected.task.dense else _plan_whole
    return plan(session, inspected, seconds=seconds)


def _plan_whole(session: Session, inspected: Inspected, *, seconds: float) -> Planned:
    """One answer for each image: a residual network."""
    if inspected.task.name == "regression":
        _decide_for_values(session)
    settle_learning(session, inspected.task)
    samples, speed = len(inspected.train), images_per_second(session, inspected)
    sized = sized_for(
        image_size=inspected.image_size,
        channels=inspected.channels,
        train_samples=samples,
        seconds=seconds,
        images_per_second=speed,
    )
    room = _room(speed, seconds=sized.seconds, epochs=sized.epochs)
    width = session.decide("network.width", sized.width, reason=room)
    batch = session.decide("optimizer.batch_size", sized.batch_size, reason=f"{samples:,} training images; {room}")
    settle_rate(session, sgd_lr=round(sized.lr / sized.batch_size * batch, 6), batch_size=batch)
    side = inspected.image_size
    session.decide("transforms.crop_padding", sized.translate, reason=f"a sixteenth of {side} pixels")
    _decide_average(session, sized.ema_decay)
    return Planned(
        options={"width": width, **network_options(session.recipe, task=inspected.task, batch_size=batch)},
        seconds=min(seconds, sized.seconds),
        sentence=f"a residual network of width {width}, {_length(sized.seconds, epochs=sized.epochs)}",
    )


def _decide_for_values(session: Session) -> None:
    """Values are learnt better by small, even steps than by those that tell classes apart."""
    session.decide("optimizer.name", sizing.VALUES_OPTIMIZER, reason=_VALUES_WHY)
    if session.recipe.optimizer.name == sizing.VALUES_OPTIMIZER:
        session.decide("optimizer.lr", sizing.VALUES_LR, reason=_VALUES_WHY)
        session.decide("optimizer.weight_decay", sizing.VALUES_WEIGHT_DECAY, reason=_VALUES_WHY)


def _plan_dense(session: Session, inspected: Inspected, *, seconds: float) -> Planned:
    """One answer for each pixel: an encoder with a decoder."""
    known = dense_sizing
    session.decide("optimizer.name", known.OPTIMIZER, reason=_DENSE_WHY)
    if session.recipe.optimizer.name == known.OPTIMIZER:
        session.decide("optimizer.other_lr", known.OTHER_LR, reason=_DENSE_WHY)
        session.decide("optimizer.weight_decay", known.WEIGHT_DECAY, reason=_DENSE_WHY)
        session.decide("schedule.warmup", known.WARMUP, reason=_DENSE_WHY)
        session.decide("schedule.start", known.FIRST_FACTOR, reason=_DENSE_WHY)
        session.decide("schedule.final", known.LAST_FACTOR, reason=_DENSE_WHY)
    session.decide("loss.name", known.LOSS, reason=_DENSE_WHY)
    session.decide("transforms.names", known.TRANSFORMS, reason=_DENSE_WHY)
    session.decide("transforms.strength", known.STRENGTH, reason=_DENSE_WHY)
    session.decide("transforms.crop_padding", 0, reason="zoom moves images as well")
    settle_learning(session, inspected.task)
    samples, speed = len(inspected.train), images_per_second(session, inspected)
    sized = dense_sized_for(train_samples=samples, seconds=seconds, images_per_second=speed)
    room = _room(speed, seconds=sized.seconds, epochs=sized.epochs)
    width = session.decide("network.width", sized.width, reason=room)
    batch = session.decide("optimizer.batch_size", sized.batch_size, reason=f"{samples:,} training images; {room}")
    settle_rate(session, sgd_lr=0.1, batch_size=batch)
    _decide_average(session, sized.ema_decay)
    head = session.recipe.network.head
    return Planned(
        options={"width": width, **network_options(session.recipe, task=inspected.task, batch_size=batch)},
        seconds=min(seconds, sized.seconds),
        sentence=f"an encoder of width {width} with a decoder ({head}), {_length(sized.seconds, epochs=sized.epochs)}",
    )


def _decide_average(session: Session, decay: float) -> None:
    session.decide("averaging.decay", round(decay, 5), reason="an average over about a twentieth of the steps")


def _room(speed: float, *, seconds: float, epochs: float) -> str:
    return f"{speed:,.0f} images/s for {format_duration(seconds)} make {epochs:.1f} epochs"


def _length(seconds: float, *, epochs: float) -> str:
    return f"{epochs:.1f} epochs in {format_duration(seconds)}"
