"""What a table and a report say of yes-or-no answers: one row for each class, one for each sample."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from epochal.stats.answers import f1
from epochal.stats.intervals import Interval


def joined(chosen: Bool[np.ndarray, " k"], *, classes: Sequence[str], by: str = ";") -> str:
    """The names of the chosen classes in one cell of a table.

    >>> joined(np.array([True, False, True]), classes=["cat", "dog", "eel"])
    'cat;eel'
    """
    return by.join(name for name, is_in in zip(classes, chosen, strict=True) if is_in)


def rows_of_classes(
    counts: Int64[np.ndarray, "k 3"],
    precisions: Sequence[Interval],
    *,
    classes: Sequence[str],
    thresholds: Sequence[float],
) -> list[dict[str, Any]]:
    """Each class alone: average precision with its interval, and how its named samples fare; null where unknown.

    `counts` are those of `epochal.stats.answers.answer_counts`: hits, wrong, missed.

    >>> from epochal.stats.multi_label import average_precision_intervals
    >>> sure = average_precision_intervals(np.array([[1.0], [0.0]]), np.array([[1], [0]]))
    >>> row = rows_of_classes(np.array([[1, 1, 0]]), sure, classes=["cat"], thresholds=[0.5])[0]
    >>> row["support"], row["precision"], row["recall"], round(row["f1"], 3)
    (1, 0.5, 1.0, 0.667)
    """
    rows = zip(classes, counts.tolist(), precisions, f1(counts).tolist(), thresholds, strict=True)
    return [
        {
            "label": label,
            "support": hits + missed,
            "average_precision": None if np.isnan(each.value) else each.value,
            "low": each.low,
            "high": each.high,
            "precision": hits / (hits + wrong) if hits + wrong else None,
            "recall": hits / (hits + missed) if hits + missed else None,
            "f1": balance,
            "threshold": threshold,
        }
        for label, (hits, wrong, missed), each, balance, threshold in rows
    ]


def rows_of_samples(
    named: Bool[np.ndarray, "n k"],
    truth: Bool[np.ndarray, "n k"],
    *,
    losses: Float64[np.ndarray, " n"],
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """Each sample alone: labels given and named, what was missed, what was named for nothing, and the loss.

    >>> said, true = np.array([[True, False]]), np.array([[True, True]])
    >>> rows_of_samples(said, true, losses=np.array([0.5]), classes=["cat", "dog"])[0]["missed"]
    'dog'
    """
    return [
        {
            "labels": joined(given, classes=classes),
            "predicted": joined(said, classes=classes),
            "missed": joined(given & ~said, classes=classes),
            "extra": joined(said & ~given, classes=classes),
            "right": int((given == said).all()),
            "loss": round(float(loss), 6),
        }
        for given, said, loss in zip(truth, named, losses, strict=True)
    ]


def caption_of_sample(row: Mapping[str, Any]) -> tuple[str, str]:
    """A short and a long line for the picture of a sample, from its row of `rows_of_samples`.

    >>> caption_of_sample({"labels": "cat", "predicted": "dog;eel", "missed": "cat", "extra": "dog;eel"})
    ('− cat + dog, eel', 'labelled cat, predicted dog, eel')
    """
    told = {key: str(row[key]).replace(";", ", ") for key in ("labels", "predicted", "missed", "extra")}
    parts = [f"{sign} {told[key]}" for sign, key in (("−", "missed"), ("+", "extra")) if told[key]]
    given, said = told["labels"] or "nothing", told["predicted"] or "nothing"
    return " ".join(parts) or given, f"labelled {given}, predicted {said}"
