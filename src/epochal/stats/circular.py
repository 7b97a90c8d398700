"""Values on a circle, where the end of the range lies beside its beginning: angles, dials, hours, hues."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Num

from epochal.errors import SettingError


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Where a circular scale begins and how long it is: a dial from 0.0 to 9.9 is 10 long and begins at 0.

    Raises: SettingError for a length that is not above 0, or a beginning that is no number.

    >>> Circle(period=10.0).distance(np.array([9.9]), np.array([0.1])).round(6).tolist()
    [0.2]
    """

    period: float
    origin: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no circle."""
        if not 0 < self.period < np.inf or not np.isfinite(self.origin):
            raise SettingError(
                f"A circle of length {self.period} that begins at {self.origin} was asked for.",
                expected="a finite length above 0, and a finite beginning.",
                remedy="360 for degrees, 24 for hours; leave it out where the ends of the range are far apart.",
            )

    @classmethod
    def holding(cls, period: float, *, low: float, high: float) -> "Circle":
        """The circle of this length on which values from `low` to `high` read as they were written.

        It begins at 0 or half a turn below, as scales usually do, and otherwise at `low`.

        >>> Circle.holding(10.0, low=0.0, high=9.9).origin, Circle.holding(360.0, low=-170.0, high=180.0 - 1e-3).origin
        (0.0, -180.0)
        >>> Circle.holding(12.0, low=1.0, high=12.0).origin
        1.0
        """
        usual = [start for start in (0.0, -period / 2) if start <= low and high < start + period]
        return cls(period=period, origin=usual[0] if usual else low)

    def wrap(self, values: Num[np.ndarray, " *n"]) -> Float64[np.ndarray, " *n"]:
        """The same places, written from the origin to just below origin + period.

        >>> Circle(period=360.0).wrap(np.array([-10.0, 370.0])).tolist()
        [350.0, 10.0]
        """
        place = np.mod(values.astype(np.float64) - self.origin, self.period) + self.origin
        # a rounding step below the origin rounds to the far end, which is the origin
        return np.asarray(np.where(place >= self.origin + self.period, self.origin, place))

    def offset(self, ahead: Num[np.ndarray, " *n"], behind: Num[np.ndarray, " *m"]) -> Float64[np.ndarray, "..."]:
        """How far `ahead` lies ahead of `behind` by the shorter way: -period / 2 to below period / 2.

        >>> Circle(period=24.0).offset(np.array([1.0]), np.array([23.0])).tolist()
        [2.0]
        """
        half = self.period / 2
        way = ahead.astype(np.float64) - behind.astype(np.float64)
        return np.asarray(np.mod(way + half, self.period) - half)

    def distance(self, a: Num[np.ndarray, " *n"], b: Num[np.ndarray, " *m"]) -> Float64[np.ndarray, "..."]:
        """Length of the shorter way between two places: 0 to period / 2."""
        return np.asarray(np.abs(self.offset(a, b)))

    def unit(self, values: Num[np.ndarray, " *n"]) -> Float64[np.ndarray, " *n 2"]:
        """Cosine and sine of each place, with the value 0 at (1, 0): what a network can give without a jump.

        The length of the circle alone decides, not where its scale begins.

        >>> Circle(period=4.0).unit(np.array([0.0, 1.0])).round(6).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        """
        angle = values.astype(np.float64) * (2 * np.pi / self.period)
        return np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    def place(self, vectors: Num[np.ndarray, " *n 2"]) -> Float64[np.ndarray, " *n"]:
        """The value towards which each vector points, whatever its length: undoes `unit`.

        >>> Circle(period=10.0).place(np.array([[0.0, -3.0]])).tolist()
        [7.5]
        """
        wide = vectors.astype(np.float64)
        return self.wrap(np.arctan2(wide[..., 1], wide[..., 0]) * (self.period / (2 * np.pi)))

    def mean(self, values: Num[np.ndarray, " n"], weights: Num[np.ndarray, " n"] | None = None) -> float:
        """The direction of the mean vector, which lowers the squared error of the vectors most.

        Source: Mardia and Jupp 2000, section 2.2.

        >>> round(Circle(period=10.0).mean(np.array([9.5, 0.1])), 6)
        9.8
        """
        return float(self.place(np.average(self.unit(values), axis=0, weights=weights)[None])[0])

    def median(self, values: Num[np.ndarray, " n"], weights: Num[np.ndarray, " n"] | None = None) -> float:
        """The place that lowers the mean distance most: the best constant answer by absolute error.

        Only values that occur are candidates: between two of them the mean distance is a line, or bends downwards.
        Compares all distinct values with each other.  Source: Mardia and Jupp 2000, section 2.2.

        >>> Circle(period=10.0).median(np.array([9.0, 9.7, 0.2, 0.4, 6.0]))
        9.7
        """
        distinct, where = np.unique(self.wrap(values), return_inverse=True)
        shares = np.bincount(where, weights=weights)
        costs = [float(self.distance(distinct, at[None]) @ shares) for at in distinct]
        return float(distinct[int(np.argmin(costs))])

    def spread(self, values: Num[np.ndarray, " n"], weights: Num[np.ndarray, " n"] | None = None) -> float:
        """How far the values lie from their mean direction: the circle's standard deviation, in their own units.

        Small spreads are those of a line: `period / 2π · sqrt(2 (1 - R))`, R the length of the mean vector. It never
        exceeds that of values all around, `period · sqrt(2) / 2π`.
        Source: Mardia and Jupp 2000, section 2.3 (angular deviation).

        >>> round(Circle(period=360.0).spread(np.array([359.0, 1.0])), 3)
        1.0
        """
        length = float(np.linalg.norm(np.average(self.unit(values), axis=0, weights=weights)))
        return self.period / (2 * np.pi) * float(np.sqrt(2 * max(0.0, 1 - length)))
