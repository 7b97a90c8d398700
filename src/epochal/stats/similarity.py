"""How much of a new task a network knows already: what a linear reading of its features gets right on samples left out.

Ridge regression of the targets on the features is solved once, and each sample is then predicted as if it had been
left out of the fit; that takes no second fit. Features of a stage late in the network against those of an earlier one,
and against bare pixels, say how similar the new task is to the one that the network was trained for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Num

from epochal.errors import DataError
from epochal.stats.intervals import Interval, mean_interval

# Penalties tried, as shares of the mean variance of the features times the number of samples.
PENALTIES = tuple(10.0**power for power in range(-5, 3))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Probe:
    """What is predicted of each sample by a fit that did not see it, at the best of the penalties.

    Shapes: n samples, k targets.
    """

    predicted: Float64[np.ndarray, "n k"]
    penalty: float


def left_out(
    features: Num[np.ndarray, "n d"], targets: Num[np.ndarray, "n k"], *, penalties: Sequence[float] = PENALTIES
) -> Probe:
    """Predict each sample's targets from its features by the ridge regression of all other samples.

    With `H` the matrix that maps targets to fitted ones, `y - ŷ_left_out = (y - ŷ) / (1 - H_ii)`: exact. The features
    are centred and brought to deviation 1 over all samples, which is not left out. The penalty is the one with the
    least squared error of samples left out.

    Shapes: n samples, d features, k targets.  Raises: DataError for fewer than 3 samples.
    Source: Allen 1974 (PRESS); Golub, Heath and Wahba 1979.

    >>> x = np.linspace(-1, 1, 20)[:, None]
    >>> np.abs(left_out(x, 3 * x, penalties=[1e-6]).predicted - 3 * x).max() < 1e-3
    np.True_
    """
    n = len(features)
    if n < 3:
        raise DataError(f"There are {n} samples.", expected="3 or more to leave one out.", remedy="add samples.")
    x = features.astype(np.float64)
    mean, std = x.mean(axis=0), x.std(axis=0)
    std[std <= np.maximum(1e-6 * np.abs(mean), 1e-9 * std.max())] = np.inf
    x = (x - mean) / std
    y = targets.astype(np.float64)
    middle = y.mean(axis=0)
    basis, values = _basis(x)
    seen = basis.T @ (y - middle)
    best, lowest = None, np.inf
    for penalty in penalties:
        shrink = values / (values + penalty * n)
        leverage = 1 / n + np.square(basis) @ shrink
        error = (y - middle - basis @ (shrink[:, None] * seen)) / np.maximum(1 - leverage, 1e-9)[:, None]
        loss = float(np.square(error).sum())
        if loss < lowest:
            best, lowest = Probe(predicted=y - error, penalty=penalty), loss
    assert best is not None
    return best


def knowledge(
    features: Num[np.ndarray, "n d"], targets: Num[np.ndarray, "n k"] | Int[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """How well each sample is known from `features` when it is left out: `1 - |y - ŷ|² / variance`.

    The mean over the samples is the share of the targets' variance that is explained: 1 where all is known, 0 where
    the mean of all others would do as well, below 0 where it would do better. Class numbers are read as one target for
    each class; values (a row of numbers each) are brought to variance 1 first. With few samples this tells stages
    apart where the share of right answers cannot: benchmarks/results/finetuning.md.

    Shapes: n samples, d features, k values.  Raises: DataError for fewer than 3 samples.

    >>> x = np.repeat(np.eye(2), 5, axis=0)
    >>> knowledge(x, np.repeat([0, 1], 5)).mean().round(2), knowledge(x, np.repeat([[2.0], [7.0]], 5, axis=0)).mean()
    (np.float64(1.0), np.float64(1.0))
    """
    if targets.ndim == 1:
        names, codes = np.unique(targets, return_inverse=True)
        wanted = np.eye(len(names))[codes]
    else:
        spread = targets.astype(np.float64).std(axis=0)
        wanted = targets / np.where(spread > 0, spread, 1.0)
    error = np.square(wanted - left_out(features, wanted).predicted).sum(axis=1)
    known: Float64[np.ndarray, " n"] = 1 - error / max(float(wanted.var(axis=0).sum()), 1e-12)
    return known


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """How well the new task is read from the stages of a network.

    `last` and `earlier` are means of `knowledge` with intervals, of the last stage and of the best one before it, which
    is called `stage`; `gain` is the last one's lead on the same samples, below 0 where it has lost what the new task
    needs. `pixels` is the same for bare pixels.

    Units: shares of the targets' variance explained on samples left out.
    """

    last: Interval
    earlier: Interval
    stage: str
    pixels: Interval
    gain: Interval


def similarity(
    features: Mapping[str, Num[np.ndarray, "n _"]],
    targets: Num[np.ndarray, "n k"] | Int[np.ndarray, " n"],
    *,
    pixels: Num[np.ndarray, "n d"],
) -> Similarity:
    """Compare what the stages of a network know of a task; `features` go from the first stage to the last.

    Shapes: n samples.  Raises: DataError for fewer than 3 samples or fewer than two stages.

    >>> rng, labels = np.random.default_rng(0), np.arange(60) % 2
    >>> early, late = rng.normal(size=(60, 4)), np.eye(2)[labels] + 0.1 * rng.normal(size=(60, 2))
    >>> found = similarity({"early": early, "late": late}, labels, pixels=early)
    >>> round(found.last.value, 1), found.stage, found.gain.low > 0
    (1.0, 'early', True)
    """
    if len(features) < 2:
        raise DataError(
            f"There are {len(features)} stages to compare.", expected="two or more.", remedy="begin from a deeper one."
        )
    *early, last = features
    known = {name: knowledge(each, targets) for name, each in features.items()}
    best = max(early, key=lambda name: known[name].mean())
    return Similarity(
        last=mean_interval(known[last]),
        earlier=mean_interval(known[best]),
        stage=best,
        pixels=mean_interval(knowledge(pixels, targets)),
        gain=mean_interval(known[last] - known[best]),
    )


def _basis(x: Float64[np.ndarray, "n d"]) -> tuple[Float64[np.ndarray, "n r"], Float64[np.ndarray, " r"]]:
    """Left singular vectors of `x` and squared singular values, through the smaller of its two products."""
    if len(x) <= x.shape[1]:
        values, vectors = np.linalg.eigh(x @ x.T)
        keep = values > 1e-10 * max(float(values[-1]), 1e-300)
        return vectors[:, keep], values[keep]
    values, vectors = np.linalg.eigh(x.T @ x)
    keep = values > 1e-10 * max(float(values[-1]), 1e-300)
    return x @ (vectors[:, keep] / np.sqrt(values[keep])), values[keep]
