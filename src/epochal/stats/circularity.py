"""Whether values lie on a circle: images at the two ends of the scale then look as alike as neighbours elsewhere.

The ends are compared with other neighbours by `epochal.stats.alikeness`; here is what follows from it, and how long the
circle is.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Num

from epochal.stats.alikeness import Alikeness, measure
from epochal.stats.circular import Circle

# The decision, measured in benchmarks/regression/circular.md.
SIGNAL, MULTIPLE = 3.0, 1.2  # neighbours in value are each other's nearest: by so many errors, so often beyond chance
LIKENESS, SURE = 0.5, 2.0  # the seam is nearer to the neighbours than to the far, by so many errors above 0
FOLDED = 0.5  # above it images tell a value from its mirror image no better than from its neighbour

_AT_MOST, _AT_LEAST = 2000, 100  # images: more change nothing, fewer decide nothing
_FEWEST = 8  # distinct values: with fewer, what is near and what is far lie too close
_USUAL = (1.0, np.pi, 2 * np.pi, 10.0, 12.0, 24.0, 60.0, 100.0, 180.0, 360.0, 1000.0, 1440.0)  # lengths of circles


@dataclass(frozen=True, slots=True, kw_only=True)
class Circularity:
    """What the images say about a column of values; `circle` is None where they do not say that it is one.

    `evidence` is None where there were too few images or values to look.

    >>> find_circle(np.zeros((9, 4)), np.arange(9.0)).reason
    '9 images with 9 distinct values are too few to tell a circle'
    """

    circle: Circle | None
    reason: str
    evidence: Alikeness | None = None

    @property
    def period(self) -> float | None:
        """Length of the circle, or None."""
        return None if self.circle is None else self.circle.period


def find_circle(features: Num[np.ndarray, "n d"], values: Num[np.ndarray, " n"]) -> Circularity:
    """Look whether images of the highest values look like those of the lowest, as on a dial.

    A circle is claimed where all of this holds: images whose values are near are alike beyond doubt; the two ends
    are alike, nearer to what neighbours are than to what strangers are; and images differ from those of mirrored
    values, for what only shows the square of a value has equal ends too.

    On fifteen families of values on a line it was claimed falsely in 3 of 225 draws of 200 to 800 images. It needs many
    images: of seven families of circles 83 % of draws were missed at 200 images, 29 % at 800, none of the real dials
    at 500 (`benchmarks/regression/circular.md`). Where images show too little, the answer is no.

    Shapes: n images, d cheap features of each (a few hundred block means, `epochal.stats.ridge.block_features`).

    >>> turned = np.random.default_rng(0).uniform(0, 360, 300)
    >>> places = np.radians(turned)[:, None] - np.linspace(0, 2 * np.pi, 40, endpoint=False)
    >>> find_circle(np.exp(3 * np.cos(places)), turned).period
    360.0
    >>> find_circle(np.exp(-np.square(turned[:, None] / 360 - np.linspace(0, 1, 40)) / 0.02), turned).period is None
    True
    """
    values = values.astype(np.float64)
    sound = np.isfinite(values) & np.isfinite(features).all(axis=1)
    distinct = len(np.unique(values[sound]))
    if sound.sum() < _AT_LEAST or distinct < _FEWEST:
        return Circularity(
            circle=None, reason=f"{sound.sum()} images with {distinct} distinct values are too few to tell a circle"
        )
    some = np.random.default_rng(0).permutation(np.flatnonzero(sound))[:_AT_MOST]
    found = measure(features[some], values[some])
    circle, reason = None, _against(found)
    if not reason:
        circle = scale_of(values[sound])
        reason = (
            f"images from the two ends of the range are {found.seam:.1f} times as often nearest to each other as by "
            f"chance, neighbours elsewhere {found.near:.1f} times, distant ones {found.far:.1f} times: "
            f"the scale closes after {circle.period:g}"
        )
    return Circularity(circle=circle, reason=reason, evidence=found)


def _against(found: Alikeness) -> str:
    """What speaks against a circle; nothing where all holds."""
    if not (found.signal > SIGNAL and found.near > MULTIPLE):
        return "images of near values are hardly more alike than others, so nothing shows whether the ends meet"
    if found.likeness > LIKENESS and not found.closing > SURE:
        return "images from the two ends of the range may be as alike as neighbours elsewhere, but too few are there"
    if not found.likeness > LIKENESS:
        return (
            f"images from the two ends of the range are {found.seam:.1f} times as often nearest to each other as by "
            f"chance, neighbours elsewhere {found.near:.1f} times: the ends do not meet"
        )
    if not found.mirrored < FOLDED:
        return "images of mirrored values are as alike as those of near ones, so equal ends show no circle"
    return ""


def scale_of(values: Num[np.ndarray, " n"]) -> Circle:
    """The circle that these values fill: from the lowest round to one typical step above the highest.

    On a grid the step is the grid's. Elsewhere it is twice the mean gap, and a usual length (1, 2π, 24, 360 ...) is
    taken where it is as near as the values can tell.

    >>> scale_of(np.arange(100) / 10).period, scale_of(np.arange(1, 13)).period
    (10.0, 12.0)
    >>> scale_of(np.random.default_rng(0).uniform(-180, 180, 500))
    Circle(period=360.0, origin=-180.0)
    """
    distinct = np.unique(values.astype(np.float64))
    low, high = float(distinct[0]), float(distinct[-1])
    gaps = np.diff(distinct)
    step = float(np.median(gaps))
    steps = gaps / step
    if len(distinct) < len(values) and np.abs(steps - steps.round()).max() < 0.01:
        return Circle.holding(float(f"{high - low + step:.6g}"), low=low, high=high)  # float32 blurs the seventh digit
    gap = (high - low) / max(len(values) - 1, 1)
    # both ends of even values together are missed by more than 8 gaps in 1 of 300 cases
    near = [length for length in _USUAL if high - low <= length <= high - low + 8 * gap]
    period = near[0] if near else high - low + 2 * gap
    return Circle.holding(period, low=low, high=high)
