"""The test split is opened once, and all that the score must be seen beside stands beside it."""

import csv
import json

import numpy as np
import pytest

from epochal.recipe.journal import Journal
from epochal.stages.adoption import consider
from epochal.stages.baseline import fit_baselines
from epochal.stages.evaluate import evaluate, seconds_to_evaluate
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from epochal.stats.intervals import wilson
from stages.striped import CLASSES
from stages.whole import Whole, copied, inspected_on

PROMISED = {
    "task", "metric", "value", "low", "high", "split", "samples", "baselines", "budget_seconds", "spent_seconds",
    "seed", "versions",
}  # fmt: skip


def test_the_summary_has_every_promised_key(finished: Whole) -> None:
    """`summary.json` is read by machines: its keys are a contract; the journal holds the same."""
    summary = json.loads(finished.folder.summary.read_text(encoding="utf-8"))
    assert summary.keys() >= PROMISED
    assert summary == finished.outcome.result
    assert (summary["task"], summary["metric"], summary["split"]) == ("classification", "accuracy", "test")
    assert (summary["samples"], summary["seed"]) == (40, 0)
    assert [each["name"] for each in summary["baselines"]] == ["prior", "linear", "small"]
    assert all({"value", "low", "high"} <= each.keys() for each in summary["baselines"])


def test_the_test_split_was_opened_once(finished: Whole) -> None:
    """One opening in the journal, by the evaluation, after everything was settled."""
    journal = Journal(finished.folder.journal)
    (opened,) = journal.select("opened")
    assert (opened["split"], opened["count"], opened["stage"]) == ("test", 1, "evaluate")
    assert finished.outcome.result is not None
    assert finished.outcome.result["test_openings"] == 1
    kinds = [event["kind"] for event in journal.events]
    assert {"decision", "model"}.isdisjoint(kinds[kinds.index("opened") :])


def test_the_score_is_that_of_the_written_predictions(finished: Whole) -> None:
    """Counted again from predictions.csv, every test file once, with Wilson's interval."""
    with finished.folder.predictions.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["file"] for row in rows) == sorted(
        f"test/{CLASSES[number % 2]}/{number:03d}.png" for number in range(40)
    )
    for row in rows:
        assert row["file"].split("/")[1] == row["label"]
        assert int(row["right"]) == (row["label"] == row["predicted"])
        assert 0.5 <= float(row["probability"]) <= 1
    right = sum(int(row["right"]) for row in rows)
    expected = wilson(right, len(rows))
    result = finished.outcome.result
    assert result is not None
    assert (result["value"], result["low"], result["high"]) == (expected.value, expected.low, expected.high)


def test_findings_are_written_for_machines(finished: Whole) -> None:
    """One object per finding, with what was measured, expected, and what to do."""
    findings = json.loads(finished.folder.findings.read_text(encoding="utf-8"))
    journal = Journal(finished.folder.journal)
    assert len(findings) == len(list(journal.select("finding")))
    for finding in findings:
        assert finding.keys() >= {"rule", "code", "severity", "where", "measured", "expected", "remedy"}


def test_the_details_agree_with_the_score(finished: Whole) -> None:
    """Confusions and per-class figures count the same samples."""
    event = Journal(finished.folder.journal).last("result")
    assert event is not None
    counts = np.array(event["details"]["confusion"]["counts"])
    assert counts.sum() == 40
    assert np.trace(counts) / counts.sum() == event["value"]
    assert [each["support"] for each in event["details"]["per_class"]] == [20, 20]
    assert event["details"]["gain_over_linear"].keys() == {"value", "low", "high"}


def _ready(begun: tuple[Session, Inspected]) -> tuple[Session, Inspected]:
    fit_baselines(*begun)
    return begun


def test_a_killed_evaluation_is_counted(begun: tuple[Session, Inspected], finished: Whole) -> None:
    """The second attempt opens the split a second time, and the summary says so instead of hiding it."""
    session, inspected = _ready(begun)
    inspected.splits.test.open("the final score")  # and then it was killed
    evaluate(session, inspected)
    summary = json.loads(session.folder.summary.read_text(encoding="utf-8"))
    assert summary["test_openings"] == 2


def test_done_once_it_is_not_done_again(begun: tuple[Session, Inspected]) -> None:
    """A later call opens nothing and writes nothing."""
    session, inspected = _ready(begun)
    evaluate(session, inspected)
    before = len(session.journal.events)
    evaluate(session, inspected)
    assert len(session.journal.events) == before


def test_disputed_samples_are_shown_with_both_opinions(begun: tuple[Session, Inspected]) -> None:
    """The pictures on which label and prediction disagree carry the file, the label and what was predicted."""
    session, inspected = _ready(begun)
    linear = session.folder.baseline("linear")
    session.folder.model.unlink()
    consider(session, inspected, name="linear", path=linear)
    evaluate(session, inspected)
    result = session.journal.last("result")
    picture = session.journal.last("picture", name="errors")
    assert result is not None
    wrong = round((1 - result["value"]) * result["samples"])
    assert wrong > 0  # a linear model knows nothing of stripes
    assert picture is not None
    assert len(picture["cells"]) == min(wrong, 32)
    for cell in picture["cells"]:
        label, predicted = cell["label"].split(" → ")
        assert label != predicted
        assert cell["text"].startswith(f"test/{label}/")


def test_a_carved_test_split_is_called_so(begun: tuple[Session, Inspected]) -> None:
    """The summary tells a split of one's own from one that was carved."""
    session, inspected = _ready(begun)
    evaluate(session, inspected)
    summary = json.loads(session.folder.summary.read_text(encoding="utf-8"))
    assert summary["split_origin"] == "its own folder"


@pytest.mark.parametrize("slower", [2.0, 10.0])
def test_slower_machines_reserve_more_time(begun: tuple[Session, Inspected], slower: float) -> None:
    """What is kept for the final score grows with the time that a pass takes."""
    session, inspected = begun
    fast = seconds_to_evaluate(session, inspected, images_per_second=1000.0)
    assert seconds_to_evaluate(session, inspected, images_per_second=1000.0 / slower) > fast > 0


def test_scores_of_a_copied_run_are_the_same(finished: Whole, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Evaluated again from its files alone, the model gets the score that it got."""
    folder = copied(finished.folder, tmp_path_factory.mktemp("again"))
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if b'"stage": "evaluate"' not in line]
    folder.journal.write_bytes(b"".join(kept))
    session, inspected = inspected_on(finished.data, folder)
    evaluate(session, inspected)
    result = session.journal.last("result")
    assert result is not None
    assert finished.outcome.result is not None
    assert result["value"] == finished.outcome.result["value"]
    assert result["nll"] == pytest.approx(finished.outcome.result["nll"], rel=1e-5)
