from __future__ import annotations

from epochal.report.record import Record
from epochal.report.sections.checks import ChecksView, build
from report.clock import Event
from report.markup import Page

FINDING: Event = {
    "kind": "finding",
    "rule": "leak",
    "severity": "error",
    "where": "a.jpg",
    "measured": "1 image",
    "remedy": "delete it",
}
PASS: Event = {"kind": "check", "rule": "tiny-class", "passed": True, "tips": ["K1.4"]}


def seen(*events: Event) -> ChecksView:
    """The section for these events."""
    view = build(Record.of(events))
    assert view is not None
    return view


def test_every_rule_is_shown(events: list[Event], page: Page) -> None:
    """Findings as cards with remedy and tips, passes in a table, and what was not checked."""
    rules = {event["rule"] for event in events if event["kind"] == "check" and "rule" in event}
    shown = page.all("section", id="checks")[0].text
    assert all(rule in shown for rule in rules)
    assert "delete the copy in train; it was left out of this run" in shown
    assert "labels by a second person (K2.6)" in shown


def test_a_rule_with_a_finding_is_no_pass() -> None:
    """The check event of a rule that found something is not listed again."""
    view = seen(FINDING, {"kind": "check", "rule": "leak", "passed": False}, PASS)
    assert [each.rule for each in view.findings] == ["leak"]
    assert [each.rule for each in view.passes] == ["tiny-class"]
    assert view.lead == "1 of 2 rules passed; 1 finding."


def test_a_failed_check_without_finding_is_not_lost() -> None:
    """A rule that says no is shown, even where its finding is missing from the journal."""
    assert [each.severity for each in seen({**PASS, "passed": False}).findings] == ["warning"]


def test_the_gravest_stands_first() -> None:
    """Stop before error before warning before note, and what nobody knows last."""
    order = ["note", "stop", "of-the-future", "warning", "error"]
    view = seen(*({**FINDING, "rule": severity, "severity": severity} for severity in order))
    assert [each.severity for each in view.findings] == ["stop", "error", "warning", "note", "of-the-future"]


def test_a_finding_told_again_counts_once() -> None:
    """A resumed run examines again; the same fault at the same place is one finding."""
    assert len(seen(FINDING, FINDING, {**FINDING, "where": "b.jpg"}).findings) == 2


def test_no_rule_is_no_section() -> None:
    """Without rules there is nothing to show; a list of what was not checked is worth a section."""
    assert build(Record.of([])) is None
    assert seen({"kind": "check", "not_checked": ["labels"]}).not_checked == ("labels",)
