"""Measured scores with their intervals: the model's own, and those of the baselines beside it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from epochal.report.fields import Event, mapping, number, rows, text
from epochal.report.metric import Metric

_MEAN = ("always answering the mean", "the mean")
_COMMON = ("always guessing the most common class", "most common class")
# What a baseline's name in the journal means: a name for sentences, and one where there is little room.
_BASELINES = {
    "prior": _COMMON,
    "majority": _COMMON,
    "mean": _MEAN,
    "median": ("always answering the median", "the median"),
    "linear": ("a linear model", "linear model"),
    "small": ("a small network", "small network"),
    "chance": ("guessing at random", "chance"),
    "guess": ("guessing at random", "chance"),
}
# The prior is another answer in each task.
_PRIORS = {
    "regression": ("always giving the same value", "one value for all"),
    "multi-label": ("answering how common each class is", "class shares"),
    "segmentation": ("always giving the same mask", "one mask for all"),
}
_TRIVIAL = {"prior", "majority", "mean", "median", "chance", "guess"}  # what needs no image to be right


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A measured score with its interval, where it has one."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    own: bool = False
    short: str = ""  # the name where there is little room
    key: str = ""  # the name as the journal has it
    metric: Metric = field(default_factory=Metric)

    @property
    def worded(self) -> str:
        """The value with its interval.

        >>> Score(name="m", value=0.912, low=0.904, high=0.92).worded.replace(chr(160), " ")
        '91.2 % (90.4 to 92.0)'
        """
        return self.metric.worded(self.value, low=self.low, high=self.high)

    @property
    def trivial(self) -> bool:
        """Whether it needs no image: a model must beat it to be called one."""
        return self.key in _TRIVIAL

    @property
    def worst(self) -> float:
        """The end of the interval that a rival must not reach."""
        end = self.low if self.metric.higher_is_better else self.high
        return self.value if end is None else end


def score_of(event: Event, *, metric: Metric | None = None, name: str = "", own: bool = False) -> Score | None:
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
        metric=metric or Metric(),
    )


def baselines_of(result: Event, *, metric: Metric | None = None) -> list[Score]:
    """The baselines of a result, in the order given, with names a reader understands.

    >>> [b.name for b in baselines_of({"baselines": [{"name": "linear", "value": 0.4}, {"name": "odd"}]})]
    ['a linear model']
    """
    metric = metric or Metric()
    told = result.get("baselines")
    listed = rows(told) or [
        {"name": name, **(mapping(value) or {"value": value})} for name, value in mapping(told).items()
    ]
    found = []
    for each in listed:
        key = text(each.get("name"))
        known, short = _BASELINES.get(key, (key, ""))
        if key in {"prior", "majority"}:
            known, short = _PRIORS.get(metric.task, (known, short))
        score = score_of(each, metric=metric, name=text(each.get("label")) or known)
        if score is not None:
            found.append(replace(score, short=short, key=key))
    return found


def scores_of(result: Event, *, metric: Metric | None = None) -> list[Score]:
    """All scores to draw on one line: the baselines and the model; none where nobody knows which way is up.

    >>> [score.name for score in scores_of({"value": 0.9, "baselines": [{"name": "prior", "value": 0.1}]})]
    ['always guessing the most common class', 'this model']
    """
    metric = metric or Metric()
    own = score_of(result, metric=metric, name="this model", own=True)
    return [] if own is None or metric.higher_is_better is None else [*baselines_of(result, metric=metric), own]


def not_beaten(score: Score, baselines: list[Score]) -> list[Score]:
    """Baselines that lie within the interval of the score, or on its better side.

    >>> rivals = [Score(name="a", value=0.85), Score(name="b", value=0.5)]
    >>> [each.name for each in not_beaten(Score(name="own", value=0.9, low=0.8, high=0.95), rivals)]
    ['a']
    """
    if score.metric.higher_is_better is None:
        return []
    return [each for each in baselines if not score.metric.better(score.worst, than=each.value)]


def best_of(scores: list[Score]) -> Score | None:
    """The best of some scores of one metric.

    >>> best_of([Score(name="a", value=0.5), Score(name="b", value=0.7)]).name
    'b'
    """
    if not scores:
        return None
    value = scores[0].metric.best(each.value for each in scores)
    return next((each for each in scores if each.value == value), None)
