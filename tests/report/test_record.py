from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from epochal.report.record import Record, rewound
from report.clock import Event


def epoch(number: float, loss: float) -> Event:
    """An epoch of the train stage."""
    return {"kind": "epoch", "stage": "train", "number": number, "train_loss": loss}


def series(x: list[float], y: list[object], name: str = "train.loss") -> Event:
    """A piece of a step-level curve."""
    return {"kind": "series", "name": name, "x": x, "y": y, "unit": "nats"}


def test_the_newest_measurement_holds() -> None:
    """A value measured twice is the one measured last."""
    record = Record.of([{"kind": "measurement", "name": "n", "value": value} for value in (1, 2)])
    assert record.measured("n") == 2


def test_an_epoch_told_again_replaces_what_came_after() -> None:
    """A killed run repeats its unfinished epochs, a diverged one begins anew; neither leaves its ghost in the curve."""
    record = Record.of([epoch(1, 2.0), epoch(2, 1.5), epoch(3, 99.0), epoch(2, 1.4)])
    assert [event["train_loss"] for event in record.epochs()["train"]] == [2.0, 1.4]


def test_fits_stay_apart() -> None:
    """Epochs belong to the fit they name, or to their stage."""
    record = Record.of(
        [epoch(1, 2.0), {**epoch(1, 3.0), "stage": "baseline"}, {**epoch(1, 4.0), "fit": "baseline.small"}]
    )
    assert list(record.epochs()) == ["train", "baseline", "baseline.small"]


def test_pieces_make_one_curve() -> None:
    """A series is put together in order; a piece that goes back replaces the rest; what is not finite is missing."""
    (curve,) = Record.of([series([0, 1, 2], [3.0, 2.0, 99.0]), series([2, 3], [1.5, "nan"])]).curves()
    assert list(curve.x) == [0, 1, 2, 3]
    assert list(curve.y) == [3.0, 2.0, 1.5, None]
    assert curve.unit == "nats"


@given(st.lists(st.integers(0, 20)))
def test_rewinding_leaves_rising_places(places: list[int]) -> None:
    """Whatever the order of telling, the kept places rise, and the last one told is the last one kept."""
    kept = [event["n"] for event in rewound([{"n": place} for place in places], key="n")]
    assert kept == sorted(set(kept))  # type: ignore[type-var]
    assert kept[-1:] == places[-1:]


def test_the_result_brings_its_details_along() -> None:
    """Details stand beside the score; where both say something the score's own word holds."""
    result = Record.of([{"kind": "result", "value": 0.9, "nll": 0.3, "details": {"nll": 0.4, "per_class": []}}]).result
    assert (result["nll"], result["per_class"]) == (0.3, [])


def test_the_budget_is_found_wherever_it_was_told() -> None:
    """In the result, at a start, in what was asked for, or in a decision."""
    tellers: list[Event] = [
        {"kind": "result", "budget_seconds": 60},
        {"kind": "session", "budget_seconds": 60},
        {"kind": "session", "request": {"settings": {"budget_seconds": 60}}},
        {"kind": "decision", "key": "budget_seconds", "value": 60},
    ]
    assert [Record.of([teller]).budget for teller in tellers] == [60.0] * 4
    assert Record.of([]).budget is None


def test_openings_are_never_undercounted() -> None:
    """The count in an event holds, unless there are more events than it says."""
    opened = {"kind": "opened", "split": "test", "count": 1}
    assert Record.of([]).openings == 0
    assert Record.of([opened]).openings == 1
    assert Record.of([opened, opened]).openings == 2
    assert Record.of([{**opened, "count": 3}]).openings == 3
    assert Record.of([{**opened, "split": "val"}]).openings == 0


def test_a_new_start_forgets_an_old_end() -> None:
    """An ended run that was taken up again goes on, until it says otherwise; one with a result stays ended."""
    end, start = {"kind": "end", "status": "interrupted"}, {"kind": "session"}
    assert Record.of([start, end]).ending == end
    assert Record.of([start, end, start]).ending == {}
    assert Record.of([start, {"kind": "result", "value": 1.0}, end, start]).ending == end


def test_models_that_were_not_adopted_do_not_count() -> None:
    """The first usable model is the first that was put on disk."""
    tried = {"kind": "model", "name": "a", "at": 3.0, "adopted": False}
    record = Record.of([tried, {**tried, "at": 9.0, "adopted": True}])
    assert record.first_model_at == 9.0


def test_a_series_says_what_it_runs_along() -> None:
    """Nothing unless told; the word of the last piece that has one holds."""
    piece = {"kind": "series", "name": "train.lr_planned", "x": [0.0], "y": [1.0]}
    (steps,) = Record.of([piece]).curves()
    (share,) = Record.of([{**piece, "over": "progress"}, {**piece, "x": [0.5]}]).curves()
    assert (steps.over, share.over) == ("", "progress")
