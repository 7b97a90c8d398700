"""The journal keeps events and the budget's clock over several starts."""

from pathlib import Path

from epochal.recipe.journal import Journal


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Read the clock."""
        return self.now


def test_time_between_two_starts_costs_nothing(tmp_path: Path) -> None:
    """Budget seconds go on where the last event was written, however long nothing ran."""
    clock = Clock()
    journal = Journal(tmp_path / "journal.jsonl", clock=clock)
    assert not journal.resumed
    clock.now += 5
    journal.write("session", stage="run")
    clock.now += 1000
    again = Journal(tmp_path / "journal.jsonl", clock=clock)
    assert again.resumed
    clock.now += 2
    assert again.spent == 7.0


def test_newest_values_win(tmp_path: Path) -> None:
    """A value measured or decided twice is the later one."""
    journal = Journal(tmp_path / "journal.jsonl")
    for value in (1, 2):
        journal.write("measurement", stage="train", name="speed", value=value)
        journal.write("decision", stage="train", key="width", value=value * 10, origin="measured", reason="test")
    assert journal.measured("speed") == 2
    assert journal.decided("width") == 20
    assert journal.measured("absent") is None
    assert journal.decided("absent") is None
    assert len(list(journal.select("measurement", name="speed"))) == 2


def test_a_stage_is_finished_once_it_said_so(tmp_path: Path) -> None:
    """Only the end event counts: a stage that began and was killed runs again."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("stage", stage="inspect", event="begin")
    assert not journal.finished("inspect")
    journal.write("stage", stage="inspect", event="end")
    assert Journal(tmp_path / "journal.jsonl").finished("inspect")
