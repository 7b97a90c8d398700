"""What is to be learnt: the task on these data, from what their labels show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from epochal.errors import DataError
from epochal.stats.circular import Circle
from epochal.stats.circularity import find_circle
from epochal.stats.ridge import block_features
from epochal.tasks.classification import Classification
from epochal.tasks.multi_label import MultiLabel
from epochal.tasks.regression import Regression
from epochal.tasks.segmentation import Segmentation
from epochal.tasks.task import Task

if TYPE_CHECKING:
    from epochal.data.split import Samples
    from epochal.data.table import SampleTable
    from epochal.stages.session import Session

_CIRCLE_IMAGES, _CIRCLE_FEATURES = 2_000, 300
_MASKS = 2_000  # training masks from which class shares are counted: more change them by less than they vary


def settle_task(session: Session, names: tuple[str, ...], *, kind: str, train: Samples) -> Task:
    """The task of this kind on these training samples; `names` are classes, labels, or value columns.

    Raises: DataError where nothing can be learnt from the labels.
    """
    return _KINDS[kind](session, names, train)


def _classification(_session: Session, names: tuple[str, ...], train: Samples) -> Task:
    return Classification.of(names, train.targets)


def _multi_label(_session: Session, names: tuple[str, ...], train: Samples) -> Task:
    return MultiLabel.of(names, train.targets)


def _regression(session: Session, names: tuple[str, ...], train: Samples) -> Task:  # noqa: PLR0917  one of a table
    return Regression.of(names, train.targets, periods=_circles(session, names, train=train))


def _circles(session: Session, names: tuple[str, ...], *, train: Samples) -> Sequence[Circle | float | None]:
    """The circle on which each column of values lies, if any: as the user says, or as the images do."""
    asked = session.recipe.data.period
    if asked and "data.period" in session.chosen:
        return [asked if asked > 0 else None] * len(names)  # where a circle begins follows from its values
    known = session.journal.measured("data.circles")
    if known is None:
        known = _find_circles(session, names, train=train)
    return [None if circle is None else Circle(**circle) for circle in known]


def _find_circles(session: Session, names: tuple[str, ...], *, train: Samples) -> list[dict[str, float] | None]:
    """Ask the training images of each column, and write down what they say."""
    some = np.sort(np.random.default_rng(session.recipe.seed).permutation(train.index)[:_CIRCLE_IMAGES])
    images = train.images[some].transpose(0, 3, 1, 2).astype(np.float32) / 255
    features, found = block_features(images, at_most=_CIRCLE_FEATURES), []
    for column, name in enumerate(names):
        said = find_circle(features, train.labels[some][:, column])
        session.progress.line(f"  {name}: {said.reason}")
        found.append(None if said.circle is None else asdict(said.circle))
        if len(names) == 1:
            session.decide("data.period", said.period or -1.0, reason=said.reason)
    session.measure("data.circles", found, note="the circle on which each column of values lies, if any")
    return found


def _segmentation(session: Session, names: tuple[str, ...], train: Samples) -> Task:  # noqa: PLR0917
    some = np.sort(np.random.default_rng(session.recipe.seed).permutation(train.index)[:_MASKS])
    return Segmentation.of(names, train.labels[some])


_KINDS: Mapping[str, Callable[[Session, tuple[str, ...], Samples], Task]] = {
    "classification": _classification,
    "multi-label": _multi_label,
    "regression": _regression,
    "segmentation": _segmentation,
}


def refuse_too_few(table: SampleTable, *, kind: str) -> None:
    """Stop before any work where nothing could be told apart, or nothing could be judged.

    Raises: DataError.
    """
    problems = table.problems
    unread = f" {len(problems):,} files cannot be read, such as {table.keys[min(problems)]}." if problems else ""
    if kind == "classification":
        seen = [name for name, count in table.counts("train").items() if count]
        if len(seen) < 2:
            raise DataError(
                f"Only one class has images to train on: {seen[0]}.{unread}",
                expected="two classes or more, with a few images each.",
                remedy="look at the folders, and at the files that cannot be read.",
            )
    for split in ("val", "test"):
        if not len(table.index(split)):
            raise DataError(
                f"There are too few different images to hold some back: none is left for {split}.{unread}",
                expected="at least three different images of each class, better dozens; copies count once.",
                remedy="add images.",
            )
