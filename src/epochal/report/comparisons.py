"""Small drawings that stand in the rows of tables: bars, intervals, heat, and one bar for the whole budget."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_PRECISION = 2


def _at(share: float) -> str:
    return f"{min(1.0, max(0.0, share)) * 100:.{_PRECISION}f}%"


def bar(share: float, *, color: int = 1, low: float | None = None, high: float | None = None) -> Markup:
    """A bar over the given share of its cell, with its interval as a whisker where there is one.

    >>> "50.00%" in bar(0.5)
    True
    """
    whisker, kind = Markup(), "bar"
    if low is not None and high is not None:
        kind = "bar ranged"
        whisker = Markup('<line class="whisker" x1="{}" x2="{}" y1="7" y2="7"/>').format(_at(low), _at(high))
    return Markup(
        '<svg class="{}" width="100%" height="14" aria-hidden="true">'
        '<rect class="track" width="100%" height="8" y="3" rx="2"/>'
        '<rect class="s{}" width="{}" height="8" y="3" rx="2"/>{}</svg>'
    ).format(kind, color, _at(share), whisker)


def interval_dot(
    value: float,
    *,
    low: float | None = None,
    high: float | None = None,
    own: bool = False,
    grid: Sequence[float] = (0, 0.25, 0.5, 0.75, 1),
) -> Markup:
    """A score as a dot on a line from 0 to 1, with its interval and the places of the grid behind it.

    >>> interval_dot(0.5, low=0.4, high=0.6).count("<line")
    7
    """
    behind = Markup().join(
        Markup('<line class="grid" x1="{0:g}%" x2="{0:g}%" y1="0" y2="28"/>').format(round(place * 100, 2))
        for place in grid
    )
    whisker = Markup()
    if low is not None and high is not None:
        whisker = Markup('<line class="span" x1="{}" x2="{}" y1="14" y2="14"/>').format(_at(low), _at(high))
    return Markup(
        '<svg class="dots{}" width="100%" height="28" overflow="visible" aria-hidden="true">{}'
        '<line class="rail" x1="0" x2="100%" y1="14" y2="14"/>{}<circle cx="{}" cy="14" r="{}"/></svg>'
    ).format(" own" if own else "", behind, whisker, _at(value), 6 if own else 5)


def heat_row(shares: Sequence[float | None], *, tips: Sequence[str]) -> Markup:
    """Shares from 0 to 1 as a row of cells, the fuller the stronger; missing ones are hatched.

    >>> heat_row([0.0, 1.0, None], tips=["a", "b", "c"]).count("<rect")
    3
    """
    width = 100 / max(len(shares), 1)
    cells = [
        Markup('<rect {} x="{:.3f}%" width="{:.3f}%" height="100%" data-tip="{}"/>').format(
            Markup('class="gap"')
            if share is None
            else Markup('class="heat" fill-opacity="{:.3f}"').format(min(1.0, max(0.0, share))),
            index * width,
            width,
            tip,
        )
        for index, (share, tip) in enumerate(zip(shares, tips, strict=True))
    ]
    return Markup('<svg class="heatrow" width="100%" height="22" aria-hidden="true">{}</svg>').format(
        Markup().join(cells)
    )


def stacked(parts: Sequence[tuple[str, float]], *, total: float, limit: float | None = None) -> Markup:
    """One bar of `total`, a coloured length for each named part, and a line at `limit` where it lies within.

    >>> stacked([("inspect", 2.0), ("train", 6.0)], total=10.0).count("<rect")
    3
    """
    drawn, start = [], 0.0
    for index, (name, amount) in enumerate(parts):
        drawn.append(
            Markup('<rect class="c{}" x="{}" width="{}" height="36" data-tip="{}"/>').format(
                index % 8 + 1, _at(start / total), _at(amount / total), name
            )
        )
        start += amount
    line = Markup()
    if limit is not None and limit < total:
        line = Markup('<line class="limit" x1="{0}" x2="{0}" y1="-5" y2="41"/>').format(_at(limit / total))
    return Markup(
        '<svg class="stacked" width="100%" height="36" overflow="visible" aria-hidden="true">'
        '<rect class="track" width="100%" height="36"/>{}{}</svg>'
    ).format(Markup().join(drawn), line)


def reliability(bins: Sequence[tuple[float, float, float]]) -> Markup:
    """How often the model is right against how sure it says it is, one dot for each bin of samples.

    Units: each bin is (mean confidence, accuracy, share of the samples); a dot's area follows that share.
    Source: Guo et al. 2017, figure 1.

    >>> reliability([(0.9, 0.8, 1.0)]).count("<circle")
    1
    """
    height = 300
    ticks = Markup().join(
        Markup(
            '<line class="grid" x1="0" x2="100%" y1="{1:g}" y2="{1:g}"/>'
            '<text class="tick" x="-10" y="{1:g}" dy="4" text-anchor="end">{0} %</text>'
            '<text class="tick" x="{0}%" y="{2}" text-anchor="middle">{0} %</text>'
        ).format(tick, height * (1 - tick / 100), height + 20)
        for tick in (0, 25, 50, 75, 100)
    )
    dots = Markup().join(
        Markup(
            '<line class="short" x1="{0}" x2="{0}" y1="{1:.1f}" y2="{2:.1f}"/>'
            '<circle class="s1" cx="{0}" cy="{2:.1f}" r="{3:.1f}" data-tip="{4}"/>'
        ).format(
            _at(confidence),
            height * (1 - min(1.0, max(0.0, confidence))),
            height * (1 - min(1.0, max(0.0, right))),
            4 + 12 * max(0.0, part) ** 0.5,
            f"says {confidence:.0%}, is right {right:.0%} of the time; {part:.0%} of the images",
        )
        for confidence, right, part in bins
    )
    return Markup(
        '<svg class="plot still" width="100%" height="{0}" role="img" aria-label="Calibration: how often the model '
        'is right against how sure it says it is">{1}<line class="ideal" x1="0" y1="{0}" x2="100%" y2="0"/>{2}'
        '<text class="tick axis" x="100%" y="{3}" text-anchor="end">how sure the model says it is</text></svg>'
    ).format(height, ticks, dots, height + 38)
