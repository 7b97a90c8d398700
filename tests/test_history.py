"""A history holds series over steps, on disk and in memory."""

from pathlib import Path

from epochal.history import History


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    """The file holds exactly the series in memory, NaN included."""
    history = History.open(tmp_path / "deep" / "train.jsonl")
    history.append(step=0, loss=2.5, lr=0.1)
    history.append(step=1, loss=float("nan"))
    history.close()
    again = History.read(tmp_path / "deep" / "train.jsonl")
    assert again.names() == ["loss", "lr"]
    assert again.steps("loss") == [0, 1]
    assert again.values("loss")[0] == 2.5
    assert again.values("loss")[1] != again.values("loss")[1]
    assert again.values("absent") == []


def test_steps_written_twice_count_once(tmp_path: Path) -> None:
    """A resumed run repeats steps that the killed one had logged: the later values stand."""
    path = tmp_path / "train.jsonl"
    history = History.open(path)
    for step in range(4):
        history.append(step=step, loss=float(step))
    history.close()
    history = History.open(path)
    history.rewind(2)
    history.append(step=2, loss=20.0)
    history.flush()
    history.close()
    assert History.read(path).values("loss") == [0.0, 1.0, 20.0]
