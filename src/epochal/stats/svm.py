"""The linear support vector machine: the classifier for few samples in many dimensions.

One machine for each class against the rest, with the squared hinge, whose minimum is found by Newton's method: the
objective is piecewise quadratic, so a handful of steps end exactly where the gradient is zero. All machines go
through each matrix product together.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int, Num

from epochal.errors import DataError, SettingError
from epochal.stats.linear import LinearMap, constant_map

COSTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # of features with deviation 1: docs/decisions/fine-tuning.md
FOLDS = 5
# Held-out samples on which the cost is chosen: with more, fewer folds are taken.
CHOOSERS = 500
_STEPS, _INNER = 50, 200
_TOLERANCE = 1e-4  # of the first gradient
_ROUGHLY = 1e-2  # enough to tell costs apart


def fit_svm(
    features: Num[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    classes: int,
    cost: float | None = None,
    costs: Sequence[float] = COSTS,
) -> LinearMap:
    """The linear SVM of `features`, its cost chosen by cross-validation if not given, as weights for `nn.Linear`.

    For each class minimises `½ |w|² + C Σ max(0, 1 - y (w·x + b))²` with y = 1 for the class and -1 for the rest.
    Features are brought to deviation 1 first, and the map is brought back; the bias is not penalised. A class without
    a sample gets the score of a sure no.

    Shapes: n samples, d features.  Raises: DataError if a label is not one of the classes, SettingError for a cost
    that is not positive.  Source: Keerthi and DeCoste 2005; tip W4.4.

    >>> x = np.array([[-1.0], [-0.8], [0.9], [1.0]])
    >>> fit_svm(x, np.array([0, 0, 1, 1]), classes=2, cost=1.0).logits(x).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """
    tried = list(costs) if cost is None else [cost]
    if not tried or not all(each > 0 for each in tried):
        raise SettingError(f"The costs are {tried}.", expected="one or more, above 0.", remedy="leave them out.")
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise DataError(
            f"Labels run from {labels.min()} to {labels.max()}.", expected=f"0 to {classes - 1}.", remedy="count them."
        )
    if len(np.unique(labels)) < 2:
        return constant_map(labels, classes=classes, features=features.shape[1])
    x, mean, std = _standardised(features)
    x, turn = _turned(x)
    chosen = tried[0] if len(tried) == 1 else _chosen_cost(x, labels, classes=classes, costs=tried)
    weight, bias = _minimised(x, _signs(labels, classes), cost=chosen)
    weight = (weight @ turn.T) / std
    return LinearMap(weight=weight.astype(np.float32), bias=(bias - weight @ mean).astype(np.float32))


def stratified_folds(labels: Int[np.ndarray, " n"], *, folds: int, seed: int = 0) -> Int[np.ndarray, " n"]:
    """The fold of each sample, so that every fold has its share of every class.

    >>> stratified_folds(np.array([0, 0, 1, 1]), folds=2).reshape(2, 2).sum(axis=1).tolist()
    [1, 1]
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[order] = np.arange(len(labels)) % folds
    return fold


def _standardised(
    features: Num[np.ndarray, "n d"],
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, " d"], Float64[np.ndarray, " d"]]:
    x = features.astype(np.float64)
    mean, std = x.mean(axis=0), x.std(axis=0)
    std[std <= np.maximum(1e-6 * np.abs(mean), 1e-9 * std.max())] = np.inf  # what never changes has no say
    return (x - mean) / std, mean, std


def _turned(x: Float64[np.ndarray, "n d"]) -> tuple[Float64[np.ndarray, "n r"], Float64[np.ndarray, "d r"]]:
    """With more features than samples, the coordinates within the space that the samples span: weights lie there."""
    if x.shape[1] <= len(x):
        return x, np.eye(x.shape[1])
    left, lengths, right = np.linalg.svd(x, full_matrices=False)
    return left * lengths, right.T


def _signs(labels: Int[np.ndarray, " n"], classes: int) -> Float64[np.ndarray, "n k"]:
    signs: Float64[np.ndarray, "n k"] = np.where(labels[:, None] == np.arange(classes), 1.0, -1.0)
    return signs


def _chosen_cost(
    x: Float64[np.ndarray, "n r"], labels: Int[np.ndarray, " n"], *, classes: int, costs: Sequence[float]
) -> float:
    """The cost with the most held-out samples right; of equals the smallest, which trusts the samples least.

    From the smallest up, each beginning where the one before ended; two in a row without a gain end the search.
    """
    fold = stratified_folds(labels, folds=FOLDS)
    folds = [held for held in (fold == n for n in range(_folds_for(len(labels)))) if _fair(labels, held)]
    places = [(np.zeros((classes, x.shape[1])), np.zeros(classes)) for _ in folds]
    best, most, idle = min(costs), -1, 0
    for cost in sorted(costs):
        hits = 0
        for number, held in enumerate(folds):
            signs = _signs(labels[~held], classes)
            places[number] = _minimised(x[~held], signs, cost=cost, start=places[number], tolerance=_ROUGHLY)
            weight, bias = places[number]
            hits += int(((x[held] @ weight.T + bias).argmax(axis=1) == labels[held]).sum())
        idle = 0 if hits > most else idle + 1
        if hits > most:
            best, most = cost, hits
        if idle == 2:
            break
    return best


def _folds_for(samples: int) -> int:
    """All folds where samples are few, one where that holds out enough."""
    return max(1, min(FOLDS, -(-CHOOSERS * FOLDS // samples)))


def _fair(labels: Int[np.ndarray, " n"], held: Bool[np.ndarray, " n"]) -> bool:
    return bool(held.any()) and len(np.unique(labels[~held])) > 1


def _minimised(
    x: Float64[np.ndarray, "n r"],
    signs: Float64[np.ndarray, "n k"],
    *,
    cost: float,
    start: tuple[Float64[np.ndarray, "k r"], Float64[np.ndarray, " k"]] | None = None,
    tolerance: float = _TOLERANCE,
) -> tuple[Float64[np.ndarray, "k r"], Float64[np.ndarray, " k"]]:
    """Newton's method with conjugate gradients inside and a step that halves until the objective falls."""
    k, r = signs.shape[1], x.shape[1]
    weight, bias = (np.zeros((k, r)), np.zeros(k)) if start is None else (start[0].copy(), start[1].copy())
    first = None
    for _ in range(_STEPS):
        margin = signs * (x @ weight.T + bias)
        slack = np.maximum(0.0, 1 - margin)
        pull = -2 * cost * signs * slack
        slope, slope_bias = weight + pull.T @ x, pull.sum(axis=0)
        size = np.sqrt(np.square(slope).sum(axis=1) + np.square(slope_bias))
        first = np.maximum(size, 1e-12) if first is None else first
        if (size <= tolerance * first).all():
            break
        step, step_bias = _newton_step(x, slack > 0, slope=slope, slope_bias=slope_bias, cost=cost)
        moved = signs * (x @ step.T + step_bias)
        length = _lengths(weight, step, margin=margin, moved=moved, cost=cost)
        weight += length[:, None] * step
        bias += length * step_bias
    return weight, bias


def _newton_step(
    x: Float64[np.ndarray, "n r"],
    active: Bool[np.ndarray, "n k"],
    *,
    slope: Float64[np.ndarray, "k r"],
    slope_bias: Float64[np.ndarray, " k"],
    cost: float,
) -> tuple[Float64[np.ndarray, "k r"], Float64[np.ndarray, " k"]]:
    """Solve `(I + 2C XᵀDX) step = -slope` for each class, D marking the samples within the margin."""
    count = 2 * cost * active.sum(axis=0)
    shrink = 1 + 2 * cost * (active.T.astype(np.float64) @ np.square(x))  # the diagonal
    shrink_bias = np.maximum(count, 1e-9)
    step, step_bias = np.zeros_like(slope), np.zeros_like(slope_bias)
    rest, rest_bias = -slope, -slope_bias
    eased, eased_bias = rest / shrink, rest_bias / shrink_bias
    towards, towards_bias = eased.copy(), eased_bias.copy()
    power = (rest * eased).sum(axis=1) + rest_bias * eased_bias
    enough = 1e-3 * power  # inexact steps suffice: the outer loop makes up for them
    for _ in range(_INNER):
        reach = 2 * cost * active * (x @ towards.T + towards_bias)
        bent, bent_bias = towards + reach.T @ x, reach.sum(axis=0)
        curve = (towards * bent).sum(axis=1) + towards_bias * bent_bias
        length = np.divide(power, curve, out=np.zeros_like(power), where=curve > 0)
        step += length[:, None] * towards
        step_bias += length * towards_bias
        rest -= length[:, None] * bent
        rest_bias -= length * bent_bias
        eased, eased_bias = rest / shrink, rest_bias / shrink_bias
        following = (rest * eased).sum(axis=1) + rest_bias * eased_bias
        if (following <= enough).all():
            break
        keep = np.divide(following, power, out=np.zeros_like(power), where=power > 0)
        towards, towards_bias = eased + keep[:, None] * towards, eased_bias + keep * towards_bias
        power = following
    return step, step_bias


def _lengths(
    weight: Float64[np.ndarray, "k r"],
    step: Float64[np.ndarray, "k r"],
    *,
    margin: Float64[np.ndarray, "n k"],
    moved: Float64[np.ndarray, "n k"],
    cost: float,
) -> Float64[np.ndarray, " k"]:
    """The longest of 1, ½, ¼ ... that lowers each objective; 0 where none does."""
    square, cross, own = (np.sum(a * b, axis=1) for a, b in ((weight, weight), (weight, step), (step, step)))
    length = np.ones(len(weight))
    before = 0.5 * square + cost * np.square(np.maximum(0.0, 1 - margin)).sum(axis=0)
    worse = np.ones(len(weight), dtype=bool)
    for _ in range(30):
        after = 0.5 * (square + 2 * length * cross + length**2 * own)
        after += cost * np.square(np.maximum(0.0, 1 - margin - length * moved)).sum(axis=0)
        worse = after > before * (1 + 1e-12)
        if not worse.any():
            return length
        length[worse] /= 2
    length[worse] = 0.0
    return length
