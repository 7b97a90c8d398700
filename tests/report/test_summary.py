from __future__ import annotations

from epochal.report.summary import summary
from epochal.report.wording import GAP
from report.clock import Event


def test_the_verdict_in_a_few_lines(events: list[Event]) -> None:
    """Status, score with its interval, baselines, checks, time."""
    assert [line.replace(GAP, " ") for line in summary(events)] == [
        "Finished.",
        "On 5,000 test images never used for any choice the model is right for 91.2 % (90.4 to 92.0).",
        "Always guessing the most common class: 10.0 %; a linear model: 39.8 %; a small network: 62.4 %.",
        "Checks: 9 of 10 rules passed; findings of split-overlap.",
        "Time: 9 min 44 s of 10 min (97.3 %).",
    ]


def test_alarms_are_lines_of_their_own() -> None:
    """What must be read before the score is believed begins with a word that says so."""
    lines = summary([{"kind": "result", "value": 0.5, "samples": 10}])
    assert [line for line in lines if line.startswith("Attention: The test split was opened no time")]


def test_names_cannot_move_the_cursor() -> None:
    """Control characters of a stranger's file name are not sent to the terminal."""
    finding = {"kind": "finding", "rule": "r", "severity": "stop", "measured": "bad\x1b[2Jname\r\n"}
    assert not any(ord(letter) < 32 for line in summary([finding]) for letter in line)


def test_an_empty_journal_is_no_error() -> None:
    """There is always something to say."""
    assert summary([])[:2] == ["Not finished.", "There is no test score yet."]
