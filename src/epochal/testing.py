"""Public helpers for proving rules, ours and other people's."""

from __future__ import annotations

from typing import Any

from epochal.findings import Rule


def assert_rule_holds(subject: Rule[Any]) -> None:
    """Fail unless `subject` fires on each of its bad cases and is silent on each of its good ones.

    A rule without both kinds of case proves nothing and fails as well; so does a finding that does not
    say what was measured, what was expected and what to do.

    >>> from epochal.findings import Observation, Severity, rule
    >>> @rule("odd", code="EP998", severity=Severity.NOTE)
    ... def odd(number: int):
    ...     '''Odd numbers cannot be halved.'''
    ...     if number % 2:
    ...         yield Observation("number", str(number), expected="an even one", remedy="add one")
    >>> assert_rule_holds(odd.fires_on("three", lambda: 3).silent_on("four", lambda: 4))
    """
    assert subject.firing, f"{subject.name} has no case on which it fires"
    assert subject.silent, f"{subject.name} has no case on which it stays silent"
    assert subject.doc, f"{subject.name} has no teaching text"
    for case in subject.firing:
        findings = list(subject(case.build()))
        assert findings, f"{subject.name} stayed silent on its bad case '{case.name}'"
        for finding in findings:
            for part in ("where", "measured", "expected", "remedy"):
                assert getattr(finding, part), f"{subject.name} on '{case.name}': {part} is empty"
    for case in subject.silent:
        alarms = list(subject(case.build()))
        assert not alarms, f"{subject.name} fired on its good case '{case.name}': {alarms[0].measured}"
