from __future__ import annotations

import pytest

from epochal.report.record import Record
from epochal.report.verdict import judge, status_of
from epochal.report.wording import GAP
from report.clock import Event

OPENED: Event = {"kind": "opened", "split": "test", "count": 1}
RESULT: Event = {
    "kind": "result",
    "metric": "accuracy",
    "value": 0.9,
    "low": 0.88,
    "high": 0.92,
    "split": "test",
    "samples": 1000,
    "baselines": [{"name": "prior", "value": 0.1, "low": 0.08, "high": 0.12}, {"name": "linear", "value": 0.4}],
}
STOP: Event = {
    "kind": "finding",
    "rule": "cannot-overfit",
    "severity": "stop",
    "measured": "loss 2.1",
    "expected": "0.01",
    "remedy": "look",
}


def test_a_clean_run_has_no_alarm() -> None:
    """A score above its baselines on a split opened once is said plainly."""
    verdict = judge(Record.of([OPENED, RESULT]))
    assert (verdict.status, verdict.tone, verdict.alarms) == ("finished", "good", ())
    assert verdict.headline.replace(GAP, " ").endswith("the model is right for 90.0 % (88.0 to 92.0).")


def test_a_chance_level_model_cannot_look_like_success() -> None:
    """A model whose interval reaches down to a baseline is called so, and the run is not shown as good."""
    verdict = judge(Record.of([OPENED, {**RESULT, "value": 0.11, "low": 0.09, "high": 0.13}]))
    assert verdict.tone == "bad"
    assert "not clearly better than always guessing the most common class" in verdict.alarms[0]


def test_a_rival_that_learned_is_named_without_alarm() -> None:
    """That a small network may be as good as the large one is worth a sentence, not a warning."""
    small = {"name": "small", "value": 0.89, "low": 0.87, "high": 0.91}
    verdict = judge(Record.of([OPENED, {**RESULT, "baselines": [*RESULT["baselines"], small]}]))
    assert (verdict.tone, verdict.alarms) == ("good", ())
    assert "not clearly better than a small network, 89.0 % (87.0 to 91.0)." in verdict.sentences[1].replace(GAP, " ")


def test_a_baseline_that_won_is_not_its_own_rival() -> None:
    """Where the linear model is the model, it is said so, and not compared with itself."""
    verdict = judge(Record.of([OPENED, {**RESULT, "model": "linear", "value": 0.4, "low": 0.37, "high": 0.43}]))
    assert verdict.sentences[1:] == (
        "The model is a linear model: nothing larger was clearly better on the validation images.",
    )


@pytest.mark.parametrize("times", [0, 2, 3])
def test_anything_but_one_opening_is_an_alarm(times: int) -> None:
    """A test split opened more than once, or a score that no opening explains, is not trusted."""
    verdict = judge(Record.of([OPENED] * times + [RESULT]))
    assert (f"opened {times} times" if times else "opened no time that is on record") in verdict.alarms[0]
    assert ("never used for any choice" in verdict.headline) == (times < 2)


def test_a_validation_score_says_what_it_is() -> None:
    """A score on images that chose the model does not claim to be unseen."""
    assert "which also served to choose the model" in judge(Record.of([{**RESULT, "split": "val"}])).headline


def test_other_metrics_are_not_per_cent() -> None:
    """An error in pixels is a figure with an interval; it is not compared as a share."""
    verdict = judge(
        Record.of([OPENED, {**RESULT, "metric": "rmse", "value": 3.25, "low": 3.0, "high": 3.5, "baselines": []}])
    )
    assert verdict.headline.endswith("the model reaches rmse 3.25 (3 to 3.5).")
    assert verdict.alarms == ()


ERROR: Event = {
    "kind": "result",
    "task": "regression",
    "metric": "mean absolute error",
    "higher_is_better": False,
    "unit": "",
    "value": 0.21,
    "low": 0.19,
    "high": 0.24,
    "samples": 220,
    "baselines": [{"name": "prior", "value": 2.5}, {"name": "linear", "value": 1.4}, {"name": "small", "value": 0.6}],
}


def test_an_error_is_the_better_the_smaller() -> None:
    """Baselines are compared the right way round, and what is left of the linear model's error is said."""
    verdict = judge(Record.of([OPENED, ERROR]))
    assert verdict.headline.endswith("never used for any choice the model is on average off by 0.21 (0.19 to 0.24).")
    assert [each.replace(GAP, " ") for each in verdict.sentences] == [
        "Always giving the same value: 2.5; a linear model: 1.4; a small network: 0.6.",
        "Its error is 15.0 % of that of a linear model.",
    ]
    assert (verdict.tone, verdict.alarms) == ("good", ())


def test_an_error_that_no_image_helped_is_an_alarm() -> None:
    """An interval that reaches up to the error of a constant is not success, however small the number."""
    verdict = judge(Record.of([OPENED, {**ERROR, "value": 2.4, "low": 2.2, "high": 2.6}]))
    assert verdict.tone == "bad"
    assert "not clearly better than always giving the same value" in verdict.alarms[0]
    assert not any("Its error is" in each for each in verdict.sentences if "linear" in each)
    assert "not clearly better than a small network, 0.6." in verdict.sentences[-1]


@pytest.mark.parametrize(
    ("task", "metric", "told"),
    [
        ("segmentation", "mean IoU", "the model reaches a mean IoU of 57.0 %"),
        ("multi-label", "mean average precision", "the model reaches a mean average precision of 57.0 %"),
        ("of-the-future", "sharpness", "the model reaches sharpness 57.0 %"),
    ],
)
def test_other_shares_are_called_by_name(task: str, metric: str, told: str) -> None:
    """Only accuracy is being right; other shares have their names."""
    result = {**RESULT, "task": task, "metric": metric, "higher_is_better": True, "unit": "share", "value": 0.57}
    assert told in judge(Record.of([OPENED, result])).headline.replace(GAP, " ")


def test_models_without_a_score_of_the_test_are_told_in_their_metric() -> None:
    """The best so far has the unit of the run's metric."""
    told = {"name": "regression", "metric": "mean absolute error", "higher_is_better": False, "unit": "px"}
    task = {"kind": "measurement", "name": "task", "value": told}
    model = {"kind": "model", "name": "linear", "metric": "validation mean absolute error", "value": 1.25}
    assert judge(Record.of([task, model])).sentences[-1].replace(GAP, " ") == (
        "The best model on disk so far is linear: validation mean absolute error 1.25 px."
    )


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([], "open"),
        ([{"kind": "session"}], "open"),
        ([STOP], "stopped"),
        ([RESULT], "finished"),
        ([STOP, RESULT], "finished"),
        ([RESULT, {"kind": "end", "status": "budget"}], "budget"),
        ([{"kind": "stop", "error": "CheckFailed"}], "stopped"),
        ([{"kind": "stop", "error": "BudgetError"}], "budget"),
        ([{"kind": "stop", "error": "RunError"}], "failed"),
        ([{"kind": "end", "status": "interrupted"}], "interrupted"),
        ([{"kind": "end", "status": "interrupted"}, {"kind": "session"}], "open"),
        ([{"kind": "end", "status": "of a later version"}], "open"),
    ],
)
def test_the_status_follows_the_journal(events: list[Event], status: str) -> None:
    """The last start's own word counts, then the result, then findings that stop."""
    assert status_of(Record.of(events)) == status


def test_a_stopped_run_says_what_to_do() -> None:
    """The check that stopped it is named with value, expectation and remedy."""
    verdict = judge(Record.of([{"kind": "session", "stage": "run"}, STOP]))
    assert verdict.headline == "There is no test score yet."
    assert verdict.alarms == ("The check cannot-overfit stopped the run: loss 2.1 (expected: 0.01). What to do: look.",)


def test_a_finding_that_ruins_the_score_stands_beside_it() -> None:
    """An error among the findings is an alarm; a stop that the run survived and a warning are not."""
    findings = [{**STOP, "severity": severity, "rule": severity} for severity in ("stop", "error", "warning")]
    alarms = judge(Record.of([OPENED, *findings, RESULT])).alarms
    assert len(alarms) == 1
    assert "The check error found a fault" in alarms[0]


def test_what_is_on_disk_is_told_without_a_score() -> None:
    """An interrupted run names its stage and the best model that can be used."""
    model = {"kind": "model", "stage": "baseline", "name": "linear", "metric": "validation accuracy", "value": 0.4}
    sentences = judge(Record.of([model, {**model, "name": "worse", "value": 0.3, "adopted": False}])).sentences
    assert sentences[0] == "The journal ends in the stage baseline."
    assert (
        sentences[1].replace(GAP, " ") == "The best model on disk so far, linear, reaches 40.0 % validation accuracy."
    )
