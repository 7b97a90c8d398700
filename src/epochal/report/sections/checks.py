"""Every rule that was examined: what it found, what it measured when it passed, and what was not checked."""

from __future__ import annotations

from dataclasses import dataclass

from epochal.report import wording
from epochal.report.fields import Event, text, texts
from epochal.report.record import Record

_GRAVITY = {"stop": 0, "error": 1, "warning": 2, "note": 3}
_NAMES = {"stop": "Stop", "error": "Error", "warning": "Warning", "note": "Note"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One rule's outcome at one place; `severity` is empty where it passed."""

    rule: str
    code: str
    stage: str
    severity: str
    severity_name: str
    where: str
    measured: str
    expected: str
    cause: str
    about: str
    remedy: str
    tips: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecksView:
    """What the checks section shows."""

    lead: str
    findings: tuple[Judged, ...]
    passes: tuple[Judged, ...]
    not_checked: tuple[str, ...]

    @property
    def told(self) -> bool:
        """Whether any rule that passed says what it measured."""
        return any(each.measured or each.expected for each in self.passes)


def build(record: Record) -> ChecksView | None:
    """The checks section, or None where no rule was examined.

    >>> build(Record.of([{"kind": "check", "rule": "leak", "passed": True}])).lead
    '1 of 1 rule passed.'
    """
    findings = _findings(record)
    found = {each.rule for each in findings}
    examined = {
        (text(each.get("rule")), text(each.get("stage"))): each for each in record.select("check") if each.get("rule")
    }
    failed_alone = [
        _judged(each, severity="warning")
        for (rule, _), each in examined.items()
        if each.get("passed") is False and rule not in found
    ]
    passes = tuple(
        _judged(each) for (rule, _), each in examined.items() if each.get("passed") is True and rule not in found
    )
    not_checked = tuple(
        dict.fromkeys(name for each in record.select("check") for name in texts(each.get("not_checked")))
    )
    findings = tuple(sorted((*findings, *failed_alone), key=lambda each: _GRAVITY.get(each.severity, 9)))
    if not (findings or passes or not_checked):
        return None
    rules = len({each.rule for each in (*findings, *passes)})
    clean = len({each.rule for each in passes})
    lead = f"{clean} of {wording.counted(rules, 'rule')} passed"
    lead += f"; {wording.counted(len(findings), 'finding')}." if findings else "."
    return ChecksView(lead=lead, findings=findings, passes=passes, not_checked=not_checked)


def _findings(record: Record) -> tuple[Judged, ...]:
    """Findings, each once: a resumed run may tell the same again."""
    newest: dict[tuple[str, str], Judged] = {}
    for event in record.select("finding"):
        judged = _judged(event, severity=text(event.get("severity")) or "warning")
        newest[judged.rule, judged.where] = judged
    return tuple(newest.values())


def _judged(event: Event, *, severity: str = "") -> Judged:
    return Judged(
        rule=text(event.get("rule")),
        code=text(event.get("code")),
        stage=text(event.get("stage")),
        severity=severity,
        severity_name=_NAMES.get(severity, severity.capitalize()),
        where=text(event.get("where")),
        measured=text(event.get("measured")),
        expected=text(event.get("expected")),
        cause=text(event.get("cause")),
        about=text(event.get("about")),
        remedy=text(event.get("remedy")),
        tips=tuple(texts(event.get("tips"))),
    )
