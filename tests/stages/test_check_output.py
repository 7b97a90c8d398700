"""Facts about the formats of a verdict: each can be read back by what it is for."""

import json
from xml.etree import ElementTree as ET

from epochal.findings import Finding, Severity
from epochal.stages.check_output import rendered
from epochal.stages.verdict import Report

FOUND = Finding(
    rule="double-softmax", code="EP250", severity=Severity.ERROR, where="the <last> layer", measured="m",
    expected="e.", remedy="r.",
)  # fmt: skip
REPORT = Report(findings=(FOUND,), passed=("dead-start",), not_checked=(("x & y", "why"),), seconds=1.0)


def test_sarif_names_rule_level_and_file() -> None:
    """As GitHub reads it: a result points at a rule by index, and at a file."""
    run = json.loads(rendered(REPORT, "sarif", target="pkg.train:build"))["runs"][0]
    (result,) = run["results"]
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "EP250"
    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "pkg/train.py"


def test_junit_counts_add_up() -> None:
    """One case for each rule: failed, passed or skipped."""
    suite = ET.fromstring(rendered(REPORT, "junit", target="train.py:build"))[0]  # noqa: S314  our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [[each.tag for each in case] for case in suite] == [["failure"], [], ["skipped"]]


def test_json_and_text_say_the_same() -> None:
    """The rule, and whether it passed."""
    assert json.loads(rendered(REPORT, "json", target="t"))["ok"] is False
    assert rendered(REPORT, "text", target="t") == str(REPORT)
