"""The page and the last lines need nothing but the journal."""

from pathlib import Path

from epochal.lines import read_lines
from epochal.stages.folder import RunFolder
from epochal.stages.report import tell_verdict, write_report
from stages.whole import Whole


class Said:
    """Remembers the lines."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        """Remember one."""
        self.lines.append(text)

    def update(self, text: str, *, done: float | None = None) -> None:
        """Forget it."""

    def close(self) -> None:
        """Do nothing."""


def test_the_page_is_drawn_from_the_journal_alone(finished: Whole, tmp_path: Path) -> None:
    """A folder that holds the journal and nothing else gives the page that the run wrote, byte for byte."""
    alone = RunFolder(tmp_path)
    alone.journal.write_bytes(finished.folder.journal.read_bytes())
    write_report(alone)
    assert alone.report.read_bytes() == finished.folder.report.read_bytes()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["journal.jsonl", "report.html"]


def test_the_verdict_states_score_interval_and_baseline(finished: Whole) -> None:
    """A finished message has the score with its interval beside the trivial baseline, and says how to go on."""
    said = Said()
    tell_verdict(finished.folder, read_lines(finished.folder.journal), progress=said)
    told = "\n".join(said.lines)
    result = finished.outcome.result
    assert result is not None
    for share in (result["value"], result["low"], result["high"]):
        assert f"{100 * share:.3g}" in told
    assert "most common class" in told
    assert f"epochal predict {finished.folder.path}" in told
