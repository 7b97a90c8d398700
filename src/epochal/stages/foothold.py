"""Where decoding everything takes long: a linear model of a fair sample, on disk before anything else.

The promise is a usable model within 5 % of the budget; later stages replace it on evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from epochal.data.catalogue import Catalogue, catalogue
from epochal.data.scan import Scan, scan
from epochal.data.split import certain_train
from epochal.stages.artifact import Facts, save_model
from epochal.stages.linear import linear_model, planes
from epochal.stages.roles import LINEAR
from epochal.tasks.classification import Classification

if TYPE_CHECKING:
    from epochal.data.entries import Source
    from epochal.stages.session import Session

_FILES = 2000
_SECONDS_PER_FILE = 2e-4  # to list and decode a small JPEG on two cores, with some reserve
_SHARE = 0.03  # of the budget: if decoding takes longer, the first model does not wait for it
_HELD_OUT = 5  # one in five of the sample scores the model


def foothold(session: Session, source: Source | Catalogue) -> None:
    """Put a first model on disk if the budget is short for these data; otherwise the baseline stage does."""
    if session.folder.model.exists() or session.journal.finished("inspect"):
        return
    pictures = source if isinstance(source, Catalogue) else catalogue(source)
    files = len(pictures.entries)
    if pictures.kind != "classification":  # the others begin with files that are few, or slow to read anyhow
        return
    if files <= _FILES or files * _SECONDS_PER_FILE < _SHARE * session.budget:
        return
    with session.stage("foothold", title=f"A first linear model, of {_FILES:,} of {files:,} files"):
        size = session.recipe.data.image_size if "data.image_size" in session.chosen else None
        _fit(session, scan(pictures, size=size, limit=_FILES), pictures=pictures)


def _fit(session: Session, scanned: Scan, *, pictures: Catalogue) -> None:
    rows = np.random.default_rng(session.recipe.seed).permutation(
        certain_train(scanned.table, seed=session.recipe.seed, pictures=pictures)
    )
    held, used = rows[::_HELD_OUT], np.setdiff1d(rows, rows[::_HELD_OUT])
    images, labels = scanned.images.array, scanned.table.labels
    task = Classification.of(scanned.table.classes, labels[used])
    moments = scanned.moments
    facts = Facts(
        task=task.describe(),
        size=(images.shape[1], images.shape[2]),
        channels=images.shape[3],
        mean=tuple(moments.mean.tolist()),
        std=tuple(np.maximum(moments.std, 1e-3).tolist()),
        network=LINEAR,
        options={},
        flip=False,
    )
    model = linear_model(images[used], labels[used], facts=facts)
    save_model(session.folder.model, model, facts=facts)
    with torch.inference_mode():
        said = model(torch.from_numpy(planes(images[held], facts))).numpy()
    score, shown = task.score(said, labels[held]), task.metric.show
    session.write(
        "model", name="first linear", file=session.folder.model.name,
        metric=f"{task.metric.name} on a held-out fifth of the sample", value=score.value, low=score.low,
        high=score.high, adopted=True, replaced=None,
        reason=f"something usable on disk after {session.journal.spent:.1f} s, of {len(used):,} images",
    )  # fmt: skip
    session.progress.line(
        f"  linear: {shown(score.value)} ({shown(score.low)} to {shown(score.high)}) on {len(held):,} held-out images"
    )
