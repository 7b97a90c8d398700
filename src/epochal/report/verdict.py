"""What a run came to, in words: one judgement, from which the page and the terminal both quote."""

from __future__ import annotations

from dataclasses import dataclass, replace

from epochal.report.fields import Event, mapping, number, rows, text
from epochal.report.record import Record
from epochal.report.wording import between, closed, count, counted, figure, percent

_BASELINES = {
    "prior": ("always guessing the most common class", "most common class"),
    "linear": ("a linear model", "linear model"),
    "small": ("a small network", "small network"),
    "chance": ("guessing at random", "chance"),
}
_STATUS = {
    "finished": ("Finished", "good"),
    "stopped": ("Stopped by a check", "bad"),
    "budget": ("Budget ended, best so far kept", "warn"),
    "interrupted": ("Interrupted", "warn"),
    "failed": ("Ended by an error", "bad"),
    "open": ("Not finished", "warn"),
}
_TRIVIAL = {"prior", "chance"}  # what needs no image to be right: a model must beat it to be called one
_ERRORS = {"CheckFailed": "stopped", "BudgetError": "budget"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A measured share of right answers with its interval, where it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    own: bool = False
    short: str = ""  # the name where there is little room
    key: str = ""  # the name as the journal has it

    @property
    def worded(self) -> str:
        """The value with its interval.

        >>> Score(name="m", value=0.912, low=0.904, high=0.92).worded.replace(chr(160), " ")
        '91.2 % (90.4 to 92.0)'
        """
        interval = between(self.low, self.high)
        return percent(self.value) + (f" ({interval})" if interval else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judgement: a headline in three parts (its figure apart), sentences that follow, and alarms."""

    status: str
    label: str
    tone: str
    before: str
    figure: str = ""
    after: str = ""
    sentences: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The first sentence, whole."""
        return " ".join(part for part in (self.before, self.figure + self.after) if part)


def score_of(event: Event, *, name: str = "", own: bool = False) -> Score | None:
    """The score that `event` carries as value, low and high, or None.

    >>> score_of({"value": 0.5}, name="prior").value
    0.5
    """
    value = number(event.get("value"))
    if value is None:
        return None
    return Score(
        name=name or text(event.get("name")),
        value=value,
        low=number(event.get("low")),
        high=number(event.get("high")),
        own=own,
    )


def baselines_of(result: Event) -> list[Score]:
    """The baselines of a result, in the order given, with names a reader understands.

    >>> [b.name for b in baselines_of({"baselines": [{"name": "linear", "value": 0.4}, {"name": "odd"}]})]
    ['a linear model']
    """
    told = result.get("baselines")
    listed = rows(told) or [
        {"name": name, **(mapping(value) or {"value": value})} for name, value in mapping(told).items()
    ]
    found = []
    for each in listed:
        known, short = _BASELINES.get(text(each.get("name")), (text(each.get("name")), ""))
        score = score_of(each, name=text(each.get("label")) or known)
        if score is not None:
            found.append(replace(score, short=short, key=text(each.get("name"))))
    return found


def scores_of(result: Event) -> list[Score]:
    """All scores to draw on one line from 0 to 1: the baselines and the model; none for other metrics.

    >>> [score.name for score in scores_of({"value": 0.9, "baselines": [{"name": "prior", "value": 0.1}]})]
    ['always guessing the most common class', 'this model']
    """
    own = score_of(result, name="this model", own=True)
    return [*baselines_of(result), own] if own is not None and is_share(result.get("metric")) else []


def is_share(metric: object) -> bool:
    """Whether a metric is a share of right answers, so that it reads as per cent.

    >>> is_share("accuracy"), is_share("rmse")
    (True, False)
    """
    return not text(metric) or "accuracy" in text(metric) or text(metric).startswith("of the answers")


def status_of(record: Record) -> str:
    """How the run stands: the last start's own word, else what the journal holds.

    >>> status_of(Record.of([{"kind": "result", "value": 0.9}])), status_of(Record.of([]))
    ('finished', 'open')
    """
    ending = record.ending
    told = text(ending.get("status")) or (
        _ERRORS.get(text(ending.get("error")), "failed") if ending.get("kind") == "stop" else ""
    )
    if told in _STATUS:
        return told
    if record.result:
        return "finished"
    return "stopped" if any(text(each.get("severity")) == "stop" for each in record.select("finding")) else "open"


def judge(record: Record) -> Verdict:
    """The verdict on the run in `record`.

    >>> events = [{"kind": "result", "split": "test", "samples": 100, "value": 0.9, "low": 0.82, "high": 0.95},
    ...           {"kind": "opened", "split": "test", "count": 1}]
    >>> judge(Record.of(events)).headline.replace(chr(160), " ")
    'On 100 test images never used for any choice the model is right for 90.0 % (82.0 to 95.0).'
    """
    status = status_of(record)
    label, tone = _STATUS[status]
    score = score_of(record.result, name="this model", own=True)
    if score is None:
        return _unscored(record, status=status)
    result, baselines = record.result, baselines_of(record.result)
    alarms = _alarms(record, score=score, baselines=baselines)
    before, after = f"On {_population(record)} the model ", f"{between(score.low, score.high)}"
    if is_share(result.get("metric")):
        before, shown = before + "is right for", percent(score.value)
    else:
        before, shown = before + f"reaches {text(result.get('metric'))}", figure(score.value)
        after = "" if score.low is None or score.high is None else f"{figure(score.low)} to {figure(score.high)}"
    return Verdict(
        status=status,
        label=label,
        tone="bad" if alarms else tone,
        before=before,
        figure=shown,
        after=f" ({after})." if after else ".",
        sentences=_comparison(result, score=score, baselines=baselines),
        alarms=alarms,
    )


def _population(record: Record) -> str:
    """Which images the score is about, and whether they were kept apart."""
    split = text(record.result.get("split")) or "test"
    samples = number(record.result.get("samples"))
    images = f"{'' if samples is None else count(samples) + ' '}{split} image{'' if samples == 1 else 's'}"
    if split != "test":
        return f"{images}, which also served to choose the model,"
    if record.openings > 1:
        return f"{images}, opened {counted(record.openings, 'time')} and so no longer unseen,"
    return f"{images} never used for any choice"


def _comparison(result: Event, *, score: Score, baselines: list[Score]) -> tuple[str, ...]:
    """The baselines in a sentence, and the best of the real models among them where it may be as good."""
    if not baselines:
        return ()
    share = is_share(result.get("metric"))
    told = "; ".join(f"{each.name}: {percent(each.value) if share else figure(each.value)}" for each in baselines)
    sentences = [f"{told[0].upper()}{told[1:]}."]
    own = text(result.get("model"))
    if own and any(each.key == own for each in baselines):
        name = next(each.name for each in baselines if each.key == own)
        sentences.append(f"The model is {name}: nothing larger was clearly better on the validation images.")
    rivals = [each for each in _not_beaten(score, baselines) if each.key not in {*_TRIVIAL, own}] if share else []
    if rivals:
        best = max(rivals, key=lambda each: each.value)
        sentences.append(f"On so many images it is not clearly better than {best.name}, {best.worded}.")
    return tuple(sentences)


def _not_beaten(score: Score, baselines: list[Score]) -> list[Score]:
    """Baselines that lie within the interval of the score, or above."""
    floor = score.value if score.low is None else score.low
    return [each for each in baselines if each.value >= floor]


def _alarms(record: Record, *, score: Score, baselines: list[Score]) -> tuple[str, ...]:
    """What must be read before the score is believed."""
    found = []
    split = text(record.result.get("split")) or "test"
    if split == "test" and record.openings != 1:
        times = counted(record.openings, "time") if record.openings else "no time that is on record"
        found.append(f"The test split was opened {times}; it should be exactly once. The score may be too good.")
    share = is_share(record.result.get("metric"))
    trivial = [each for each in _not_beaten(score, baselines) if each.key in _TRIVIAL] if share else []
    if trivial:
        best = max(trivial, key=lambda each: each.value)
        found.append(f"The model is not clearly better than {best.name}: {best.worded}. It has not learned to see.")
    grave = [each for each in record.select("finding") if text(each.get("severity")) == "error"]
    found += [f"The check {text(each.get('rule'))} found a fault: {text(each.get('measured'))}." for each in grave]
    return tuple(dict.fromkeys(found))


def _unscored(record: Record, *, status: str) -> Verdict:
    """The verdict where no score exists yet: why, and what there is instead."""
    label, tone = _STATUS[status]
    stops = [each for each in record.select("finding") if text(each.get("severity")) == "stop"]
    ending = {} if stops else record.ending  # the finding says it better than the error that it raised
    remedy = text(ending.get("remedy"))
    told = (
        closed(text(ending.get("reason"))),
        closed(text(ending.get("happened"))),
        closed(f"What to do: {remedy}") if remedy else "",
        _last_stage(record),
        _best_so_far(record),
    )
    return Verdict(
        status=status,
        label=label,
        tone="bad" if stops else tone,
        before="There is no test score yet.",
        sentences=tuple(each for each in told if each),
        alarms=tuple(dict.fromkeys(map(_stopped_by, stops))),
    )


def _stopped_by(finding: Event) -> str:
    """What a finding saw, what it expected, and what to do."""
    expected, remedy = text(finding.get("expected")), text(finding.get("remedy"))
    seen = f"The check {text(finding.get('rule'))} stopped the run: {text(finding.get('measured'))}"
    whole = closed(f"{seen} (expected: {expected})" if expected else seen)
    return f"{whole} {closed(f'What to do: {remedy}')}" if remedy else whole


def _last_stage(record: Record) -> str:
    stages = [stage for event in record.events if (stage := text(event.get("stage"))) not in {"", "run"}]
    return f"The journal ends in the stage {stages[-1]}." if stages else ""


def _best_so_far(record: Record) -> str:
    models = [event for event in record.models() if score_of(event) is not None]
    if not models:
        return "No usable model is on disk yet."
    score = score_of(models[-1])
    assert score is not None
    metric = text(models[-1].get("metric")) or "of the answers right"
    if not is_share(metric):
        return f"The best model on disk so far is {score.name}: {metric} {figure(score.value)}."
    return f"The best model on disk so far, {score.name}, reaches {score.worded} {metric}."
