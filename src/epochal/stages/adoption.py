"""A model replaces the one on disk only where a paired comparison on validation data says so."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from epochal.errors import CheckpointError
from epochal.stages.artifact import is_sound, load_model
from epochal.stages.scoring import logits_of
from epochal.stats.classification import accuracy, right, sample_nll
from epochal.stats.intervals import Interval, mean_interval, paired_difference

if TYPE_CHECKING:
    from epochal.recipe.journal import Journal
    from epochal.stages.folder import RunFolder
    from epochal.stages.inspect import Inspected
    from epochal.stages.progress import Progress
    from epochal.stages.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate beside the model on disk, on the same validation samples."""

    gain: Interval
    likelihood: Interval
    adopted: bool
    reason: str


def compare(
    candidate: Float[np.ndarray, "n c"], present: Float[np.ndarray, "n c"], *, labels: Int[np.ndarray, " n"]
) -> Comparison:
    """Adopt the candidate if the same samples show it to be better beyond their noise.

    Either its gain in accuracy lies above zero with its whole 95 % interval, or its accuracy is no lower and its gain
    in log likelihood lies above zero so: likelihood tells two good models apart with fewer samples.

    Shapes: logits of n validation samples in c classes.

    >>> sure, vague, labels = np.eye(2)[[0, 1] * 50] * 4, np.eye(2)[[0, 1] * 50], np.array([0, 1] * 50)
    >>> compare(sure, vague, labels=labels).adopted, compare(vague, vague, labels=labels).adopted
    (True, False)
    """
    gain = paired_difference(right(candidate, labels), right(present, labels))
    likelihood = mean_interval(sample_nll(present, labels) - sample_nll(candidate, labels))
    adopted = gain.low > 0 or (gain.value >= 0 and likelihood.low > 0)
    shown = (
        f"accuracy {gain.value:+.1%} ({gain.low:+.1%} to {gain.high:+.1%}), log likelihood {likelihood.value:+.3f} "
        f"({likelihood.low:+.3f} to {likelihood.high:+.3f}) on {len(labels):,} validation samples"
    )
    reason = f"{shown}: {'better' if adopted else 'not better beyond the noise'}"
    return Comparison(gain=gain, likelihood=likelihood, adopted=adopted, reason=reason)


def consider(
    session: Session,
    inspected: Inspected,
    *,
    name: str,
    path: Path,
    said: Float[np.ndarray, "n c"] | None = None,
) -> bool:
    """Make the model at `path` the run's model if it is the first, or better than the present one; say which.

    `said` are its logits on the validation split where they are known already.
    """
    labels = inspected.val.targets
    candidate = logits_of(path, inspected, samples=inspected.val) if said is None else said
    score = accuracy(candidate, labels)
    present = session.folder.model
    last = session.journal.last("model", adopted=True)
    replaced = None if last is None else last["name"]
    if last is None:
        adopted, reason = True, "the first model: something usable is on disk from here on"
    elif not _comparable(present, inspected):
        adopted, reason = True, f"{replaced} in {present.name} is damaged, or was made for images of another size"
    else:
        if session.present_logits is None:
            session.present_logits = logits_of(present, inspected, samples=inspected.val)
        outcome = compare(candidate, session.present_logits, labels=labels)
        adopted, reason = outcome.adopted, outcome.reason
    if adopted:
        _replace(path, present)
        session.present_logits = candidate
    session.write(
        "model", name=name, file=present.name, metric="validation accuracy", value=score.value, low=score.low,
        high=score.high, adopted=adopted, replaced=replaced, reason=reason,
    )  # fmt: skip
    verdict = "kept as the model" if adopted else f"{replaced} stays"
    session.progress.line(f"  {name}: {score.value:.1%} ({score.low:.1%} to {score.high:.1%}) of validation, {verdict}")
    return adopted


def _comparable(path: Path, inspected: Inspected) -> bool:
    """Whether the model at `path` can be asked about these images."""
    try:
        facts = load_model(path)[1]
    except CheckpointError:
        return False
    here = (inspected.image_size, inspected.channels, inspected.classes)
    return (facts.image_size, facts.channels, facts.classes) == here


def mend(folder: RunFolder, journal: Journal, *, progress: Progress) -> None:
    """Put the adopted model back from the copy that is kept of it, where its file was lost or damaged since."""
    last = journal.last("model", adopted=True)
    if last is None or is_sound(folder.model):
        return
    copy = folder.baseline(last["name"])
    if is_sound(copy):
        _replace(copy, folder.model)
        progress.line(f"  {folder.model.name} was lost or damaged; it is restored from {copy.name}")


def _replace(source: Path, target: Path) -> None:
    """Put a copy of `source` at `target` in one move."""
    temporary = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, temporary)
    temporary.replace(target)
