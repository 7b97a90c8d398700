"""Stage 5: the whole test split, opened once, and everything that the score must be seen beside."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, Int

from epochal.stages.baseline import PRIOR, SMALL
from epochal.stages.folder import write_json
from epochal.stages.linear import LINEAR
from epochal.stages.pictures import Cell, show
from epochal.stages.scoring import logits_of
from epochal.stages.session import versions
from epochal.stats.classification import accuracy, most_disputed, right, softmax
from epochal.stats.intervals import Interval, paired_difference
from epochal.writing import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from epochal.data.split import Samples
    from epochal.stages.inspect import Inspected
    from epochal.stages.session import Session

_SHOWN = 32  # disputed samples on the page: four rows of eight
_FIXED = 1.0  # seconds for the report, the summary and loading models
_MARGIN = 0.005  # of the budget, for what a busy machine does to the rest
_FORWARD = 2.5
_MOST = 0.35


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tested:
    """What the model and the baselines said of the test split."""

    keys: list[str]
    labels: Int[np.ndarray, " n"]
    logits: Float32[np.ndarray, "n c"]
    baselines: dict[str, Interval]
    linear_right: Bool[np.ndarray, " n"] | None


def evaluate(session: Session, inspected: Inspected) -> None:
    """Open the test split, score the best model and the baselines on all of it, and write the result."""
    if session.journal.finished("evaluate"):
        return
    with session.stage("evaluate", title="Evaluating on the whole test split"):
        opened = inspected.splits.test.open("the final score")
        tested = _test(session, inspected, opened=opened)
        summary = summarise(session, inspected, tested=tested)
        details = inspected.task.details(tested.logits, tested.labels) | {"gain_over_linear": _gain(tested)}
        session.write("result", **summary, details=details)
        write_json(session.folder.summary, summary)
        _write_predictions(session.folder.predictions, tested, classes=inspected.classes)
        _show_disputed(session, tested, classes=inspected.classes, opened=opened)


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
    labels = opened.targets
    baselines = {PRIOR: inspected.task.trivial(labels)["majority"]}
    linear_right = None
    for name in (LINEAR, SMALL):
        path = session.folder.baseline(name)
        if path.exists():
            said = logits_of(path, inspected, samples=opened)
            baselines[name] = accuracy(said, labels)
            if name == LINEAR:
                linear_right = right(said, labels)
    logits = logits_of(session.folder.model, inspected, samples=opened)
    keys = [inspected.table.keys[row] for row in opened.index.tolist()]
    return Tested(keys=keys, labels=labels, logits=logits, baselines=baselines, linear_right=linear_right)


def summarise(session: Session, inspected: Inspected, *, tested: Tested) -> dict[str, Any]:
    """The content of `summary.json`."""
    model = session.journal.last("model", adopted=True)
    openings = list(session.journal.select("opened"))
    return {
        **inspected.task.summary(tested.logits, tested.labels),
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


def _gain(tested: Tested) -> dict[str, float] | None:
    """What the network brings over the linear model on the same test samples."""
    if tested.linear_right is None:
        return None
    gain = paired_difference(right(tested.logits, tested.labels), tested.linear_right)
    return {"value": gain.value, "low": gain.low, "high": gain.high}


def _write_predictions(path: Path, tested: Tested, *, classes: tuple[str, ...]) -> None:
    probabilities = softmax(tested.logits)
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(["file", "label", "predicted", "probability", "right"])
    for key, label, row in zip(tested.keys, tested.labels, probabilities, strict=True):
        said = int(row.argmax())
        table.writerow([key, classes[label], classes[said], f"{row[said]:.6f}", int(said == label)])
    write_atomically(path, buffer.getvalue())


def _show_disputed(session: Session, tested: Tested, *, classes: tuple[str, ...], opened: Samples) -> None:
    """The samples where network and label disagree most: hard ones, and labels that may be wrong (K1.5)."""
    worst = most_disputed(tested.logits, tested.labels, count=min(_SHOWN, len(tested.labels)))
    worst = worst[~right(tested.logits[worst], tested.labels[worst])]
    if not len(worst):
        return
    probabilities = softmax(tested.logits[worst])
    cells = []
    for place, row in zip(worst, probabilities, strict=True):
        given, said = int(tested.labels[place]), int(row.argmax())
        labelled = f"labelled {classes[given]} ({row[given]:.1%})"
        predicted = f"predicted {classes[said]} ({row[said]:.1%})"
        label = f"{classes[given]} → {classes[said]}"
        cells.append(Cell(label=label, text=f"{tested.keys[place]}: {labelled}, {predicted}"))
    show(
        session,
        opened.images[opened.index[worst]],
        name="errors",
        caption="Test images on which network and label disagree most: label → prediction",
        cells=cells,
    )
