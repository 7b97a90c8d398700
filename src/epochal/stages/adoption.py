"""A model replaces the one on disk only where a paired comparison on validation data says so."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Num

from epochal.errors import CheckpointError
from epochal.stages.artifact import is_sound, load_model
from epochal.stages.scoring import evidence_of, labels_of
from epochal.stats.intervals import Interval, mean_interval

if TYPE_CHECKING:
    from epochal.recipe.journal import Journal
    from epochal.stages.folder import RunFolder
    from epochal.stages.inspected import Inspected
    from epochal.stages.progress import Progress
    from epochal.stages.session import Session
    from epochal.tasks.task import Metric, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate beside the model on disk, on the same validation samples."""

    gain: Interval
    likelihood: Interval
    adopted: bool
    reason: str


def compare(
    task: Task, candidate: Num[np.ndarray, "n e"], *, present: Num[np.ndarray, "n e"], labels: np.ndarray
) -> Comparison:
    """Adopt the candidate if the same samples show it to be better beyond their noise.

    Either its gain in the task's metric lies above zero with its whole 95 % interval, or its metric is no worse and its
    gain in loss lies above zero so: the loss tells two good models apart with fewer samples.

    Shapes: evidence of n validation samples, and their labels.

    >>> from epochal.tasks.classification import Classification
    >>> task, labels = Classification(classes=("cat", "dog"), counts=(1, 1)), np.array([0, 1] * 50)
    >>> sure, vague = np.eye(2)[labels] * 4, np.eye(2)[labels]
    >>> [compare(task, each, present=vague, labels=labels).adopted for each in (sure, vague)]
    [True, False]
    """
    gain = task.gain(candidate, present, labels=labels)
    likelihood = mean_interval(task.losses(present, labels) - task.losses(candidate, labels))
    adopted = gain.low > 0 or (gain.value >= 0 and likelihood.low > 0)
    shown = (
        f"{_change(task.metric, gain)}, loss lower by {likelihood.value:.3f} "
        f"({likelihood.low:+.3f} to {likelihood.high:+.3f}) on {len(candidate):,} validation samples"
    )
    reason = f"{shown}: {'better' if adopted else 'not better beyond the noise'}"
    return Comparison(gain=gain, likelihood=likelihood, adopted=adopted, reason=reason)


def _change(metric: Metric, gain: Interval) -> str:
    """How much better, in words: positive is better whichever way the metric points."""
    style = "+.1%" if metric.unit == "share" else "+.3g"
    way = "" if metric.higher_is_better else " better by"
    return f"{metric.name}{way} {gain.value:{style}} ({gain.low:{style}} to {gain.high:{style}})"


def consider(
    session: Session,
    inspected: Inspected,
    *,
    name: str,
    path: Path,
    said: Num[np.ndarray, "n e"] | None = None,
) -> bool:
    """Make the model at `path` the run's model if it is the first, or better than the present one; say which.

    `said` is its evidence on the validation split where it is known already.
    """
    task, labels = inspected.task, labels_of(inspected, inspected.val)
    candidate = evidence_of(path, inspected, samples=inspected.val) if said is None else said
    score = task.score(candidate, labels)
    present = session.folder.model
    last = session.journal.last("model", adopted=True)
    replaced = None if last is None else last["name"]
    if last is None:
        adopted, reason = True, "the first model: something usable is on disk from here on"
    elif not _comparable(present, inspected):
        adopted, reason = True, f"{replaced} in {present.name} is damaged, or was made for images of another size"
    else:
        if session.present_evidence is None:
            session.present_evidence = evidence_of(present, inspected, samples=inspected.val)
        outcome = compare(task, candidate, present=session.present_evidence, labels=labels)
        adopted, reason = outcome.adopted, outcome.reason
    if adopted:
        _replace(path, present)
        session.present_evidence = candidate
    session.write(
        "model", name=name, file=present.name, metric=f"validation {task.metric.name}", value=score.value,
        low=score.low, high=score.high, adopted=adopted, replaced=replaced, reason=reason,
    )  # fmt: skip
    verdict = "kept as the model" if adopted else f"{replaced} stays"
    shown = task.metric.show
    session.progress.line(
        f"  {name}: {task.metric.name} {shown(score.value)} ({shown(score.low)} to {shown(score.high)}) in validation,"
        f" {verdict}"
    )
    return adopted


def _comparable(path: Path, inspected: Inspected) -> bool:
    """Whether the model at `path` can be asked about these images."""
    try:
        facts = load_model(path)[1]
    except CheckpointError:
        return False
    here = (inspected.size, inspected.channels, inspected.task.name, inspected.task.names)
    return (facts.size, facts.channels, facts.kind.name, facts.kind.names) == here


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
