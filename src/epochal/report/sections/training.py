"""How the fits went: loss, the metric and the learning rate, per epoch and per step, beside what was planned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from markupsafe import Markup

from epochal.report import wording
from epochal.report.charts import Frame, Line, line_chart
from epochal.report.fields import Event, number
from epochal.report.metric import Metric
from epochal.report.record import Curve, Record

_TITLES = {
    "loss": "Loss, step by step",
    "lr": "Learning rate",
    "grad_norm": "Length of the gradient",
    "accuracy": "Accuracy, step by step",
    "images_per_second": "Images per second",
}
_PLANNED = ".lr_planned"
_ALONG = {"step": "steps", "epoch": "number", "progress": "progress"}  # what a series runs along, in epoch events


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with its logarithmic twin, empty where that would show nothing more."""

    title: str
    svg: Markup
    log: Markup = field(default_factory=Markup)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The charts and facts of one fit."""

    name: str
    charts: tuple[Chart, ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingView:
    """What the training section shows: the main fit, then the others, folded."""

    lead: str
    main: Fit
    others: tuple[Fit, ...]


def build(record: Record) -> TrainingView | None:
    """The training section, or None where nothing was fitted.

    >>> epochs = [{"kind": "epoch", "stage": "train", "number": 1, "val_accuracy": 0.5}]
    >>> build(Record.of(epochs)).lead.replace(wording.GAP, " ")
    'Best on validation: 50.0 % after epoch 1 of 1.'
    """
    epochs, curves, metric = record.epochs(), record.curves(), Metric.of(record)
    names = list(dict.fromkeys([*epochs, *(_owner(curve, list(epochs)) for curve in curves)]))
    fits = {}
    for name in names:
        own, looks = [curve for curve in curves if _owner(curve, list(epochs)) == name], epochs.get(name, [])
        fit = Fit(name=name, charts=_charts(looks, own, metric=metric), facts=_facts(looks))
        if fit.charts or fit.facts:
            fits[name] = fit
    if not fits:
        return None
    main = "train" if "train" in fits else list(fits)[-1]
    return TrainingView(
        lead=_lead(epochs.get(main, []), metric=metric),
        main=fits[main],
        others=tuple(fit for name, fit in fits.items() if name != main),
    )


def _owner(curve: Curve, fits: list[str]) -> str:
    """The fit to which a series belongs: the longest that its name begins with, else its first word."""
    matching = [fit for fit in fits if curve.name.startswith(f"{fit}.")]
    return max(matching, key=len) if matching else curve.name.partition(".")[0]


def _score(event: Event, *, split: str = "val") -> float | None:
    """The metric at the end of an epoch; older journals call it accuracy."""
    found = number(event.get(f"{split}_score"))
    return number(event.get(f"{split}_accuracy")) if found is None else found


def _best(epochs: list[Event], *, metric: Metric) -> Event | None:
    """The first of the epochs with the best score."""
    best = metric.best(value for event in epochs if (value := _score(event)) is not None)
    return next((event for event in epochs if best is not None and _score(event) == best), None)


def _lead(epochs: list[Event], *, metric: Metric) -> str:
    best = _best(epochs, metric=metric)
    if best is None:
        return f"{wording.counted(len(epochs), 'epoch')}." if epochs else ""
    score, at = metric.show(_score(best)), wording.epoch(number(best["number"]))
    kind = "" if metric.is_share else f"{metric.name} "
    return f"Best on validation: {kind}{score} after epoch {at} of {wording.epoch(number(epochs[-1]['number']))}."


def _facts(epochs: list[Event]) -> tuple[tuple[str, str], ...]:
    def known(key: str) -> list[float]:
        return [value for event in epochs if (value := number(event.get(key))) is not None]

    rates, seconds, steps = known("images_per_second"), known("seconds"), known("steps")
    facts = [
        ("Epochs", wording.epoch(number(epochs[-1]["number"])) if epochs else ""),
        ("Steps", wording.count(max(steps)) if steps else ""),
        ("Time", wording.duration(sum(seconds)) if seconds else ""),
        ("Images per second", wording.count(sorted(rates)[len(rates) // 2]) if rates else ""),
    ]
    return tuple((name, value) for name, value in facts if value)


def _charts(epochs: list[Event], curves: list[Curve], *, metric: Metric) -> tuple[Chart, ...]:
    best = _best(epochs, metric=metric)
    mark = number(best["number"]) if best is not None and len(epochs) > 1 else None
    loss = Frame(title="Loss", x_label="epoch", mark=mark, mark_label="best on validation")
    score = replace(loss, title=metric.title, percent=metric.is_share)
    losses = {"train": [number(each.get("train_loss")) for each in epochs]}
    losses["validation"] = [number(each.get("val_loss")) for each in epochs]
    scores = {
        "train": [_score(each, split="train") for each in epochs],
        "validation": [_score(each) for each in epochs],
    }
    found = [
        _chart(_per_epoch(epochs, losses), frame=loss),
        _chart(_per_epoch(epochs, scores), frame=score),
        *(_step_chart(curve) for curve in curves if not curve.name.endswith((".lr", _PLANNED))),
        _rates(epochs, curves),
    ]
    return tuple(chart for chart in found if chart.svg)


def _per_epoch(epochs: list[Event], values: dict[str, list[float | None]]) -> list[Line]:
    """Lines over the epochs; a lone epoch makes no curve."""
    x = [number(event["number"]) or 0.0 for event in epochs]
    lines = [Line(label=label, x=x, y=y, color=color) for color, (label, y) in enumerate(values.items(), start=1)]
    return [line for line in lines if len(epochs) > 1 and any(value is not None for value in line.y)]


def _rates(epochs: list[Event], curves: list[Curve]) -> Chart:
    """The learning rate as it was, over the one that was planned; along what the plan runs along."""
    planned = next((curve for curve in curves if curve.name.endswith(_PLANNED)), None)
    actual = next((curve for curve in curves if curve.name.endswith(".lr")), None)
    over = _along(planned) if planned else _along(actual) if actual else "epoch"
    if actual is not None and _along(actual) == over:
        x, y = list(actual.x), list(actual.y)
    else:
        told = [(number(each.get(_ALONG.get(over, over))), number(each.get("lr"))) for each in epochs]
        known = [(at, rate) for at, rate in told if at is not None]
        x, y = [at for at, _ in known], [rate for _, rate in known]
    lines = [Line(label="planned", x=planned.x, y=planned.y, color=2, dashed=True)] if planned else []
    if len(x) > 1 and any(rate is not None for rate in y):
        lines.append(Line(label="actual" if planned else "lr", x=x, y=y))
    label = "share of the schedule" if over == "progress" else over
    return _chart(lines, frame=Frame(title=_TITLES["lr"], x_label=label))


def _along(curve: Curve) -> str:
    """What a series runs along: as told; a plan that ends at 1 along the schedule, all others step by step."""
    share = curve.name.endswith(_PLANNED) and max(curve.x) <= 1
    return curve.over or ("progress" if share else "step")


def _step_chart(curve: Curve) -> Chart:
    owner, _, quantity = curve.name.rpartition(".")
    title = _TITLES.get(quantity) or f"{owner} {quantity}".replace("_", " ").replace(".", " ").strip().capitalize()
    frame = Frame(
        title=f"{title}{f' ({curve.unit})' if curve.unit else ''}",
        x_label=curve.over or "step",
        percent=quantity == "accuracy",
    )
    return _chart([Line(label=quantity.replace("_", " "), x=curve.x, y=curve.y)], frame=frame)


def _chart(lines: list[Line], *, frame: Frame) -> Chart:
    lost = sum(value is None for line in lines for value in line.y)
    note = (
        f"{wording.counted(lost, 'value is', many='values are')} missing or not finite, and not drawn." if lost else ""
    )
    log = Markup() if frame.percent else line_chart(lines, frame=frame, log=True)
    return Chart(title=frame.title, svg=line_chart(lines, frame=frame), log=log, note=note)
