"""From the recipe's transforms to callables: what every run does, and what is asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epochal.stats.pca import Covariance, PrincipalComponents, principal_components
from epochal.transforms.by_name import DataFacts, Transform, transforms
from epochal.transforms.geometry import HorizontalFlip, Translate

if TYPE_CHECKING:
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session

_PIXELS = 20_000_000  # for the colours: their covariance has six numbers, and a second must do
_PIXELS_AT_ONCE = 1 << 20


def transforms_for(session: Session, inspected: Inspected) -> tuple[Transform, ...]:
    """The transforms of the train stage, in order: mirroring and shifts of the recipe, then those it names.

    A name stands in place of the usual one of its kind: "flip" of `transforms.flip`, "translate" of the shifts.

    Raises: SettingError for a name that is unknown, or does not suit the data.
    """
    recipe = session.recipe.transforms
    made: list[Transform] = []
    if recipe.flip and "flip" not in recipe.names:
        made.append(HorizontalFlip(alternating=True))
    if recipe.crop_padding and "translate" not in recipe.names:
        made.append(Translate(reach=recipe.crop_padding))
    if recipe.names:
        made += transforms(recipe.names, facts=data_facts(session, inspected), strength=recipe.strength)
    return tuple(made)


def data_facts(session: Session, inspected: Inspected) -> DataFacts:
    """What named transforms must know of these data; colours are measured where the recipe asks for them."""
    task, recipe = inspected.task, session.recipe.transforms
    values = task.describe().get("values", ())
    return DataFacts(
        task=task.name,
        labels=len(task.names),
        size=inspected.size,
        mean=inspected.mean,
        std=inspected.std,
        circular=any(value.get("period") for value in values),
        mirrors=recipe.flip,
        colors=_colors(session, inspected) if "fancy-pca" in recipe.names else None,
    )


def _colors(session: Session, inspected: Inspected) -> PrincipalComponents:
    """The principal components of training pixels, streamed. Units: colours in [0, 1]."""
    images = inspected.train.images
    pixels = images.shape[1] * images.shape[2]
    few = np.random.default_rng(session.recipe.seed).permutation(inspected.train.index)[: max(1, _PIXELS // pixels)]
    few.sort()  # in the order in which they lie on the disk
    step = max(1, _PIXELS_AT_ONCE // pixels)
    parts = (
        Covariance.of(images[few[start : start + step]].reshape(-1, images.shape[3]))
        for start in range(0, len(few), step)
    )
    found = principal_components(Covariance.pooled(parts, size=images.shape[3]).scaled(1 / 255))
    known = {"variances": found.variances.tolist(), "directions": found.directions.tolist()}
    session.measure("transforms.colors", known, note=f"of the pixels of {len(few):,} training images (W1.3)")
    return found
