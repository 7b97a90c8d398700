"""Covariance a part at a time, its principal directions, and the whitening they give."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Num

from epochal.errors import SettingError

Kind: TypeAlias = Literal["pca", "zca"]

MOST_BYTES = 1 << 30  # of one covariance matrix: 11,585 numbers a row, whose eigenvectors take some three times that
VALUES_AT_ONCE = 1 << 22  # turned into float64 at once: 32 MB


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Covariance:
    """Count, mean and scatter matrix of rows, mergeable in any order: what data larger than memory leave behind.

    The scatter is kept around the mean, never as a sum of products, so nothing is lost where the mean is large beside
    the spread.

    Shapes: d numbers in a row.  Units: those of the values, their square in the scatter.
    Source: Chan, Golub and LeVeque 1979, over matrices; tip W2.3.

    >>> left, right = Covariance.of(np.array([[0.0], [2.0]])), Covariance.of(np.array([[4.0]]))
    >>> left.merge(right).matrix.round(3).tolist()
    [[2.667]]
    """

    count: int
    mean: Float64[np.ndarray, " d"]
    scatter: Float64[np.ndarray, "d d"]

    @classmethod
    def empty(cls, size: int, *, most_bytes: int = MOST_BYTES) -> "Covariance":
        """The covariance of nothing over rows of `size` numbers: what a stream starts from.

        Raises: SettingError where the matrix would take more than `most_bytes`.

        >>> Covariance.empty(3).count
        0
        """
        _check_size(size, most_bytes=most_bytes)
        return cls(count=0, mean=np.zeros(size), scatter=np.zeros((size, size)))

    @classmethod
    def of(cls, rows: Num[np.ndarray, "n d"], *, most_bytes: int = MOST_BYTES) -> "Covariance":
        """The covariance of the columns of `rows`: flattened images, or the pixels of images for their colours.

        Raises: SettingError where the matrix would take more than `most_bytes`.

        >>> image = np.array([[[0, 10, 0], [255, 10, 255]]], dtype=np.uint8)
        >>> Covariance.of(image.reshape(-1, 3)).mean.tolist()
        [127.5, 10.0, 127.5]
        """
        n, size = rows.shape
        _check_size(size, most_bytes=most_bytes)
        step = max(1, VALUES_AT_ONCE // max(size, 1))
        if n <= step:
            return _of_rows(rows) if n else cls.empty(size)
        return cls.pooled((_of_rows(rows[start : start + step]) for start in range(0, n, step)), size=size)

    @classmethod
    def pooled(cls, parts: Iterable["Covariance"], *, size: int) -> "Covariance":
        """The covariance of all parts together; of no parts, that of nothing.

        >>> Covariance.pooled([Covariance.of(np.array([[v]])) for v in (1.0, 3.0)], size=1).matrix.tolist()
        [[1.0]]
        """
        return reduce(cls.merge, parts, cls.empty(size))

    def merge(self, other: "Covariance") -> "Covariance":
        """The covariance of both parts pooled: `S = Sa + Sb + (mb - ma)(mb - ma)^T na nb / n`.

        >>> Covariance.empty(1).merge(Covariance.of(np.array([[7.0]]))).mean.tolist()
        [7.0]
        """
        count = self.count + other.count
        if not self.count or not other.count:
            return self if self.count else other
        gap = other.mean - self.mean
        scatter = self.scatter + other.scatter
        scatter += np.outer(gap, gap * (self.count * other.count / count))
        return Covariance(count=count, mean=self.mean + gap * (other.count / count), scatter=scatter)

    def scaled(self, factor: float) -> "Covariance":
        """The same data in other units: bytes become 0 to 1 by a factor of 1/255, variances by its square.

        >>> Covariance.of(np.array([[0], [255]])).scaled(1 / 255).matrix.tolist()
        [[0.25]]
        """
        return Covariance(count=self.count, mean=self.mean * factor, scatter=self.scatter * factor**2)

    @property
    def matrix(self) -> Float64[np.ndarray, "d d"]:
        """Mean product of deviations (divided by the count, not by one less); NaN for nothing.

        >>> Covariance.of(np.array([[1.0, 0.0], [3.0, 4.0]])).matrix.tolist()
        [[1.0, 2.0], [2.0, 4.0]]
        """
        return self.scatter / self.count if self.count else np.full_like(self.scatter, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PrincipalComponents:
    """Directions of the data from the loudest to the quietest, each a row of length 1, and the variance along each.

    `rank` counts the variances that are more than rounding. Signs, which a direction leaves open, make the largest
    entry of each positive: the same data, the same directions.

    Shapes: k directions of d numbers.  Units: variances in the values' squared.  Source: Pearson 1901; tips W2.3, W1.3.

    >>> found = principal_components(Covariance.of(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -0.5]])))
    >>> found.variances.tolist(), found.directions.tolist(), found.rank
    ([0.5, 0.125], [[1.0, 0.0], [0.0, 1.0]], 2)
    """

    mean: Float64[np.ndarray, " d"]
    variances: Float64[np.ndarray, " k"]
    directions: Float64[np.ndarray, "k d"]
    rank: int
    total: float  # variance over all directions, those not kept among them

    def project(self, rows: Num[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Coordinates along the directions: `(x - mean) U`.

        >>> principal_components(Covariance.of(np.array([[0.0], [2.0]]))).project(np.array([[5.0]])).tolist()
        [[4.0]]
        """
        return np.asarray((rows - self.mean) @ self.directions.T)

    def restore(self, coordinates: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n d"]:
        """Back from coordinates to values; exact when all directions were kept.

        >>> principal_components(Covariance.of(np.array([[0.0], [2.0]]))).restore(np.array([[4.0]])).tolist()
        [[5.0]]
        """
        return np.asarray(coordinates @ self.directions + self.mean)

    @property
    def explained(self) -> Float64[np.ndarray, " k"]:
        """Share of the variance along each direction.

        >>> principal_components(Covariance.of(np.array([[0.0], [2.0]]))).explained.tolist()
        [1.0]
        """
        return self.variances / self.total if self.total > 0 else np.zeros_like(self.variances)


def principal_components(covariance: Covariance, *, keep: int | None = None) -> PrincipalComponents:
    """Find the principal directions of a covariance, all of them or the `keep` loudest.

    Raises: SettingError where no row was seen, a value was not finite, or `keep` is not among 1 to d.
    Source: tip W2.3.

    >>> rows = np.random.default_rng(0).normal(size=(1000, 1)) @ np.array([[3.0, 4.0]])
    >>> principal_components(Covariance.of(rows), keep=1).directions.round(6).tolist()
    [[0.6, 0.8]]
    """
    size = len(covariance.mean)
    if covariance.count < 1 or not size or not np.isfinite(covariance.scatter).all():
        raise SettingError(
            f"Principal directions of {covariance.count} rows of {size} numbers, not all finite or none at all.",
            expected="one row or more, all finite.",
            remedy="leave out the images that the scan reports as broken.",
        )
    if keep is not None and not 1 <= keep <= size:
        raise SettingError(f"{keep} of {size} directions shall be kept.", expected=f"1 to {size}.", remedy=f"{size}.")
    values, vectors = np.linalg.eigh(covariance.matrix)
    variances = np.maximum(values[::-1], 0.0)  # rounding makes a zero negative
    rounding = variances[0] * max(size, covariance.count) * np.finfo(np.float64).eps
    directions = vectors.T[::-1][:keep]
    peaks = directions[np.arange(len(directions)), np.abs(directions).argmax(1)]
    return PrincipalComponents(
        mean=covariance.mean,
        variances=variances[:keep],
        directions=directions * np.where(peaks < 0, -1.0, 1.0)[:, None],
        rank=int((variances > rounding).sum()),
        total=float(variances.sum()),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whitening:
    """A matrix that makes values uncorrelated and of equal strength, the one that undoes it, and what noise it lifts.

    `amplification` says how much more the quietest direction is multiplied than the loudest. Quiet directions of
    photographs hold mostly noise: from some dozens on, look at what comes out before training on it.
    `floored` counts the directions whose variance is below the floor: they come out quieter than 1.

    Shapes: k numbers out of d.  Source: tip W2.3.

    >>> seen = principal_components(Covariance.of(np.array([[3.0], [5.0]])))
    >>> whitening(seen).apply(np.array([[6.0]])).round(3).tolist()
    [[2.0]]
    """

    kind: Kind
    mean: Float64[np.ndarray, " d"]
    matrix: Float64[np.ndarray, "k d"]
    inverse: Float64[np.ndarray, "d k"]
    amplification: float
    floored: int

    def apply(self, rows: Num[np.ndarray, "n d"]) -> Float[np.ndarray, "n k"]:
        """Whiten rows: `W (x - mean)`.

        >>> both = whitening(principal_components(Covariance.of(np.array([[3.0], [5.0]]))), eps=0.0)
        >>> both.apply(np.array([[5.0]])).tolist()
        [[1.0]]
        """
        return np.asarray((rows - self.mean) @ self.matrix.T)

    def undo(self, rows: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n d"]:
        """Back from whitened rows to values, to draw them; exact when all directions were kept.

        >>> whitening(principal_components(Covariance.of(np.array([[3.0], [5.0]])))).undo(np.array([[0.0]])).tolist()
        [[4.0]]
        """
        return np.asarray(rows @ self.inverse.T + self.mean)


def whitening(
    components: PrincipalComponents, *, kind: Kind = "pca", eps: float = 1e-5, relative: bool = True
) -> Whitening:
    """Make the whitening of principal directions U with variances s: `diag(1 / sqrt(s + floor)) U^T`, ZCA: U times it.

    PCA whitening gives coordinates, ZCA values that still look like the image (of all whitenings the nearest to it).
    The floor is `eps` times the largest variance, so that rescaled data come out the same; with `relative=False` it is
    `eps` in the values' squared, as papers write it, which means something else for bytes than for 0 to 1. With a floor
    of 0, directions beyond the rank come out as 0.

    Raises: SettingError if `eps` is below 0, or for an unknown kind.
    Source: Bell and Sejnowski 1997 (ZCA); Krizhevsky 2009, appendix A; tip W2.3.

    >>> rows = np.random.default_rng(0).normal(size=(500, 2)) @ np.array([[5.0, 4.0], [0.0, 1.0]])
    >>> white = whitening(principal_components(Covariance.of(rows)), kind="zca", eps=0.0).apply(rows)
    >>> np.allclose(np.cov(white.T, bias=True), np.eye(2))
    True
    """
    if not eps >= 0 or not np.isfinite(eps) or kind not in {"pca", "zca"}:
        raise SettingError(
            f"Whitening of kind {kind!r} with eps {eps}.", expected="pca or zca, 0 or more.", remedy="zca, 1e-5."
        )
    variances, directions = components.variances, components.directions
    floor = eps * (variances[0] if relative else 1.0)
    strengths = np.sqrt(variances + floor)
    real = np.arange(len(variances)) < components.rank
    used = real | (floor > 0)
    gains = np.where(used, 1 / np.where(used, strengths, 1.0), 0.0)
    matrix, inverse = directions * gains[:, None], directions.T * np.where(used, strengths, 0.0)
    if kind == "zca":
        matrix, inverse = directions.T @ matrix, inverse @ directions
    return Whitening(
        kind=kind,
        mean=components.mean,
        matrix=matrix,
        inverse=inverse,
        amplification=float(gains.max() / gains[used].min()) if used.any() else 1.0,
        floored=int((variances < floor).sum()),
    )


def _of_rows(rows: Num[np.ndarray, "n d"]) -> Covariance:
    values = rows.astype(np.float64)  # copies always: the caller's values must not be centred under his hands
    mean = values.mean(0)
    values -= mean
    return Covariance(count=len(values), mean=mean, scatter=values.T @ values)


def _check_size(size: int, *, most_bytes: int) -> None:
    needed = 8 * size * size
    if needed > most_bytes:
        raise SettingError(
            f"The covariance of {size:,} numbers takes {needed / 1e9:,.1f} GB.",
            expected=f"at most {most_bytes / 1e9:,.1f} GB.",
            remedy="whiten smaller images (32x32x3 takes 0.08 GB), patches of them, or each channel alone.",
        )
