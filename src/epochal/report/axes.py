"""Two axes of values with their grid: places across are per cent of the width, places down are pixels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from epochal.report import wording
from epochal.report.scales import Scale


def plain(tick: float) -> str:
    """A number beside an axis.

    >>> plain(0.0), plain(0.25), plain(-12000.0)
    ('0', '0.25', '−12,000')
    """
    return "0" if tick == 0 else wording.figure(tick).replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """A plot of `height` pixels, as wide as there is room.

    >>> axes = Axes(x=Scale(low=0, high=4, ticks=(0, 4)), y=Scale(low=0, high=2, ticks=(0, 2)), height=100)
    >>> axes.across(1), axes.down(0.5)
    ('25.00%', 75.0)
    """

    x: Scale
    y: Scale
    height: int

    def across(self, value: float) -> str:
        """Where a value lies from left to right."""
        return f"{self.x.place(value) * 100:.2f}%"

    def down(self, value: float) -> float:
        """Where a value lies from the top."""
        return round((1 - self.y.place(value)) * self.height, 1)

    def grid(self, *, x_label: str, y_tick: Callable[[float], str] = plain) -> Markup:
        """Lines and numbers: those of y to the left, those of x below, and what x is."""
        across = [
            Markup(
                '<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>'
                '<text class="tick" x="-10" y="{0}" dy="4" text-anchor="end">{1}</text>'
            ).format(self.down(tick), y_tick(tick))
            for tick in self.y.ticks
        ]
        down = [
            Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
                self.across(tick), self.height + 20, plain(tick)
            )
            for tick in self.x.ticks
        ]
        label = Markup('<text class="tick axis" x="100%" y="{}" text-anchor="end">{}</text>')
        return Markup().join([*across, *down, label.format(self.height + 38, x_label)])

    def framed(self, body: Markup, *, spoken: str) -> Markup:
        """The whole drawing, told in words for those who cannot see it."""
        return Markup('<svg class="plot still" role="img" width="100%" height="{}" aria-label="{}">{}</svg>').format(
            self.height, spoken, body
        )
