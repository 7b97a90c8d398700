"""How good yes-or-no answers to many classes are: ranking, thresholds, and how sure each figure is."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Float64, Num

from epochal.stats.intervals import Interval
from epochal.stats.resampling import interval_of_draws, interval_of_ranking, times_drawn

DRAWS = 1000
# Answers drawn in all, from where on there are fewer draws, 400 at least: a second or two.
ENOUGH = 10**8

Answers: TypeAlias = Num[np.ndarray, "n k"] | Bool[np.ndarray, "n k"]


def average_precision(scores: Num[np.ndarray, "n k"], labels: Answers) -> Float64[np.ndarray, " k"]:
    """How well each class's samples are ranked first: `sum_i (R_i - R_(i-1)) P_i`, samples of equal score together.

    The sum has a step for each distinct score; nothing is interpolated. A class without positives has NaN. What knows
    nothing gets the share of positives.

    Shapes: n samples, k classes.  Units: share, 0 to 1.  Source: scikit-learn's `average_precision_score`; Zhu 2004.

    >>> average_precision(np.array([[0.9], [0.8], [0.1]]), np.array([[1], [0], [1]])).round(3).tolist()
    [0.833]
    """
    once = np.ones((len(scores), 1), dtype=np.float32)
    ranked = zip(scores.T, labels.T, strict=True)
    return np.array([_precisions(score, truth > 0, times=once)[0] for score, truth in ranked])


def mean_average_precision(scores: Num[np.ndarray, "n k"], labels: Answers) -> float:
    """Mean of the average precisions over the classes that have positives; NaN where none has.

    >>> mean_average_precision(np.array([[0.9, 0.0], [0.1, 0.0]]), np.array([[1, 0], [0, 0]]))
    1.0
    """
    return float(_mean_of_known(average_precision(scores, labels)[:, None])[0])


def mean_average_precision_interval(
    scores: Num[np.ndarray, "n k"], labels: Answers, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> Interval:
    """Mean average precision with the interval that its number of samples allows: samples are drawn again.

    Few positives flatter the value: of 100 samples, five of them positive in the rarest class, by 0.03 where the truth
    is 0.59. The interval allows for that.

    Shapes: n samples, k classes.  Source: Efron 1979; tip K2.3.

    >>> scores, labels = np.arange(8.0)[:, None], np.array([0, 0, 1, 0, 1, 0, 1, 1])[:, None]
    >>> found = mean_average_precision_interval(scores, labels)
    >>> round(found.value, 3), found.low < found.value < found.high
    (0.854, True)
    """
    drawn = _mean_of_known(_drawn(scores, labels, draws=draws, seed=seed))
    value = mean_average_precision(scores, labels)
    return interval_of_ranking(value, drawn=drawn, samples=len(scores), confidence=confidence)


def average_precision_intervals(
    scores: Num[np.ndarray, "n k"], labels: Answers, *, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0
) -> tuple[Interval, ...]:
    """Average precision of each class with its interval; a class without positives has NaN, 0 to 1.

    Shapes: n samples, k classes.

    >>> [each.value for each in average_precision_intervals(np.array([[1.0], [0.0]]), np.array([[1], [0]]))]
    [1.0]
    """
    values, drawn = average_precision(scores, labels).tolist(), _drawn(scores, labels, draws=draws, seed=seed)
    return tuple(
        interval_of_ranking(value, drawn=each, samples=len(scores), confidence=confidence)
        for value, each in zip(values, drawn, strict=True)
    )


def mean_average_precision_gain(
    candidate: Num[np.ndarray, "n k"],
    present: Num[np.ndarray, "n k"],
    *,
    labels: Answers,
    confidence: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """How much more precise the candidate ranks than the present model, the same samples drawn again for both.

    Shapes: n samples, k classes.  Units: share, -1 to 1.

    >>> labels = np.array([[1], [0]] * 4)
    >>> mean_average_precision_gain(1.0 * labels, 1.0 - labels, labels=labels).value
    0.5
    """
    pair = [_mean_of_known(_drawn(each, labels, draws=draws, seed=seed)) for each in (candidate, present)]
    value = mean_average_precision(candidate, labels) - mean_average_precision(present, labels)
    drawn = pair[0] - pair[1]
    return interval_of_draws(value, drawn=drawn, samples=len(labels), confidence=confidence, reach=(-1.0, 1.0))


def _precisions(
    scores: Num[np.ndarray, " n"], truth: Bool[np.ndarray, " n"], *, times: Float32[np.ndarray, "n draws"]
) -> Float64[np.ndarray, " draws"]:
    """Average precision where each sample counts as often as `times` says, for many such countings at once.

    Only the ends of groups of equal score that hold a positive matter: what lies between is added up in one go.
    """
    if not truth.any():
        return np.full(times.shape[1], np.nan)
    order = np.argsort(-scores, kind="stable")
    ranked, positive = scores[order], truth[order]
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)  # of groups of equal score
    group = np.searchsorted(ends, np.flatnonzero(positive))  # of each positive
    kept, held = np.unique(group, return_index=True)
    weight = times[order]
    hits = np.add.reduceat(weight[positive], held, axis=0, dtype=np.float64)
    starts = np.append(0, ends[kept[:-1]] + 1)
    named = np.add.reduceat(weight[: ends[kept[-1]] + 1], starts, axis=0, dtype=np.float64).cumsum(axis=0)
    found = hits.cumsum(axis=0)
    precision = np.divide(found, named, out=np.zeros_like(found), where=named > 0)
    total = found[-1]
    found = np.divide((hits * precision).sum(axis=0), total, out=np.full(len(total), np.nan), where=total > 0)
    return np.asarray(found)


def _drawn(scores: Num[np.ndarray, "n k"], labels: Answers, *, draws: int, seed: int) -> Float64[np.ndarray, "k draws"]:
    """Average precision of each class on samples drawn again, the same for the same seed whatever the scores."""
    truth = labels > 0
    draws = min(draws, max(400, ENOUGH // max(1, labels.size)))
    parts = [
        [_precisions(score, true, times=times) for score, true in zip(scores.T, truth.T, strict=True)]
        for times in times_drawn(len(scores), draws=draws, seed=seed)
    ]
    return np.concatenate([np.asarray(part).reshape(scores.shape[1], -1) for part in parts], axis=1)


def _mean_of_known(values: Float64[np.ndarray, "k draws"]) -> Float64[np.ndarray, " draws"]:
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(values.shape[1], np.nan), where=count > 0))
