"""How the fits went: loss, accuracy and learning rate, per epoch and per step."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from epochal.report import wording
from epochal.report.charts import Frame, Line, line_chart
from epochal.report.fields import Event, number
from epochal.report.record import Curve, Record

_TITLES = {
    "loss": "Loss, step by step",
    "lr": "Learning rate",
    "grad_norm": "Length of the gradient",
    "accuracy": "Accuracy, step by step",
    "images_per_second": "Images per second",
}


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
    epochs, curves = record.epochs(), record.curves()
    names = list(dict.fromkeys([*epochs, *(_owner(curve, list(epochs)) for curve in curves)]))
    fits = {}
    for name in names:
        own = [curve for curve in curves if _owner(curve, list(epochs)) == name]
        fit = Fit(name=name, charts=_charts(epochs.get(name, []), own), facts=_facts(epochs.get(name, [])))
        if fit.charts or fit.facts:
            fits[name] = fit
    if not fits:
        return None
    main = "train" if "train" in fits else list(fits)[-1]
    return TrainingView(
        lead=_lead(epochs.get(main, [])),
        main=fits[main],
        others=tuple(fit for name, fit in fits.items() if name != main),
    )


def _owner(curve: Curve, fits: list[str]) -> str:
    """The fit to which a series belongs: the longest that its name begins with, else its first word."""
    matching = [fit for fit in fits if curve.name.startswith(f"{fit}.")]
    return max(matching, key=len) if matching else curve.name.partition(".")[0]


def _best(epochs: list[Event]) -> Event | None:
    scored = [event for event in epochs if number(event.get("val_accuracy")) is not None]
    return max(scored, key=lambda event: number(event["val_accuracy"]) or 0.0, default=None)


def _lead(epochs: list[Event]) -> str:
    best = _best(epochs)
    if best is None:
        return f"{wording.counted(len(epochs), 'epoch')}." if epochs else ""
    score, at = wording.percent(number(best["val_accuracy"])), wording.epoch(number(best["number"]))
    return f"Best on validation: {score} after epoch {at} of {wording.epoch(number(epochs[-1]['number']))}."


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


def _charts(epochs: list[Event], curves: list[Curve]) -> tuple[Chart, ...]:
    best = _best(epochs)
    mark = number(best["number"]) if best is not None and len(epochs) > 1 else None
    loss = Frame(title="Loss", x_label="epoch", mark=mark, mark_label="best on validation")
    accuracy = Frame(title="Accuracy", x_label="epoch", percent=True, mark=mark, mark_label="best on validation")
    found = [
        _chart(_per_epoch(epochs, {"train_loss": "train", "val_loss": "validation"}), frame=loss),
        _chart(_per_epoch(epochs, {"train_accuracy": "train", "val_accuracy": "validation"}), frame=accuracy),
        *(_step_chart(curve) for curve in curves),
    ]
    if not any(curve.name.endswith(".lr") for curve in curves):
        found.append(_chart(_per_epoch(epochs, {"lr": "lr"}), frame=Frame(title="Learning rate", x_label="epoch")))
    return tuple(chart for chart in found if chart.svg)


def _per_epoch(epochs: list[Event], keys: dict[str, str]) -> list[Line]:
    """Lines over the epochs; a lone epoch makes no curve."""
    x = [number(event["number"]) or 0.0 for event in epochs]
    lines = [
        Line(label=label, x=x, y=[number(event.get(key)) for event in epochs], color=color)
        for color, (key, label) in enumerate(keys.items(), start=1)
    ]
    return [line for line in lines if len(epochs) > 1 and any(value is not None for value in line.y)]


def _step_chart(curve: Curve) -> Chart:
    owner, _, quantity = curve.name.rpartition(".")
    title = _TITLES.get(quantity) or f"{owner} {quantity}".replace("_", " ").replace(".", " ").strip().capitalize()
    frame = Frame(
        title=f"{title}{f' ({curve.unit})' if curve.unit else ''}", x_label="step", percent=quantity == "accuracy"
    )
    return _chart([Line(label=quantity.replace("_", " "), x=curve.x, y=curve.y)], frame=frame)


def _chart(lines: list[Line], *, frame: Frame) -> Chart:
    lost = sum(value is None for line in lines for value in line.y)
    note = (
        f"{wording.counted(lost, 'value is', many='values are')} missing or not finite, and not drawn." if lost else ""
    )
    log = Markup() if frame.percent else line_chart(lines, frame=frame, log=True)
    return Chart(title=frame.title, svg=line_chart(lines, frame=frame), log=log, note=note)
