"""Rows of values, one column each: into outputs and back, how far off they are, and how a person reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Num

from epochal.stats.regression import Errors, histogram, judge
from epochal.tasks.value import Value

_DRAWN = 500  # points in a scatter plot: more only cover each other


def encoded(values: Sequence[Value], labels: Num[np.ndarray, "n k"]) -> Float64[np.ndarray, "n o"]:
    """The outputs of a network that says exactly these values.

    >>> encoded([Value.of("age", np.array([10.0, 30.0]))], np.array([[40.0]])).tolist()
    [[2.0]]
    """
    return np.concatenate([value.encode(column) for value, column in zip(values, labels.T, strict=True)], axis=1)


def decoded(values: Sequence[Value], outputs: Num[np.ndarray, "n o"]) -> Float64[np.ndarray, "n k"]:
    """The values that these outputs say.

    >>> decoded([Value.of("age", np.array([10.0, 30.0]))], np.array([[2.0]])).tolist()
    [[40.0]]
    """
    ends = np.cumsum([value.outputs for value in values])
    said = np.split(outputs, ends[:-1], axis=1)
    return np.stack([value.decode(each) for value, each in zip(values, said, strict=True)], axis=1)


def errors(
    values: Sequence[Value], said: Num[np.ndarray, "n k"], *, given: Num[np.ndarray, "n k"]
) -> Float64[np.ndarray, "n k"]:
    """Said minus given, by the shorter way on a circle, in the columns' own units.

    >>> errors([Value.of("age", np.array([10.0, 30.0]))], np.array([[12.0]]), given=np.array([[10.0]])).tolist()
    [[2.0]]
    """
    columns = zip(values, said.T, given.T, strict=True)
    return np.stack([value.errors(predicted, label) for value, predicted, label in columns], axis=1)


def sizes(values: Sequence[Value], wrong: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
    """How far off each row is: of one column in its own units, of several the mean in standard deviations.

    >>> two = [Value.of("age", np.array([10.0, 30.0])), Value.of("height", np.array([1.0, 2.0]))]
    >>> sizes(two, np.array([[10.0, -1.0]])).tolist()
    [1.5]
    """
    if len(values) == 1:
        return np.asarray(np.abs(wrong[:, 0]))
    return np.asarray((np.abs(wrong) / np.array([value.deviation for value in values])).mean(axis=1))


def judged_columns(
    values: Sequence[Value], said: Num[np.ndarray, "n k"], *, given: Num[np.ndarray, "n k"]
) -> list[Errors]:
    """The figures of each column in its own units.

    >>> judged_columns([Value.of("age", np.array([10.0, 30.0]))], np.array([[12.0]]), given=np.array([[10.0]]))[0].bias
    2.0
    """
    columns = zip(values, said.T, given.T, strict=True)
    return [judge(predicted, label, circle=value.circle) for value, predicted, label in columns]


def plain(found: Errors) -> dict[str, float | None]:
    """Figures as JSON holds them: what cannot be told is null.

    >>> from epochal.stats.regression import judge
    >>> plain(judge(np.array([1.0]), np.array([1.0])))["r2"] is None
    True
    """
    figures = {
        "mae": found.mae.value,
        "low": found.mae.low,
        "high": found.mae.high,
        "rmse": found.rmse,
        "r2": found.r2,
        "median_absolute_error": found.median,
        "bias": found.bias,
    }
    return {name: known(value) for name, value in figures.items()}


def drawn(values: Sequence[Value], said: Num[np.ndarray, "n k"], *, given: Num[np.ndarray, "n k"]) -> dict[str, Any]:
    """What a report draws: given against predicted, 500 points at most, and a histogram of the errors.

    >>> drawn([Value.of("age", np.array([10.0, 30.0]))], np.array([[12.0]]), given=np.array([[10.0]]))["scatter"]
    {'age': [[10.0, 12.0]]}
    """
    some = np.unique(np.linspace(0, max(len(said) - 1, 0), min(len(said), _DRAWN)).round().astype(int))
    wrong, residuals, scatter = errors(values, said, given=given), {}, {}
    for k, value in enumerate(values):
        edges, counts = histogram(wrong[:, k])
        residuals[value.name] = {"edges": edges.tolist(), "counts": counts.tolist()}
        points = np.stack([given[some, k], said[some, k]], axis=1).astype(np.float64)
        scatter[value.name] = points[np.isfinite(points).all(axis=1)].tolist()
    return {"scatter": scatter, "residuals": residuals}


def told(
    values: Sequence[Value], said: Num[np.ndarray, "n k"], *, given: Num[np.ndarray, "n k"]
) -> list[dict[str, float]]:
    """Label, prediction and error side by side; of several columns each under its own name, as in `error.age`.

    >>> told([Value.of("age", np.array([10.0, 30.0]))], np.array([[12.0]]), given=np.array([[10.0]]))
    [{'label': 10.0, 'predicted': 12.0, 'error': 2.0}]
    """
    sides = {"label": given, "predicted": said, "error": errors(values, said, given=given)}
    keys = [(side, k, _key(values, side, k=k)) for k in range(len(values)) for side in sides]
    return [{key: short(float(sides[side][row, k])) for side, k, key in keys} for row in range(len(said))]


def caption(values: Sequence[Value], row: Mapping[str, Any]) -> tuple[str, str]:
    """A short and a long line about a row of `told`.

    >>> caption([Value.of("age", np.array([10.0, 30.0]))], {"label": 10.0, "predicted": 12.0, "error": 2.0})
    ('10 → 12', 'age: given 10, predicted 12, off by +2')
    """
    cells = [
        [float(row[_key(values, side, k=k)]) for side in ("label", "predicted", "error")] for k in range(len(values))
    ]
    given, said = (", ".join(f"{cell[side]:.4g}" for cell in cells) for side in (0, 1))
    parts = zip(values, cells, strict=True)
    long = "; ".join(f"{v.name}: given {a:.4g}, predicted {b:.4g}, off by {e:+.3g}" for v, (a, b, e) in parts)
    return f"{given} → {said}", long


def short(value: float) -> float:
    """The value in seven digits, which is what float32 holds.

    >>> short(0.1 + 0.2)
    0.3
    """
    return float(f"{value:.7g}")


def known(value: float) -> float | None:
    """JSON has neither NaN nor infinity: what cannot be told is null.

    >>> known(float("inf")) is None
    True
    """
    return value if np.isfinite(value) else None


def _key(values: Sequence[Value], side: str, *, k: int) -> str:
    return side if len(values) == 1 else f"{side}.{values[k].name}"
