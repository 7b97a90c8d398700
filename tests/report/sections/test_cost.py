from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.report.record import Record
from epochal.report.sections.cost import CostView, _spent, build
from epochal.report.wording import GAP
from report.clock import Event


def stage(name: str, event: str, at: float, **fields: object) -> Event:
    """A stage event."""
    return {"kind": "stage", "stage": name, "event": event, "at": at, **fields}


def seen(*events: Event) -> CostView:
    """The section for these events."""
    view = build(Record.of(events))
    assert view is not None
    return view


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["inspect", "train"]), st.sampled_from(["begin", "end", "skipped"]), st.floats(0, 100)
        )
    )
)
def test_the_parts_make_the_whole(told: list[tuple[str, str, float]]) -> None:
    """Every second on the journal's clock belongs to exactly one stage or to the time between."""
    told.sort(key=lambda each: each[2])
    spent, _ = _spent(Record.of([stage(*each) for each in told]))
    assert sum(spent.values()) == pytest.approx(told[-1][2] if told else 0.0)


def test_a_killed_stage_keeps_its_time() -> None:
    """A stage that was killed, and went on in a second start, has the time of both."""
    view = seen(
        stage("train", "begin", 0.0),
        {"kind": "epoch", "stage": "train", "at": 40.0},
        {"kind": "session", "stage": "run", "at": 40.0},
        stage("train", "begin", 42.0),
        stage("train", "end", 60.0),
    )
    assert [(row.name, row.seconds.replace(GAP, " ")) for row in view.stages] == [
        ("train", "58 s"),
        ("between stages", "2.0 s"),
    ]


def test_an_open_stage_says_so() -> None:
    """A stage without an end was not finished, a skipped one tells its reason and has no time."""
    view = seen(
        stage("train", "begin", 0.0),
        {"kind": "epoch", "at": 30.0},
        stage("squeeze", "skipped", 30.0, reason="no time is left"),
    )
    assert [(row.name, row.note) for row in view.stages] == [
        ("train", "not finished"),
        ("squeeze", "skipped: no time is left"),
    ]
    assert view.stages[1].seconds == "–"


def test_an_overrun_is_marked() -> None:
    """More than 1.05 times the budget breaks the promise and is said; less is not."""
    budget = {"kind": "session", "budget_seconds": 100.0, "at": 0.0}
    assert seen(budget, stage("train", "begin", 0.0), stage("train", "end", 106.0)).over
    assert not seen(budget, stage("train", "begin", 0.0), stage("train", "end", 104.0)).over


def test_no_stage_is_no_section() -> None:
    """A journal that holds no time has no cost."""
    assert build(Record.of([])) is None
