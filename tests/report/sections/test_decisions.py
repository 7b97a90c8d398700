from __future__ import annotations

from epochal.report.record import Record
from epochal.report.sections.decisions import Decision, DecisionsView, build
from epochal.report.wording import GAP
from report.clock import Event
from report.markup import Page


def seen(*events: Event) -> DecisionsView:
    """The section for these events."""
    view = build(Record.of(events))
    assert view is not None
    return view


def decision(**fields: object) -> Decision:
    """One decision as it is shown."""
    view = seen(
        {"kind": "decision", "key": "optimizer.lr", "value": 0.4, "origin": "measured", "reason": "by rule", **fields}
    )
    return (*view.chosen, *view.defaults)[0]


def test_every_decision_is_shown_with_its_origin(events: list[Event], page: Page) -> None:
    """Each key of the journal stands in the section, with a badge for where its value came from."""
    keys = {event["key"] for event in events if event["kind"] == "decision"}
    assert all(key in page.all("section", id="decisions")[0].text for key in keys)
    assert {each.text for each in page.all("span", class_="origin measured")} == {"measured"}
    assert {each.text for each in page.all("span", class_="origin user")} == {"yours"}


def test_defaults_stand_apart() -> None:
    """What was measured or set is read first; defaults are many and folded away."""
    view = seen(
        *(
            {"kind": "decision", "key": origin, "value": 1, "origin": origin}
            for origin in ("default", "user", "measured")
        )
    )
    assert [each.key for each in view.chosen] == ["user", "measured"]
    assert [each.key for each in view.defaults] == ["default"]
    assert view.lead == "3 values: 1 yours, 1 measured, 1 default."


def test_a_revised_value_remembers_the_one_before() -> None:
    """A rate that was divided after a divergence shows what it was."""
    told = {"kind": "decision", "key": "optimizer.lr", "origin": "measured"}
    view = seen({**told, "value": 0.4}, {**told, "value": 0.1})
    assert (view.chosen[0].value, view.chosen[0].earlier) == ("0.1", ("0.4",))


def test_evidence_of_any_shape_is_shown() -> None:
    """Named values keep their names, lists their order, a word is a word."""
    assert decision(evidence={"images_per_second": 1042}).evidence == (("images per second", "1042"),)
    assert decision(evidence=["a", "b"]).evidence == (("", "a"), ("", "b"))
    assert decision(evidence="a word").evidence == (("", "a word"),)
    assert decision(evidence=None).evidence == ()


def test_trials_make_a_table() -> None:
    """Evidence that is a list of trials has a head and a row for each; columns without a word are gone."""
    trials = [
        {"precision": "fp32", "seconds_per_step": 0.0170971, "note": ""},
        {"precision": "bf16", "sound": False, "note": None},
    ]
    shown = decision(evidence=trials)
    assert shown.evidence == ()
    assert shown.trials == (("precision", "seconds per step", "sound"), ("fp32", "0.0171", ""), ("bf16", "", "no"))


def test_models_tell_what_they_replaced() -> None:
    """A model that was not adopted is shown as such, and does not count as the first usable one."""
    model = {"kind": "model", "name": "linear", "metric": "validation accuracy", "value": 0.4, "at": 12.0}
    view = seen(
        {"kind": "session", "budget_seconds": 600},
        {**model, "adopted": False, "at": 3.0},
        {**model, "replaced": "prior"},
    )
    assert [each.adopted for each in view.models] == [False, True]
    assert view.models[1].replaced == "prior"
    assert view.first_model.replace(GAP, " ").startswith(
        "The first usable model was on disk after 12 s, 2.0 % of the budget."
    )


def test_the_task_comes_first() -> None:
    """What the run is about is decided before all else, and read before it."""
    told = [{"kind": "decision", "key": key, "value": 1, "origin": "measured"} for key in ("network.width", "task")]
    assert [each.key for each in seen(*told).chosen] == ["task", "network.width"]


def test_models_are_scored_in_the_metric_of_the_run() -> None:
    """An error has its name and unit, a share is per cent."""
    told = {"name": "regression", "metric": "mean absolute error", "higher_is_better": False, "unit": "px"}
    task = {"kind": "measurement", "name": "task", "value": told}
    model = {"kind": "model", "name": "linear", "metric": "validation mean absolute error", "value": 1.25}
    assert seen(task, model).models[0].score.replace(GAP, " ") == "validation mean absolute error 1.25 px"


def test_no_decision_is_no_section() -> None:
    """Without decisions and models there is nothing to show."""
    assert build(Record.of([])) is None
