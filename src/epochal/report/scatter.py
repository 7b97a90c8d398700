"""True values against predicted ones, a dot for each sample; on a circle the seam is laid open."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from epochal.report.axes import Axes, plain
from epochal.report.scales import Scale, straight, ticks_between

_HEIGHT = 320


def unwrapped(true: float, predicted: float, *, period: float) -> float:
    """The prediction as it lies nearest to the truth when the circle is cut open, perhaps beyond its ends.

    >>> unwrapped(9.9, 0.1, period=10.0), unwrapped(0.1, 9.9, period=10.0), unwrapped(3.0, 4.0, period=10.0)
    (10.1, -0.1, 4.0)
    """
    away = (predicted - true + period / 2) % period - period / 2
    return round(true + away, 9)


def scatter(points: Sequence[tuple[float, float]], *, name: str, period: float | None = None) -> Markup:
    """Dots over the diagonal, on which truth and prediction agree; empty without points.

    With `period` a prediction is drawn as near to its truth as the circle allows: those across the seam lie beyond
    the dotted lines at the ends of the circle, and the distance from the diagonal is the error everywhere.

    >>> scatter([(1.0, 1.2), (3.0, 2.5)], name="angle").count("<circle"), scatter([], name="angle")
    (2, Markup(''))
    """
    if not points:
        return Markup()
    shown = [(true, unwrapped(true, said, period=period) if period else said) for true, said in points]
    axes = _axes(shown, period=period)
    ends = (max(axes.x.low, axes.y.low), min(axes.x.high, axes.y.high))
    ideal = Markup('<line class="ideal" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        axes.across(ends[0]), axes.down(ends[0]), axes.across(ends[1]), axes.down(ends[1])
    )
    dots = Markup().join(
        Markup('<circle class="s1" cx="{}" cy="{:g}" r="3.5" data-tip="{}"/>').format(
            axes.across(true), axes.down(place), f"true {plain(true)}, predicted {plain(said)}"
        )
        for (true, place), (_, said) in zip(shown, points, strict=True)
    )
    body = Markup().join([axes.grid(x_label=f"true {name}"), _seam(axes, period=period), ideal, dots])
    return axes.framed(
        body, spoken=f"Predicted {name} against true {name}, {len(points)} images; the diagonal is right"
    )


def _axes(points: Sequence[tuple[float, float]], *, period: float | None) -> Axes:
    """One scale for both where values lie on a line; on a circle the one of predictions goes on beyond the seam."""
    if not period:
        both = straight([value for point in points for value in point])
        return Axes(x=both, y=both, height=_HEIGHT)
    places = [place for _, place in points]
    begin = _begin([true for true, _ in points], period=period)
    end = begin + period
    ticks = tuple(tick for tick in ticks_between(begin, end) if begin <= tick <= end)
    x = Scale(low=begin, high=end, ticks=ticks)
    return Axes(x=x, y=Scale(low=min(begin, *places), high=max(end, *places), ticks=ticks), height=_HEIGHT)


def _begin(values: Sequence[float], *, period: float) -> float:
    """Where the circle is cut open: at 0 or half a turn below where its values allow it, else at the lowest.

    >>> _begin([0.0, 9.9], period=10.0), _begin([-170.0, 20.0], period=360.0), _begin([1.0, 12.0], period=12.0)
    (0.0, -180.0, 1.0)
    """
    low, high = min(values), max(values)
    return next((start for start in (0.0, -period / 2) if start <= low and high < start + period), low)


def _seam(axes: Axes, *, period: float | None) -> Markup:
    """The ends of the circle, where answers lie beyond them."""
    if not period:
        return Markup()
    beyond = [end for end in (axes.x.low, axes.x.high) if axes.y.low < end < axes.y.high]
    return Markup().join(
        Markup('<line class="mark" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(axes.down(end)) for end in beyond
    )
