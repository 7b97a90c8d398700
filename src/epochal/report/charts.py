"""Line charts as SVG that keeps its type size at any width: numbers in, markup out.

Places along x are per cent of the width, places along y are pixels; the curves lie in a nested drawing that is
stretched, with strokes that do not. So one drawing serves a desk, a telephone and paper, with no script.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup

from epochal.report import wording
from epochal.report.scales import Scale, logarithmic, straight, whole_ticks
from epochal.stats.curves import thin

_POINTS = 320  # per curve; more than the pixels of a chart show nothing new
_DOTS = 40  # up to so many points each is drawn as a dot
_LABEL_GAP = 16  # pixels between the baselines of two labels
_WIDTH = 1000  # units of the stretched drawing


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve: its label, its points (None where a value is missing), its colour, 1 to 4; dashed where only meant."""

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    color: int = 1
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around the curves."""

    title: str
    x_label: str
    percent: bool = False
    height: int = 220
    mark: float | None = None
    mark_label: str = ""

    def value(self, value: float | None) -> str:
        """A value as the axis and the tooltip write it."""
        return wording.percent(value) if self.percent else wording.figure(value)


def line_chart(lines: Sequence[Line], *, frame: Frame, log: bool = False) -> Markup:
    """Curves over one axis, each labelled at its end; empty where there is nothing to draw.

    With `log` the y axis is logarithmic, and the chart empty where that would show nothing more.

    >>> chart = line_chart([Line(label="train", x=[1, 2], y=[2.3, 1.1])], frame=Frame(title="Loss", x_label="epoch"))
    >>> chart.startswith("<svg"), line_chart([], frame=Frame(title="Loss", x_label="epoch"))
    (True, Markup(''))
    """
    drawn = [line for line in map(_thinned, lines) if any(value is not None for value in line.y)]
    if not drawn:
        return Markup()
    values = [value for line in drawn for value in line.y]
    y = logarithmic(values) if log else straight(values, ceiling=1.0 if frame.percent else None)
    if y is None:
        return Markup()
    across = [value for line in drawn for value in line.x]
    low, high = min(across), max(across)
    x = Scale(low=low, high=high if high > low else low + 1, ticks=whole_ticks(low, high))
    plot = _Plot(x=x, y=y, frame=frame)
    body = Markup().join([plot.grid(), plot.mark(), *map(plot.curve, drawn), plot.labels(drawn)])
    spoken = f"{frame.title}: " + "; ".join(_spoken(line, frame) for line in drawn)
    data = [plot.data(line) for line in drawn]
    return Markup(
        '<svg class="plot" role="img" tabindex="0" width="100%" height="{}" aria-label="{}" data-x="{}" '
        'data-lines="{}">{}</svg>'
    ).format(frame.height, spoken, frame.x_label, json.dumps(data, separators=(",", ":")), body)


def _thinned(line: Line) -> Line:
    """The line with no more points than a screen can show."""
    if len(line.x) <= _POINTS:
        return line
    values = np.array([math.nan if value is None else value for value in line.y])
    x, y = thin(np.asarray(line.x, dtype=np.float64), values, points=_POINTS)
    seen = [None if math.isnan(value) else value for value in y.tolist()]
    return replace(line, x=x.tolist(), y=seen)


def _spoken(line: Line, frame: Frame) -> str:
    """The line in words, for those who cannot see it."""
    known = [value for value in line.y if value is not None]
    return f"{line.label} from {frame.value(known[0])} to {frame.value(known[-1])}"


def _stroke(line: Line, *, few: bool) -> str:
    """The classes of a curve beside its colour."""
    return " dashed" if line.dashed else "" if few else " fine"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plot:
    """The axes of one chart, and everything drawn on them."""

    x: Scale
    y: Scale
    frame: Frame

    def across(self, value: float) -> str:
        return f"{self.x.place(value) * 100:.2f}%"

    def down(self, value: float) -> float:
        return round((1 - self.y.place(value)) * self.frame.height, 1)

    def grid(self) -> Markup:
        """Lines and numbers of both axes."""
        height = self.frame.height
        parts = [
            Markup(
                '<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>'
                '<text class="tick" x="-10" y="{0}" dy="4" text-anchor="end">{1}</text>'
            ).format(self.down(tick), self._tick(tick))
            for tick in self.y.ticks
        ]
        parts += [
            Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                self.across(tick), height + 20, wording.count(tick) if tick == int(tick) else wording.figure(tick)
            )
            for tick in self.x.ticks
        ]
        parts.append(
            Markup('<text class="tick axis" x="100%" y="{}" text-anchor="end">{}</text>').format(
                height + 38, self.frame.x_label
            )
        )
        return Markup().join(parts)

    def _tick(self, tick: float) -> str:
        if self.frame.percent:
            return f"{tick * 100:g}{wording.GAP}%"
        return "0" if tick == 0 else wording.figure(tick)

    def mark(self) -> Markup:
        """A line down the chart where something of note happened."""
        at = self.frame.mark
        if at is None:
            return Markup()
        inside = "end" if self.x.place(at) > 0.5 else "start"
        return Markup(
            '<line class="mark" x1="{0}" x2="{0}" y1="0" y2="{1}"/>'
            '<text class="tick" x="{0}" y="-6" text-anchor="{2}">{3}</text>'
        ).format(self.across(at), self.frame.height, inside, self.frame.mark_label)

    def curve(self, line: Line) -> Markup:
        """The curve, in pieces where values are missing, with dots where there are few."""
        steps, pen = [], "M"
        for x, value in zip(line.x, line.y, strict=False):
            if value is None or (self.y.log and value <= 0):
                pen = "M"
                continue
            steps.append(f"{pen}{self.x.place(x) * _WIDTH:.1f} {self.down(value):g}")
            pen = "L"
        few = len(line.x) <= _DOTS and not line.dashed
        dots = [
            Markup('<circle class="s{}" cx="{}" cy="{:g}" r="2.5"/>').format(
                line.color, self.across(x), self.down(value)
            )
            for x, value in zip(line.x, line.y, strict=False)
            if few and value is not None and not (self.y.log and value <= 0)
        ]
        return Markup(
            '<svg viewBox="0 0 {0} {1}" width="100%" height="{1}" preserveAspectRatio="none" overflow="visible">'
            '<path class="s{2}{3}" vector-effect="non-scaling-stroke" d="{4}"/></svg>{5}'
        ).format(_WIDTH, self.frame.height, line.color, _stroke(line, few=few), "".join(steps), Markup().join(dots))

    def labels(self, lines: Sequence[Line]) -> Markup:
        """The name of each line at its end, moved apart where they would touch."""
        ends = sorted(
            ((self.down(next(v for v in reversed(line.y) if v is not None)), line) for line in lines),
            key=lambda end: end[0],
        )
        placed: list[float] = []
        for wanted, _ in ends:
            placed.append(max(wanted, placed[-1] + _LABEL_GAP) if placed else wanted)
        over = max(0.0, placed[-1] - self.frame.height)
        return Markup().join(
            Markup('<text class="label t{}" x="100%" dx="10" y="{:g}" dy="4">{}</text>').format(
                line.color, max(0.0, at - over), line.label
            )
            for at, (_, line) in zip(placed, ends, strict=True)
        )

    def data(self, line: Line) -> dict[str, object]:
        """What the tooltip needs: places and words of every point."""
        points = [(x, v) for x, v in zip(line.x, line.y, strict=False) if v is not None]
        return {
            "label": line.label,
            "color": line.color,
            "x": [round(self.x.place(x), 4) for x, _ in points],
            "y": [self.down(v) for _, v in points],
            "at": [wording.figure(x) if x != int(x) else wording.count(x) for x, _ in points],
            "text": [self.frame.value(v) for _, v in points],
        }
