"""Which class is taken for which, and how each one fares alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int64

from epochal.errors import DataError
from epochal.stats.intervals import Interval, wilson


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """One class alone: how many of it were found, and how many so named are of it.

    `f1` is the harmonic mean of both, 0 where the class is never rightly named.
    """

    label: int
    support: int  # samples of this class
    predicted: int  # samples named so
    recall: Interval  # of its samples, the share found
    precision: Interval  # of those named so, the share that is
    f1: float


def confusion_matrix(
    predicted: Int[np.ndarray, " n"], labels: Int[np.ndarray, " n"], *, classes: int
) -> Int64[np.ndarray, "c c"]:
    """Samples counted by true class (row) and predicted class (column).

    Shapes: n samples, c classes.  Raises: DataError if a class is not within 0 to c - 1.

    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 1]), classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    for name, values in (("prediction", predicted), ("label", labels)):
        if len(values) and not 0 <= values.min() <= values.max() < classes:
            worst = values.min() if values.min() < 0 else values.max()
            raise DataError(
                f"A {name} is {worst}.",
                expected=f"0 to {classes - 1}.",
                remedy="hand over class indices, and the number of all classes.",
            )
    cells = labels.astype(np.int64) * classes + predicted
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.int64)


def per_class(matrix: Int64[np.ndarray, "c c"], *, confidence: float = 0.95) -> tuple[ClassScore, ...]:
    """Recall and precision of each class with Wilson's interval, F1 and support, from the confusion matrix.

    Shapes: c classes, rows true.  A class without samples has recall NaN, from 0 to 1.

    >>> cat, dog = per_class(np.array([[8, 2], [0, 10]]))
    >>> cat.recall.value, cat.precision.value, round(cat.f1, 3), dog.support
    (0.8, 1.0, 0.889, 10)
    """
    hits, support, named = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    return tuple(
        ClassScore(
            label=label,
            support=int(support[label]),
            predicted=int(named[label]),
            recall=wilson(int(hits[label]), int(support[label]), confidence=confidence),
            precision=wilson(int(hits[label]), int(named[label]), confidence=confidence),
            f1=float(2 * hits[label] / max(1, support[label] + named[label])),
        )
        for label in range(len(matrix))
    )


def balanced_accuracy(matrix: Int64[np.ndarray, "c c"]) -> float:
    """Mean recall over the classes that have samples: chance is `1 / c` however unequal they are.

    >>> balanced_accuracy(np.array([[90, 0], [10, 0]]))
    0.5
    """
    support = matrix.sum(axis=1)
    seen = support > 0
    return float((matrix.diagonal()[seen] / support[seen]).mean()) if seen.any() else float("nan")


def cohen_kappa(matrix: Int64[np.ndarray, "c c"]) -> float:
    """Agreement beyond what the two raters' habits alone give: `(po - pe) / (1 - pe)`; 1 is perfect.

    Rows are one rater's classes, columns the other's.  Where both always name one and the same
    class it is NaN: nothing can be told.
    Source: Cohen 1960; tip K2.6.

    >>> cohen_kappa(np.array([[5, 0], [0, 5]]))
    1.0
    """
    total = int(matrix.sum())
    if not total:
        return float("nan")
    seen = float(matrix.trace()) / total
    chance = float(matrix.sum(axis=0) @ matrix.sum(axis=1)) / total**2
    return (seen - chance) / (1 - chance) if chance < 1 else float("nan")
