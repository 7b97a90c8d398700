"""Stage 5: the whole test split, opened once, and everything that the score must be seen beside."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Num

from epochal.stages.artifact import load_model
from epochal.stages.baseline import PRIOR, trivial_answer
from epochal.stages.folder import write_json
from epochal.stages.hardest import SHOWN, show_hardest
from epochal.stages.roles import LINEAR, SMALL
from epochal.stages.scoring import evidence_of, labels_of
from epochal.stages.session import versions
from epochal.stats.intervals import Interval
from epochal.writing import write_atomically

if TYPE_CHECKING:
    from epochal.data.split import Samples
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session
    from epochal.tasks.task import Task

_FIXED = 1.0  # seconds for the report, the summary and loading models
_MARGIN = 0.005  # of the budget, for what a busy machine does to the rest
_FORWARD = 2.5
_MOST = 0.35


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tested:
    """What the model and the baselines said of the test split."""

    task: Task  # with what the model file adds to it
    keys: list[str]
    labels: np.ndarray
    evidence: Num[np.ndarray, "n e"]
    baselines: dict[str, Interval]
    linear: Num[np.ndarray, "n e"] | None


def evaluate(session: Session, inspected: Inspected) -> None:
    """Open the test split, score the best model and the baselines on all of it, and write the result."""
    if session.journal.finished("evaluate"):
        return
    with session.stage("evaluate", title="Evaluating on the whole test split"):
        opened = inspected.splits.test.open("the final score")
        tested = _test(session, inspected, opened=opened)
        task, summary = tested.task, summarise(session, inspected, tested=tested)
        details = task.details(tested.evidence, tested.labels)
        session.write("result", **summary, details=details | {"gain_over_linear": _gain(task, tested)})
        write_json(session.folder.summary, summary)
        rows = task.judged(tested.evidence, tested.labels)
        write_atomically(session.folder.predictions, _as_csv(tested.keys, rows))
        worst = task.hardest(tested.evidence, tested.labels, count=min(SHOWN, len(rows)))
        show_hardest(session, inspected, samples=opened, worst=worst, rows=rows)


def seconds_to_evaluate(session: Session, inspected: Inspected, *, images_per_second: float) -> float:
    """What must be left of the budget after the last step: one more look, the final score, the report.

    A forward pass is a third of a training step, so images go through at about three times the speed of training; two
    and a half are counted on. A third of what is left at the most: a busy moment must not cost the whole training.
    """
    views = 2 if session.recipe.transforms.flip else 1
    passes = len(inspected.val) + (views + 1) * len(inspected.splits.test)  # one for the baselines
    wanted = _FIXED + _MARGIN * session.budget + passes / (_FORWARD * images_per_second)
    return min(wanted, _MOST * max(session.left, 0.0))


def _test(session: Session, inspected: Inspected, *, opened: Samples) -> Tested:
    task, labels = inspected.task, labels_of(inspected, opened)
    baselines = {PRIOR: trivial_answer(task, opened.targets)[1]}
    linear = None
    for name in (LINEAR, SMALL):
        path = session.folder.baseline(name)
        if path.exists():
            said = evidence_of(path, inspected, samples=opened)
            baselines[name] = task.score(said, labels)
            if name == LINEAR:
                linear = said
    evidence = evidence_of(session.folder.model, inspected, samples=opened)
    keys = [inspected.table.keys[row] for row in opened.index.tolist()]
    known = load_model(session.folder.model)[1].kind
    return Tested(task=known, keys=keys, labels=labels, evidence=evidence, baselines=baselines, linear=linear)


def summarise(session: Session, inspected: Inspected, *, tested: Tested) -> dict[str, Any]:
    """The content of `summary.json`."""
    model = session.journal.last("model", adopted=True)
    openings = list(session.journal.select("opened"))
    return {
        **tested.task.summary(tested.evidence, tested.labels),
        "split": "test",
        "split_origin": "carved from train" if "test" in inspected.carved else "its own folder",
        "test_openings": len(openings),
        "model": None if model is None else model["name"],
        "baselines": [
            {"name": name, "value": each.value, "low": each.low, "high": each.high}
            for name, each in tested.baselines.items()
        ],
        "budget_seconds": session.budget,
        "spent_seconds": round(session.journal.spent, 2),
        "seed": session.recipe.seed,
        "source": session.source,
        "versions": versions(),
    }


def _gain(task: Task, tested: Tested) -> dict[str, float] | None:
    """What the model brings over the linear one on the same test samples."""
    if tested.linear is None:
        return None
    gain = task.gain(tested.evidence, tested.linear, labels=tested.labels)
    return {"value": gain.value, "low": gain.low, "high": gain.high}


def _as_csv(keys: list[str], rows: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    table = csv.DictWriter(buffer, fieldnames=["file", *rows[0]], lineterminator="\n")
    table.writeheader()
    table.writerows({"file": key, **row} for key, row in zip(keys, rows, strict=True))
    return buffer.getvalue()
