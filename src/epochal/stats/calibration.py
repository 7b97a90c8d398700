"""Whether a network that says 80 % is right 80 % of the time, and the one number that mends it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64, Num

from epochal.stats.classification import log_softmax, right, sample_nll, softmax

# Guo et al. 2017 report 15 bins; fewer samples than this per equal-mass bin make the error mostly noise.
BINS = 15
# Temperatures looked at: from a 100 times too shy to a 100 times too sure network.
COLDEST, HOTTEST = 0.01, 100.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reliability:
    """Bins of the confidence, for the reliability diagram; empty bins are left out.

    Shapes: b bins.
    """

    count: Int64[np.ndarray, " b"]
    confidence: Float64[np.ndarray, " b"]  # mean of the highest probability
    accuracy: Float64[np.ndarray, " b"]  # share right

    @property
    def error(self) -> float:
        """Mean gap of confidence and accuracy, each bin weighted by its samples.

        >>> reliability(np.zeros((4, 2)), np.array([0, 0, 1, 1])).error
        0.0
        """
        gaps = np.abs(self.confidence - self.accuracy)
        return float((gaps * self.count).sum() / max(1, self.count.sum()))


def reliability(
    logits: Num[np.ndarray, "n c"],
    labels: Int[np.ndarray, " n"],
    *,
    bins: int = BINS,
    spacing: Literal["mass", "width"] = "mass",
) -> Reliability:
    """Confidence beside accuracy, bin by bin.

    "mass": bins of equally many samples (the steadier estimate); "width": bins of equal width over
    0 to 1 (the common one, for comparison with published figures).  Samples of equal confidence
    share a bin in either case, so their order cannot matter.
    Shapes: n samples, c classes.  Raises: DataError if a label is not one of the classes.
    Source: Naeini et al. 2015 (width); Nguyen and O'Connor 2015, Nixon et al. 2019 (mass).

    >>> reliability(np.array([[4.0, 0.0], [0.0, 0.1]]), np.array([0, 0]), bins=2).accuracy.tolist()
    [0.0, 1.0]
    """
    confidence, hits = softmax(logits).max(axis=1), right(logits, labels)
    if spacing == "width":
        places = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    else:
        rank = np.searchsorted(np.sort(confidence), confidence)  # how many are below: equal for equals
        places = rank * bins // max(1, len(confidence))
    return _grouped(places, confidence=confidence, hits=hits)


def calibration_error(
    logits: Num[np.ndarray, "n c"],
    labels: Int[np.ndarray, " n"],
    *,
    bins: int = BINS,
    spacing: Literal["mass", "width"] = "mass",
) -> float:
    """Expected calibration error: how far stated confidence is from the share right, on average.

    It is biased upwards on few samples: a perfectly calibrated network of confidence 0.5 measures
    about `0.4 sqrt(bins / n)`, not 0.
    Shapes: n samples, c classes.  Units: share, 0 to 1.
    Raises: DataError if a label is not one of the classes.  Source: Guo et al. 2017.

    >>> round(calibration_error(np.array([[9.0, 0.0]] * 4), np.array([0, 0, 1, 1])), 2)
    0.5
    """
    return reliability(logits, labels, bins=bins, spacing=spacing).error


def temperature(logits: Num[np.ndarray, "n c"], labels: Int[np.ndarray, " n"]) -> float:
    """The number to divide logits by for the best likelihood; above 1 the network is too sure.

    Fit it on validation samples: on training samples it hides over-confidence.  Accuracy never
    changes.  Where all are right or all are wrong it ends at the edge of 0.01 to 100; where no
    logit differs from another it is 1.
    Shapes: n samples, c classes.  Raises: DataError if a label is not one of the classes.
    Source: Guo et al. 2017, section 4.2.

    >>> sure = np.array([[8.0, 0.0]] * 10)
    >>> round(8.0 / temperature(sure, np.array([0] * 9 + [1])), 3)  # log odds of 9 to 1
    2.197
    """
    sample_nll(logits, labels)  # refuses foreign labels
    scores = logits.astype(np.float64)
    if not len(scores) or not np.ptp(scores, axis=1).any():
        return 1.0
    low, high = 1 / HOTTEST, 1 / COLDEST
    # In b = 1/T the likelihood is concave, so its slope crosses zero once: halve the range of log b.
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if _slope(scores, labels, inverse=middle) >= 0 else (low, middle)
    return float(1 / np.sqrt(low * high))


def _slope(scores: Float64[np.ndarray, "n c"], labels: Int[np.ndarray, " n"], *, inverse: float) -> float:
    """Derivative of the mean log likelihood in the inverse temperature: own logit less the expected one."""
    own = scores[np.arange(len(labels)), labels]
    expected = (np.exp(log_softmax(scores * inverse)) * scores).sum(axis=1)
    return float((own - expected).mean())


def _grouped(
    places: Int64[np.ndarray, " n"], *, confidence: Float64[np.ndarray, " n"], hits: Bool[np.ndarray, " n"]
) -> Reliability:
    _, places = np.unique(places, return_inverse=True)
    count = np.bincount(places)
    return Reliability(
        count=count.astype(np.int64),
        confidence=np.bincount(places, weights=confidence) / np.maximum(1, count),
        accuracy=np.bincount(places, weights=hits.astype(np.float64)) / np.maximum(1, count),
    )
