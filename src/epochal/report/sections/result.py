"""The score in full: beside the baselines, by class or by value, by confusion, by confidence, and the worst errors."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from epochal.report import wording
from epochal.report.comparisons import reliability
from epochal.report.fields import Event, mapping, number, rows
from epochal.report.metric import Metric
from epochal.report.pictures import Sheet, Unshown, sheets_of
from epochal.report.record import Record
from epochal.report.sections import by_class, confusion, values

_ERRORS = {
    "segmentation": "Each row: the image, the labels given, what the model says, in the colours of the classes.",
    "regression": "Hard images, and sometimes wrong values: worth looking at one by one.",
}
_LABELS = "Hard images, and sometimes wrong labels: worth looking at one by one."


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """What the result section shows; each part may be missing."""

    lead: str
    facts: tuple[tuple[str, str], ...]
    reliability: Markup
    classes: by_class.ClassTable | None
    values: values.Values | None
    confusion: confusion.Confusion | None
    errors: tuple[Sheet, ...]
    errors_lead: str
    unshown: tuple[Unshown, ...]


def build(record: Record) -> ResultView | None:
    """The result section, or None before there is a result.

    >>> build(Record.of([{"kind": "result", "value": 0.9, "nll": 0.3}])).facts[0]
    ('Negative log likelihood', '0.3 nats')
    """
    result = record.result
    if not result:
        return None
    metric = Metric.of(record)
    sheets, unshown = sheets_of(record.pictures("errors"), anchor="errors")
    classes = by_class.build(result, task=metric.task)
    noun = "pixel" if metric.task == "segmentation" else "image"
    return ResultView(
        lead=classes.lead if classes else "",
        facts=_facts(result, metric=metric),
        reliability=_reliability(result),
        classes=classes,
        values=values.build(result),
        confusion=confusion.build(mapping(result.get("confusion")), known=record.classes, noun=noun),
        errors=tuple(sheets),
        errors_lead=_ERRORS.get(metric.task, _LABELS),
        unshown=tuple(unshown),
    )


def _facts(result: Event, *, metric: Metric) -> tuple[tuple[str, str], ...]:
    nll, calibration = number(result.get("nll")), mapping(result.get("calibration"))
    ece = number(calibration.get("ece"))
    for key in ("calibration_error", "ece"):
        ece = number(result.get(key)) if ece is None else ece
    temperature, gain = number(result.get("temperature")), mapping(result.get("gain_over_linear"))
    if result.get("model") == "linear":  # over itself there is none
        gain = {}
    pixels = number(result.get("pixel_accuracy"))
    facts = [
        ("Pixels named rightly", wording.percent(pixels) if pixels is not None else ""),
        ("Negative log likelihood", f"{wording.figure(nll)} nats" if nll is not None else ""),
        ("Calibration error", wording.percent(ece) if ece is not None else ""),
        ("Gain over a linear model, same images", _gain(gain, metric=metric)),
        ("Temperature", wording.figure(temperature) if temperature is not None else ""),
    ]
    return tuple((name, value) for name, value in facts if value)


def _gain(told: Event, *, metric: Metric) -> str:
    """A difference with its interval: of shares in points, of others in their unit; above 0 is better."""
    value, low, high = (number(told.get(key)) for key in ("value", "low", "high"))
    if value is None:
        return ""
    if not metric.is_share:
        interval = "" if low is None or high is None else f" ({wording.figure(low)} to {wording.figure(high)})"
        return f"{metric.show(value)} less{interval}" if value >= 0 else f"{metric.show(-value)} more{interval}"
    interval = "" if low is None or high is None else f" ({low * 100:.1f} to {high * 100:.1f})"
    return f"{value * 100:+.1f}{wording.GAP}points{interval}"


def _reliability(result: Event) -> Markup:
    told = result.get("calibration")
    bins = [
        (confidence, right, amount)
        for each in rows(told) or rows(mapping(told).get("bins"))
        if (confidence := number(each.get("confidence"))) is not None
        and (right := number(each.get("accuracy"))) is not None
        and (amount := number(each.get("count")))
    ]
    total = sum(amount for _, _, amount in bins)
    return (
        reliability([(confidence, right, amount / total) for confidence, right, amount in bins])
        if total > 0
        else Markup()
    )
