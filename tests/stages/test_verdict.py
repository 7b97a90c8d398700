"""Facts about a verdict: what fails, what follows from what, and how it is told."""

import json

import pytest

from epochal.errors import CheckFailed
from epochal.findings import Finding, Severity
from epochal.stages.verdict import Report, parted


def _finding(rule: str, severity: Severity) -> Finding:
    return Finding(rule=rule, code="EP999", severity=severity, where="w", measured="m", expected="e.", remedy="r.")


def test_only_errors_fail() -> None:
    """Warnings and notes leave it in order."""
    assert Report(findings=(_finding("a", Severity.WARN),)).ok
    with pytest.raises(CheckFailed, match="EP999"):
        Report(findings=(_finding("a", Severity.ERROR),)).raise_if_failed()


def test_consequences_stand_apart_from_their_cause() -> None:
    """A batch that cannot be learnt follows from a doubled softmax; alone it is a finding."""
    cause, effect = _finding("double-softmax", Severity.ERROR), _finding("batch-not-learnt", Severity.ERROR)
    assert parted([effect, cause]) == ((cause,), (effect,))
    assert parted([effect]) == ((effect,), ())
    assert parted([effect, _finding("norms-decayed", Severity.NOTE)])[1] == ()


def test_it_is_told_whole() -> None:
    """As text and as plain values."""
    report = Report(findings=(_finding("a", Severity.ERROR),), passed=("b",), not_checked=(("c", "why"),))
    assert all(each in str(report) for each in ("ERROR a (EP999)", "FAIL: 1 finding, 1 rules passed", "c: why"))
    assert json.loads(json.dumps(report.to_json()))["not_checked"] == [{"what": "c", "why": "why"}]
