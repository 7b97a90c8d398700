from __future__ import annotations

import pytest

from epochal.report.metric import Metric
from epochal.report.scores import Score, baselines_of, best_of, not_beaten, score_of, scores_of

ERROR = Metric(task="regression", name="mean absolute error", higher_is_better=False, unit="")
RESULT = {
    "value": 0.9,
    "baselines": [{"name": "prior", "value": 0.1, "low": 0.08, "high": 0.12}, {"name": "linear", "value": 0.4}],
}


def test_baselines_may_be_a_list_or_a_mapping() -> None:
    """Both spellings of summary.json are read; what has no value is left out."""
    assert [each.name for each in baselines_of({"baselines": {"prior": 0.1, "mine": {"value": 0.2}}})] == [
        "always guessing the most common class",
        "mine",
    ]
    assert [each.value for each in scores_of(RESULT)] == [0.1, 0.4, 0.9]
    assert score_of({"value": "nan"}) is None


@pytest.mark.parametrize(
    ("task", "short"),
    [
        ("classification", "most common class"),
        ("multi-label", "class shares"),
        ("regression", "one value for all"),
        ("segmentation", "one mask for all"),
    ],
)
def test_the_answer_that_needs_no_image_has_a_name_in_each_task(task: str, short: str) -> None:
    """The prior is a class, shares, a value or a mask."""
    (prior,) = baselines_of({"baselines": [{"name": "prior", "value": 0.1}]}, metric=Metric(task=task))
    assert prior.short == short
    assert prior.trivial


def test_a_label_of_the_journal_wins() -> None:
    """Whoever wrote the journal may know a better name."""
    (mine,) = baselines_of({"baselines": [{"name": "prior", "label": "always 5", "value": 1.0}]}, metric=ERROR)
    assert (mine.name, mine.trivial) == ("always 5", True)


def test_lower_errors_beat_higher_ones() -> None:
    """A baseline is not beaten where its error lies below the upper end of the model's interval."""
    own = Score(name="own", value=0.5, low=0.4, high=0.6, metric=ERROR)
    rivals = [Score(name=str(value), value=value, metric=ERROR) for value in (0.3, 0.55, 0.6, 0.7)]
    assert [each.name for each in not_beaten(own, rivals)] == ["0.3", "0.55", "0.6"]
    best = best_of(rivals)
    assert best is not None
    assert best.value == 0.3


def test_higher_shares_beat_lower_ones() -> None:
    """The same the other way round, down to the lower end."""
    own = Score(name="own", value=0.5, low=0.4, high=0.6)
    rivals = [Score(name=str(value), value=value) for value in (0.3, 0.4, 0.45, 0.7)]
    assert [each.name for each in not_beaten(own, rivals)] == ["0.4", "0.45", "0.7"]
    assert best_of([]) is None


def test_without_a_direction_nothing_is_drawn_or_compared() -> None:
    """Scores of an unknown metric are not put on a line on which one side is better."""
    unknown = Metric(name="rmse", higher_is_better=None, unit="")
    assert scores_of(RESULT, metric=unknown) == []
    own = Score(name="own", value=1.0, metric=unknown)
    assert not_beaten(own, [own]) == []
