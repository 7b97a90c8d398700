"""Drawing rare classes more often: weights of samples, and the draw of an epoch by them (guide step W9)."""

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from epochal.data.order import mix, permutation
from epochal.errors import SettingError

# Streams of the draw, apart from those that shuffle an epoch without weights.
_START, _AMONG, _AFTER = 0x57E16475, 0x57E16476, 0x57E16477


def class_weights(labels: Int[np.ndarray, " n"], *, power: float = 1.0) -> Float64[np.ndarray, " n"]:
    """A weight for each sample, by how rare its class is: `count ** -power`, scaled to a mean of 1.

    Power 1 gives every class the same share of an epoch, 0.5 (square root) lies half-way, 0 leaves all as it is.
    Samples without a class (below 0) get the weight 0.

    Raises: SettingError if `power` is not from 0 to 1.  Source: Mahajan et al. 2018 (square root); guide step W9.

    >>> class_weights(np.array([0, 0, 0, 1])).round(3).tolist()
    [0.667, 0.667, 0.667, 2.0]
    """
    if not 0 <= power <= 1:
        raise SettingError(
            f"power is {power}.", expected="0 to 1.", remedy="1 for equal shares of the classes, 0.5 for half-way."
        )
    known = labels >= 0
    if not known.any():
        return np.zeros(len(labels))
    counts = np.bincount(labels[known]).astype(np.float64)
    weights = np.where(known, np.maximum(counts, 1)[np.maximum(labels, 0)] ** -power, 0.0)
    scaled: Float64[np.ndarray, " n"] = weights * (len(labels) / weights.sum())
    return scaled


def drawn(weights: Float[np.ndarray, " n"], *, seed: int, epoch: int) -> Int64[np.ndarray, " n"]:
    """Draw as many positions as there are weights, with replacement and in proportion to them.

    Systematic: one start, then even steps through the weights, laid out in an order drawn anew for each epoch. So
    each sample comes as often as its weight says, rounded up or down. A pure function of seed and epoch.

    Raises: SettingError if a weight is negative or no number, or all are 0.
    Source: Madow 1949, systematic sampling with probabilities proportional to size.

    >>> counts = np.bincount(drawn(np.array([1.0, 1.0, 2.0, 0.0]), seed=0, epoch=0), minlength=4)
    >>> counts.tolist()
    [1, 1, 2, 0]
    """
    count = len(weights)
    if not count:
        return np.zeros(0, dtype=np.int64)
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
        raise SettingError(
            f"Weights of samples are from {weights.min()} to {weights.max()}.",
            expected="finite numbers of 0 or more, not all of them 0.",
            remedy="class_weights(labels) makes such weights.",
        )
    order = permutation(count, seed=seed, epoch=epoch ^ _AMONG)
    reach = np.cumsum(weights[order], dtype=np.float64)
    start = float(mix(np.array([_START], dtype=np.uint64), seed, epoch)[0]) / 2**64
    steps = (np.arange(count) + start) * (reach[-1] / count)
    # Rounding may carry the last step past the end, onto weights of 0: the last sample that may be drawn is meant.
    last = int(np.flatnonzero(weights[order])[-1])
    found = order[np.minimum(np.searchsorted(reach, steps, side="right"), last)]
    mixed: Int64[np.ndarray, " n"] = found[permutation(count, seed=seed, epoch=epoch ^ _AFTER)]
    return mixed
