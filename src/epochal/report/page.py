"""The report page: one self-contained HTML file, drawn from a journal's events and nothing else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from epochal.report import wording
from epochal.report.comparisons import bar, interval_dot
from epochal.report.fields import mapping, text
from epochal.report.metric import Metric
from epochal.report.record import Record
from epochal.report.scales import Scale, ticks_between
from epochal.report.scores import Score, scores_of
from epochal.report.sections import checks, cost, data, decisions, dynamics, images, reproduce, result, training
from epochal.report.verdict import judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page: its anchor, which names its template, its title, and what makes its content."""

    anchor: str
    title: str
    build: Callable[[Record], object | None]
    template: str = ""
    expected: bool = True  # whether a complete run has it, so that its absence is worth a word


SECTIONS: tuple[Section, ...] = (
    Section(anchor="data", title="Data", build=data.build),
    Section(anchor="checks", title="Checks", build=checks.build),
    Section(anchor="batch", title="What the network sees", build=images.batch, template="images"),
    Section(anchor="training", title="Training", build=training.build),
    Section(anchor="filters", title="First-layer filters", build=images.filters, template="images"),
    Section(anchor="dynamics", title="Prediction dynamics", build=dynamics.build),
    Section(anchor="result", title="Result", build=result.build),
    Section(anchor="pictures", title="More pictures", build=images.others, template="images", expected=False),
    Section(anchor="decisions", title="Decisions", build=decisions.build),
    Section(anchor="cost", title="Cost", build=cost.build),
    Section(anchor="measurements", title="Other measurements", build=reproduce.measurements, expected=False),
    Section(anchor="reproduce", title="Reproduce", build=reproduce.build),
)

# Characters that no XML or HTML text may hold; names of strangers' files may.
_FORBIDDEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127], "\N{REPLACEMENT CHARACTER}")


@dataclass(frozen=True, slots=True)
class Fact:
    """One short fact under the verdict."""

    name: str
    value: str
    note: str = ""
    drawing: Markup = field(default_factory=Markup)
    loud: bool = False


def render(events: Iterable[object]) -> str:
    """The report on the run that wrote `events`, as one HTML document.

    Sections for which the journal holds nothing are left out, and named where a complete run would have them.
    The page loads nothing and allows no script but its own, whatever names the journal contains.

    >>> page = render([{"kind": "session", "stage": "run", "argv": "epochal run digits", "at": 0.0}])
    >>> page.startswith("<!doctype html>"), "epochal run digits" in page
    (True, True)
    """
    record = Record.of(events)
    views = [(section, section.build(record)) for section in SECTIONS]
    script = _asset("script.js")
    page = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            title=_title(record),
            verdict=judge(record),
            scores=_scores(record),
            reading=_reading(record),
            metric=Metric.of(record).title,
            facts=_facts(record),
            sections=[(section, view) for section, view in views if view is not None],
            missing=[section.title for section, view in views if view is None and _expected(section, record)],
            style=Markup(_asset("style.css")),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            written=_written(record),
        )
    )
    return page.encode("utf-8", "replace").decode("utf-8").translate(_FORBIDDEN)  # lone surrogates from file names go


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("epochal.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["gap"] = wording.GAP
    return environment


@cache
def _asset(name: str) -> str:
    return resources.files("epochal.report").joinpath(name).read_text(encoding="utf-8")


def _title(record: Record) -> str:
    """What the run was about: its data, else its name."""
    told = [start.get("name") for start in record.starts] + [
        mapping(start.get("request")).get("source") for start in record.starts
    ]
    named = next((text(each) for each in told if each), "") or text(record.measured("data.source"))
    return named.rstrip("/\\").replace("\\", "/").rpartition("/")[2] or "a run"


def _written(record: Record) -> str:
    """The day and time of the last event, as the journal has it."""
    times = [text(event.get("time")) for event in record.events if event.get("time")]
    return times[-1][:16].replace("T", " ") + " UTC" if times else ""


def _expected(section: Section, record: Record) -> bool:
    """Whether a complete run has this section: of masks no batch is followed, their answers are pictures."""
    return section.expected and not (section.anchor == "dynamics" and Metric.of(record).task == "segmentation")


def _scores(record: Record) -> list[tuple[Score, Markup]]:
    """The model beside the baselines, each with its drawing: shares from 0 to 1, others as far as they go."""
    scores = scores_of(record.result, metric=Metric.of(record))
    ends = [end for each in scores for end in (each.value, each.low, each.high) if end is not None]
    scale = Scale(low=0.0, high=1.0, ticks=(0.0, 0.25, 0.5, 0.75, 1.0))
    if scores and not scores[0].metric.is_share:
        ticks = ticks_between(min(0.0, *ends), max(ends))
        scale = Scale(low=ticks[0], high=ticks[-1], ticks=ticks)

    def place(value: float | None) -> float | None:
        return None if value is None else scale.place(value)

    grid = [scale.place(tick) for tick in scale.ticks]
    return [
        (
            each,
            interval_dot(scale.place(each.value), low=place(each.low), high=place(each.high), own=each.own, grid=grid),
        )
        for each in scores
    ]


def _reading(record: Record) -> str:
    """How to read the drawing of the scores, where it is not plain that further right is better."""
    metric = Metric.of(record)
    if not scores_of(record.result, metric=metric) or metric.higher_is_better is not False:
        return ""
    return f"{metric.title} with its interval, from 0 on: the further left, the better."


def _facts(record: Record) -> list[Fact]:
    """The few facts that stand under the verdict."""
    found = [_budget(record), _test_split(record), _checks(record), _first_model(record)]
    return [fact for fact in found if fact is not None]


def _budget(record: Record) -> Fact | None:
    if record.spent is None:
        return None
    if not record.budget:
        return Fact("Time used", wording.duration(record.spent))
    used = record.spent / record.budget
    over = used > 1.05  # the promise: a command ends within 1.05 of its budget
    return Fact(
        "Budget used",
        wording.duration(record.spent),
        f"{wording.percent(used)} of {wording.duration(record.budget)}",
        bar(used, color=2 if over else 1),
        over,
    )


def _test_split(record: Record) -> Fact | None:
    times = record.openings
    if not times and not record.result:
        return Fact("Test split", "Sealed", "not opened so far")
    if times == 1:
        return Fact("Test split", "Opened once", "at the end, as it should be")
    return Fact("Test split", f"Opened {wording.counted(times, 'time')}", "expected: exactly once", loud=True)


def _checks(record: Record) -> Fact | None:
    view = checks.build(record)
    if view is None:
        return None
    stopped = {"error", "stop"} if not record.result else {"error"}  # a run with a result went on after its stops
    grave = sum(each.severity in stopped for each in view.findings)
    note = wording.counted(len(view.findings), "finding") if view.findings else "nothing found"
    return Fact("Checks", f"{len({each.rule for each in view.passes})} passed", note, loud=grave > 0)


def _first_model(record: Record) -> Fact | None:
    at = record.first_model_at
    if at is None:
        return None
    note = f"{wording.percent(at / record.budget)} of the budget" if record.budget else ""
    return Fact("First usable model", f"after {wording.duration(at)}", note)
