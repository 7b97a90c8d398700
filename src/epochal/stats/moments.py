"""Mean, spread and range of values per channel, a part at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from jaxtyping import Float64, Num

# Rows turned into float64 at once: 6 MB for three channels, which stays in a processor's cache.
ROWS_AT_ONCE = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Count, mean, squared deviations and range per channel, mergeable in any order.

    The sums are kept around the mean, never as a sum of squares, so nothing is lost where the
    mean is large beside the spread.

    Shapes: c channels.  Units: those of the values.
    Source: Chan, Golub and LeVeque 1979 (merging); Welford 1962; tip W2.1.

    >>> left, right = Moments.of(np.array([[0.0], [2.0]])), Moments.of(np.array([[4.0]]))
    >>> both = left.merge(right)
    >>> both.count, both.mean.tolist(), both.variance.round(3).tolist()
    (3, [2.0], [2.667])
    """

    count: int
    mean: Float64[np.ndarray, " c"]
    deviations: Float64[np.ndarray, " c"]
    lowest: Float64[np.ndarray, " c"]
    highest: Float64[np.ndarray, " c"]

    @classmethod
    def empty(cls, channels: int) -> "Moments":
        """The moments of nothing: what a stream starts from.

        >>> Moments.empty(3).count
        0
        """
        nought = np.zeros(channels)
        return cls(count=0, mean=nought, deviations=nought, lowest=nought + np.inf, highest=nought - np.inf)

    @classmethod
    def of(cls, values: Num[np.ndarray, "*rows c"]) -> "Moments":
        """The moments of everything but the last axis: pixels of one image, or of many, channels last.

        Shapes: values (..., c); an image is (h, w, c), a batch of them (n, h, w, c).

        >>> image = np.array([[[0, 10], [255, 10]]], dtype=np.uint8)
        >>> Moments.of(image).mean.tolist(), Moments.of(image).std.tolist()
        ([127.5, 10.0], [127.5, 0.0])
        """
        rows = values.reshape(-1, values.shape[-1])
        if len(rows) <= ROWS_AT_ONCE:
            return _of_rows(rows) if len(rows) else cls.empty(values.shape[-1])
        parts = (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE))
        return cls.pooled(map(_of_rows, parts), channels=values.shape[-1])

    @classmethod
    def pooled(cls, parts: Iterable["Moments"], *, channels: int) -> "Moments":
        """The moments of all parts together; of no parts, those of nothing.

        >>> parts = [Moments.of(np.array([[v]])) for v in (1.0, 3.0, 5.0)]
        >>> Moments.pooled(parts, channels=1).mean.tolist()
        [3.0]
        """
        return reduce(cls.merge, parts, cls.empty(channels))

    def merge(self, other: "Moments") -> "Moments":
        """The moments of both parts pooled: `M2 = M2a + M2b + (mb - ma)² na nb / n`.

        >>> Moments.empty(1).merge(Moments.of(np.array([[7.0]]))).mean.tolist()
        [7.0]
        """
        count = self.count + other.count
        if not self.count or not other.count:
            return self if self.count else other
        gap = other.mean - self.mean
        return Moments(
            count=count,
            mean=self.mean + gap * (other.count / count),
            deviations=self.deviations + other.deviations + gap**2 * (self.count * other.count / count),
            lowest=np.minimum(self.lowest, other.lowest),
            highest=np.maximum(self.highest, other.highest),
        )

    @property
    def variance(self) -> Float64[np.ndarray, " c"]:
        """Mean squared deviation (divided by the count, not by one less); NaN for nothing.

        >>> Moments.of(np.array([[1.0], [3.0]])).variance.tolist()
        [1.0]
        """
        return self.deviations / self.count if self.count else np.full_like(self.mean, np.nan)

    @property
    def std(self) -> Float64[np.ndarray, " c"]:
        """Root of the variance, in the units of the values.

        >>> Moments.of(np.array([[1.0], [3.0]])).std.tolist()
        [1.0]
        """
        return np.asarray(np.sqrt(self.variance))


def _of_rows(rows: Num[np.ndarray, "n c"]) -> Moments:
    # Channels first and contiguous: numpy then sums pairwise along memory, faster and with more digits.
    # `np.array` copies always: the caller's values must not be centred under his hands.
    channels = np.array(rows.T, dtype=np.float64, order="C")
    mean = channels.mean(axis=1)
    lowest, highest = channels.min(axis=1), channels.max(axis=1)
    channels -= mean[:, None]
    return Moments(
        count=channels.shape[1],
        mean=mean,
        deviations=np.einsum("cn,cn->c", channels, channels),
        lowest=lowest,
        highest=highest,
    )
