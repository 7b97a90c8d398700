"""What a run came to, in words: one judgement, from which the page and the terminal both quote."""

from __future__ import annotations

from dataclasses import dataclass

from epochal.report.fields import Event, number, text
from epochal.report.metric import Metric
from epochal.report.record import Record
from epochal.report.scores import Score, baselines_of, best_of, not_beaten, score_of
from epochal.report.wording import closed, count, counted, percent

_STATUS = {
    "finished": ("Finished", "good"),
    "stopped": ("Stopped by a check", "bad"),
    "budget": ("Budget ended, best so far kept", "warn"),
    "interrupted": ("Interrupted", "warn"),
    "failed": ("Ended by an error", "bad"),
    "open": ("Not finished", "warn"),
}
_ERRORS = {"CheckFailed": "stopped", "BudgetError": "budget"}


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
    metric = Metric.of(record)
    score = score_of(record.result, metric=metric, name="this model", own=True)
    if score is None:
        return _unscored(record, status=status)
    baselines = baselines_of(record.result, metric=metric)
    alarms = _alarms(record, score=score, baselines=baselines)
    interval = metric.between(score.low, score.high)
    return Verdict(
        status=status,
        label=label,
        tone="bad" if alarms else tone,
        before=f"On {_population(record)} the model {metric.headline}",
        figure=metric.show(score.value),
        after=f" ({interval})." if interval else ".",
        sentences=_comparison(record.result, score=score, baselines=baselines),
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
    told = "; ".join(f"{each.name}: {score.metric.show(each.value)}" for each in baselines)
    sentences = [f"{told[0].upper()}{told[1:]}."]
    own = text(result.get("model"))
    same = next((each for each in baselines if own and each.key == own), None)
    if same is not None:
        sentences.append(f"The model is {same.name}: nothing larger was clearly better on the validation images.")
    sentences += _part_of_error(score, baselines=[each for each in baselines if each is not same])
    rival = best_of([each for each in not_beaten(score, baselines) if not each.trivial and each is not same])
    if rival is not None:
        sentences.append(f"On so many images it is not clearly better than {rival.name}, {rival.worded}.")
    return tuple(sentences)


def _part_of_error(score: Score, *, baselines: list[Score]) -> list[str]:
    """What is left of a linear model's error, or else of the best one that needs no image; nothing of other metrics."""
    linear = next((each for each in baselines if each.key == "linear"), None)
    beside = linear or best_of([each for each in baselines if each.trivial])
    if score.metric.higher_is_better is not False or beside is None or not score.value < beside.value:
        return []
    return [f"Its error is {percent(score.value / beside.value)} of that of {beside.name}."]


def _alarms(record: Record, *, score: Score, baselines: list[Score]) -> tuple[str, ...]:
    """What must be read before the score is believed."""
    found = []
    split = text(record.result.get("split")) or "test"
    if split == "test" and record.openings != 1:
        times = counted(record.openings, "time") if record.openings else "no time that is on record"
        found.append(f"The test split was opened {times}; it should be exactly once. The score may be too good.")
    rival = best_of([each for each in not_beaten(score, baselines) if each.trivial])
    if rival is not None:
        found.append(f"The model is not clearly better than {rival.name}: {rival.worded}. It has not learned to see.")
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
    metric = Metric.of(record).told_by(models[-1])
    score = score_of(models[-1], metric=metric)
    assert score is not None
    told = text(models[-1].get("metric")) or "of the answers right"
    if metric.is_share:
        return f"The best model on disk so far, {score.name}, reaches {score.worded} {told}."
    return f"The best model on disk so far is {score.name}: {told} {score.worded}."
