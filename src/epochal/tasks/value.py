"""One value column of the regression task: how its numbers become outputs of a network, and outputs numbers again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Num

from epochal.errors import DataError
from epochal.stats.circular import Circle
from epochal.stats.regression import signed_errors, sketch, weighted_median


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A column of numbers and what is known of it from the training labels.

    On a line one output stands for it, `(value - mean) / deviation`, so that all columns weigh the same and a network
    that says 0 says the mean. On a circle two outputs do, cosine and sine: a single number would have to jump where
    the scale ends, and just there no network can follow.

    `places` and `counts` are a sketch of the training labels (`epochal.stats.regression.sketch`).

    >>> dial = Value.of("dial", np.array([9.5, 0.5]), circle=Circle(period=10.0))
    >>> round(dial.mean, 6) % 10, dial.outputs
    (0.0, 2)
    """

    name: str
    mean: float
    deviation: float
    low: float
    high: float
    places: tuple[float, ...]
    counts: tuple[int, ...]
    circle: Circle | None = None

    @classmethod
    def of(cls, name: str, labels: Num[np.ndarray, " n"], *, circle: Circle | None = None) -> "Value":
        """Learn from training labels, all finite.

        Raises: DataError where all are the same.
        """
        wide = labels.astype(np.float64)
        deviation = float(wide.std()) if circle is None else circle.spread(wide)
        if not deviation > 1e-9 * max(1.0, float(np.abs(wide).max())):
            raise DataError(
                f"All {len(wide)} training values of {name} are {wide[0]:g}.",
                expected="values that differ: a constant needs no network.",
                remedy="choose another column, or leave this one out.",
            )
        places, counts = sketch(wide)
        return cls(
            name=name,
            mean=float(wide.mean()) if circle is None else circle.mean(wide),
            deviation=deviation,
            low=float(wide.min()),
            high=float(wide.max()),
            places=tuple(places.tolist()),
            counts=tuple(counts.tolist()),
            circle=circle,
        )

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Value":
        """Read back what `describe` wrote."""
        period = description["period"]
        return cls(
            name=str(description["name"]),
            mean=float(description["mean"]),
            deviation=float(description["deviation"]),
            low=float(description["low"]),
            high=float(description["high"]),
            places=tuple(float(place) for place in description["places"]),
            counts=tuple(int(count) for count in description["counts"]),
            circle=None if period is None else Circle(period=float(period), origin=float(description["origin"])),
        )

    def describe(self) -> dict[str, Any]:
        """Plain values that say everything."""
        return {
            "name": self.name,
            "mean": self.mean,
            "deviation": self.deviation,
            "low": self.low,
            "high": self.high,
            "period": self.circle and self.circle.period,
            "origin": self.circle and self.circle.origin,
            "places": list(self.places),
            "counts": list(self.counts),
        }

    @property
    def outputs(self) -> int:
        """One number, or two on a circle."""
        return 1 if self.circle is None else 2

    @property
    def median(self) -> float:
        """The constant with the smallest mean absolute error on the training labels."""
        places, counts = np.array(self.places), np.array(self.counts)
        return weighted_median(places, counts) if self.circle is None else self.circle.median(places, counts)

    @property
    def constant(self) -> Float64[np.ndarray, " outputs"]:
        """Outputs of the mean: 0, or on a circle the mean vector, the shorter the less the values agree.

        >>> Value.of("dial", np.array([0.0, 2.5]), circle=Circle(period=10.0)).constant.round(6).tolist()
        [0.5, 0.5]
        """
        if self.circle is None:
            return np.zeros(1)
        return np.asarray(np.average(self.circle.unit(np.array(self.places)), axis=0, weights=np.array(self.counts)))

    def encode(self, labels: Num[np.ndarray, " n"]) -> Float64[np.ndarray, "n outputs"]:
        """The outputs of a network that says exactly these values.

        >>> Value.of("age", np.array([10.0, 30.0])).encode(np.array([40.0])).tolist()
        [[2.0]]
        """
        if self.circle is not None:
            return self.circle.unit(labels)
        return ((labels.astype(np.float64) - self.mean) / self.deviation)[:, None]

    def decode(self, outputs: Num[np.ndarray, "n outputs"]) -> Float64[np.ndarray, " n"]:
        """The values that these outputs say.

        >>> Value.of("age", np.array([10.0, 30.0])).decode(np.array([[2.0]])).tolist()
        [40.0]
        """
        if self.circle is not None:
            return self.circle.place(outputs)
        return np.asarray(self.mean + self.deviation * outputs[:, 0].astype(np.float64))

    def errors(self, predicted: Num[np.ndarray, " n"], given: Num[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """Predicted minus given, by the shorter way on a circle."""
        return signed_errors(predicted, given, circle=self.circle)
