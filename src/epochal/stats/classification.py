"""How good class predictions are: share right, likelihood, squared error, and where they fail most."""

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64, Num

from epochal.errors import DataError, SettingError
from epochal.stats.intervals import Interval, wilson


def log_softmax(logits: Num[np.ndarray, "n c"]) -> Float64[np.ndarray, "n c"]:
    """Logarithms of the probabilities, in float64 and without overflow: `z - max - log sum exp(z - max)`.

    Shapes: n samples, c classes.  Units: nats, 0 or less.

    >>> log_softmax(np.array([[1000.0, 1000.0]])).round(4).tolist()
    [[-0.6931, -0.6931]]
    """
    shifted = logits.astype(np.float64)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def softmax(logits: Num[np.ndarray, "n c"]) -> Float64[np.ndarray, "n c"]:
    """Probabilities of each class, in float64; every row adds up to 1.

    Shapes: n samples, c classes.

    >>> softmax(np.array([[0.0, np.log(3.0)]])).round(2).tolist()
    [[0.25, 0.75]]
    """
    return np.asarray(np.exp(log_softmax(logits)))


def sample_nll(logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Negative log likelihood of each sample's own label: the cross-entropy, sample by sample.

    Shapes: n samples, c classes.  Units: nats per sample.
    Raises: DataError if a label is not one of the classes.

    >>> sample_nll(np.zeros((1, 4)), np.array([2])).round(4).tolist()
    [1.3863]
    """
    _check_labels(logits, labels)
    return np.asarray(-log_softmax(logits)[np.arange(len(labels)), labels])


def nll(logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> float:
    """Mean negative log likelihood over all samples, each counted once whatever its batch.

    Shapes: n samples, c classes.  Units: nats per sample; `log c` is what guessing evenly costs.
    Raises: DataError if a label is not one of the classes.  Source: tip K2.3.

    >>> round(nll(np.zeros((5, 10)), np.arange(5)), 4)
    2.3026
    """
    return float(sample_nll(logits, labels).mean())


def right(logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which samples are predicted right: the highest logit (the first of equals) is the label's.

    Shapes: n samples, c classes.  Raises: DataError if a label is not one of the classes.

    >>> right(np.array([[2.0, 1.0], [2.0, 1.0]]), np.array([0, 1])).tolist()
    [True, False]
    """
    _check_labels(logits, labels)
    return np.asarray(logits.argmax(axis=1) == labels)


def accuracy(logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], *, confidence: float = 0.95) -> Interval:
    """Share of samples predicted right, with Wilson's interval.

    Shapes: n samples, c classes.  Units: share, 0 to 1.
    Raises: DataError if a label is not one of the classes.  Source: tip K2.3.

    >>> accuracy(np.eye(3), np.array([0, 1, 1])).value
    0.6666666666666666
    """
    hits = right(logits, labels)
    return wilson(int(hits.sum()), len(hits), confidence=confidence)


def top_k(
    logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], *, k: int, confidence: float = 0.95
) -> Interval:
    """Share of samples whose label is among the `k` highest logits; equal logits count against it.

    Shapes: n samples, c classes.  Units: share, 0 to 1.
    Raises: DataError if a label is not one of the classes; SettingError if `k` is not 1 to c.

    >>> top_k(np.array([[3.0, 2.0, 1.0]]), np.array([1]), k=2).value
    1.0
    """
    _check_labels(logits, labels)
    if not 1 <= k <= logits.shape[1]:
        raise SettingError(
            f"k is {k}.", expected=f"1 to {logits.shape[1]}, the number of classes.", remedy="take fewer."
        )
    own = logits[np.arange(len(labels)), labels]
    rank = (logits >= own[:, None]).sum(axis=1)  # 1 for the highest; its equals push it down
    return wilson(int((rank <= k).sum()), len(labels), confidence=confidence)


def brier(logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> float:
    """Mean squared distance of the probabilities from the truth, summed over classes: 0 to 2.

    Shapes: n samples, c classes.  Raises: DataError if a label is not one of the classes.
    Source: Brier 1950, the original form over all classes.

    >>> brier(np.zeros((1, 2)), np.array([0]))
    0.5
    """
    _check_labels(logits, labels)
    off = softmax(logits)
    off[np.arange(len(labels)), labels] -= 1
    return float(np.square(off).sum(axis=1).mean())


def most_disputed(
    logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], *, count: int
) -> Int64[np.ndarray, " k"]:
    """Rows where network and label disagree most, the worst first: highest cross-entropy.

    They are the hard, the odd and the wrongly labelled samples; look at them.
    Shapes: n samples, c classes, k = min(count, n).
    Raises: DataError if a label is not one of the classes.  Source: tips K1.2, K1.5.

    >>> most_disputed(np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 1.0]]), np.array([0, 1, 1]), count=2).tolist()
    [1, 0]
    """
    return np.argsort(-sample_nll(logits, labels), kind="stable")[:count].astype(np.int64)


def prior(labels: Int[np.ndarray, " n"], *, classes: int, smoothing: float = 1.0) -> Float64[np.ndarray, " c"]:
    """Share of each class, with `smoothing` made-up samples spread evenly so that none is 0.

    `(count + smoothing / c) / (n + smoothing)`: a class that is missing here stays possible.
    Shapes: n samples, c classes.  Raises: DataError if a label is not one of the classes.

    >>> prior(np.array([0, 0, 1]), classes=2).tolist()
    [0.625, 0.375]
    """
    _check_labels(np.empty((0, classes)), labels)
    counts = np.bincount(labels, minlength=classes)
    return np.asarray((counts + smoothing / classes) / (counts.sum() + smoothing))


def _check_labels(logits: Num[np.ndarray, "_ c"], labels: Int[np.ndarray, " n"]) -> None:
    classes = logits.shape[1]
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(wrong):
        raise DataError(
            f"Label {labels[wrong[0]]} in row {wrong[0]} ({len(wrong)} such rows).",
            expected=f"0 to {classes - 1}, as the network has {classes} outputs.",
            remedy="build the network for all classes, or leave these rows out.",
        )
