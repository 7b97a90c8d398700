"""Measured values against true ones: each dot an image, how far the answers are off, and the figures of each value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from markupsafe import Markup

from epochal.report import wording
from epochal.report.fields import Event, items, mapping, number, numbers, rows, text
from epochal.report.histogram import histogram
from epochal.report.scatter import scatter, unwrapped

_MOST_DRAWN = 12  # values with drawings; the table has all


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCharts:
    """The drawings of one value."""

    name: str
    scatter: Markup
    residuals: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What is shown of a regression: how to read it, the drawings of each value, and a table of all."""

    lead: str
    charts: tuple[ValueCharts, ...]
    table: tuple[tuple[str, ...], ...]  # name, error, interval, RMSE, R², bias
    left_out: int = 0


def build(result: Event) -> Values | None:
    """What a result tells of measured values, or None.

    >>> build({"per_value": [{"name": "angle", "mae": 0.2, "low": 0.1, "high": 0.3}]}).table[0][:3]
    ('angle', '0.2', '0.1 to 0.3')
    """
    drawn = {name: _points(told) for name, told in mapping(result.get("scatter")).items()}
    residuals = mapping(result.get("residuals"))
    told = rows(result.get("per_value"))
    names = list(dict.fromkeys([*(text(each.get("name")) for each in told), *drawn, *residuals]))
    periods = dict.fromkeys(names, number(result.get("period")) or None)
    periods |= {text(each.get("name")): number(each["period"]) or None for each in told if "period" in each}
    charts = [
        ValueCharts(
            name=name,
            scatter=scatter(drawn.get(name, []), name=name, period=periods[name]),
            residuals=_residuals(mapping(residuals.get(name))),
        )
        for name in names[:_MOST_DRAWN]
    ]
    charts = [each for each in charts if each.scatter or each.residuals]
    if not told and not charts:
        return None
    return Values(
        lead=_lead([drawn.get(name, []) for name in names], periods=[periods[name] for name in names]),
        charts=tuple(charts),
        table=tuple(_table_row(each) for each in told),
        left_out=max(0, len(names) - _MOST_DRAWN),
    )


def _points(told: object) -> list[tuple[float, float]]:
    pairs = [numbers(each) for each in items(told)]
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2 and pair[0] is not None and pair[1] is not None]


def _lead(points: Sequence[list[tuple[float, float]]], *, periods: Sequence[float | None]) -> str:
    """How the drawing is read, and what a typical answer is worth."""
    sentences = ["Each dot is an image; on the dashed diagonal the model is right."] if any(points) else []
    circles = list(dict.fromkeys(wording.figure(period) for period in periods if period))
    if circles:
        sentences.append(
            f"Values go round in a circle of {wording.listed(circles)}: an answer across the seam is drawn beyond it, "
            "as near to the truth as it is."
        )
    if len(points) == 1 and points[0]:
        period = periods[0]
        off = sorted(abs((unwrapped(a, b, period=period) if period else b) - a) for a, b in points[0])
        far = wording.figure(off[min(len(off) - 1, round(0.95 * len(off)))])
        half = wording.figure(median(off))
        sentences.append(f"Half of these answers are off by less than {half}, one in twenty by more than {far}.")
    return " ".join(sentences)


def _residuals(told: Event) -> Markup:
    edges, counts = numbers(told.get("edges")), numbers(told.get("counts"))
    whole = [each for each in edges if each is not None]
    if len(whole) != len(edges):
        return Markup()
    return histogram({"images": [each or 0.0 for each in counts]}, edges=whole, label="predicted less true", mark=0.0)


def _table_row(event: Event) -> tuple[str, ...]:
    low, high = number(event.get("low")), number(event.get("high"))
    interval = "" if low is None or high is None else f"{wording.figure(low)} to {wording.figure(high)}"
    shown = [wording.figure(number(event.get(key))) for key in ("mae", "rmse", "r2", "bias")]
    return (text(event.get("name")), shown[0], interval, *shown[1:3], shown[3].replace("-", "\N{MINUS SIGN}"))
