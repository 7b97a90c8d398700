"""How values are distributed: bars for one group of samples, steps over them for others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

from epochal.report import wording
from epochal.report.axes import Axes, plain
from epochal.report.scales import Scale, straight, ticks_between

_HEIGHT = 220
_WIDTH = 1000  # units of the stretched drawing


def histogram(
    groups: Mapping[str, Sequence[float]], *, edges: Sequence[float], label: str, mark: float | None = None
) -> Markup:
    """Counts between edges: one group as bars; of several, the share of each, the first as bars and others as steps.

    `mark` draws a line down at a value. Empty where edges and counts do not belong together or there are no counts.

    >>> drawing = histogram({"train": [1, 3]}, edges=[0.0, 0.5, 1.0], label="angle")
    >>> drawing.count("<rect"), histogram({"train": [1]}, edges=[0.0], label="angle")
    (2, Markup(''))
    """
    fitting = {
        name: list(counts) for name, counts in groups.items() if len(counts) == len(edges) - 1 and sum(counts) > 0
    }
    if not fitting or any(high <= low for low, high in pairwise(edges)):
        return Markup()
    alone = len(fitting) == 1
    heights = {name: [count / (1 if alone else sum(counts)) for count in counts] for name, counts in fitting.items()}
    ticks = tuple(tick for tick in ticks_between(edges[0], edges[-1]) if edges[0] <= tick <= edges[-1])
    y = straight([0.0, *(height for each in heights.values() for height in each)])
    axes = Axes(x=Scale(low=edges[0], high=edges[-1], ticks=ticks), y=y, height=_HEIGHT)
    first, *others = heights
    parts = [
        axes.grid(x_label=label, y_tick=plain if alone else _percent),
        _bars(axes, heights[first], edges=edges, tips=_tips(fitting, edges=edges), faint=not alone),
        *(_steps(axes, heights[name], edges=edges, color=color) for color, name in enumerate(others, start=2)),
    ]
    if mark is not None and edges[0] <= mark <= edges[-1]:
        parts.append(
            Markup('<line class="mark" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(axes.across(mark), _HEIGHT)
        )
    return axes.framed(
        Markup().join(parts), spoken=f"How {label} is distributed, from {plain(edges[0])} to {plain(edges[-1])}"
    )


def _percent(tick: float) -> str:
    return f"{tick * 100:g}{wording.GAP}%"


def _tips(groups: Mapping[str, Sequence[float]], *, edges: Sequence[float]) -> list[str]:
    """What the pointer tells over each bar."""
    tips = []
    for index, (low, high) in enumerate(pairwise(edges)):
        counts = ", ".join(
            (f"{name} {wording.count(each[index])}" if len(groups) > 1 else wording.counted(each[index], "image"))
            for name, each in groups.items()
        )
        tips.append(f"{plain(low)} to {plain(high)}: {counts}")
    return tips


def _bars(axes: Axes, heights: Sequence[float], *, edges: Sequence[float], tips: Sequence[str], faint: bool) -> Markup:
    """A bar for each pair of edges, and over the whole height a place for the pointer."""
    drawn = []
    for low, high, height, tip in zip(edges, edges[1:], heights, tips, strict=False):
        place = axes.x.place(low) * 100
        drawn.append(
            Markup('<rect class="s1{}" x="{:.2f}%" width="{:.2f}%" y="{:g}" height="{:g}" data-tip="{}"/>').format(
                " faint" if faint else "",
                place,
                axes.x.place(high) * 100 - place,
                axes.down(height),
                round(axes.height - axes.down(height), 1),
                tip,
            )
        )
    return Markup('<g class="bars">{}</g>').format(Markup().join(drawn))


def _steps(axes: Axes, heights: Sequence[float], *, edges: Sequence[float], color: int) -> Markup:
    """The outline that bars of these heights would have."""
    places = [axes.x.place(edge) * _WIDTH for edge in edges]
    path = [f"M{places[0]:.1f} {axes.height:g}"]
    for left, right, height in zip(places, places[1:], heights, strict=False):
        path.append(f"L{left:.1f} {axes.down(height):g}L{right:.1f} {axes.down(height):g}")
    path.append(f"L{places[-1]:.1f} {axes.height:g}")
    return Markup(
        '<svg viewBox="0 0 {0} {1}" width="100%" height="{1}" preserveAspectRatio="none" overflow="visible">'
        '<path class="s{2}" vector-effect="non-scaling-stroke" d="{3}"/></svg>'
    ).format(_WIDTH, axes.height, color, "".join(path))
