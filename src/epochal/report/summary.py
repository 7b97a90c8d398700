"""The verdict as lines for a terminal: what the command says last."""

from __future__ import annotations

from collections.abc import Iterable

from epochal.report.fields import text
from epochal.report.record import Record
from epochal.report.verdict import judge
from epochal.report.wording import counted, duration, percent


def summary(events: Iterable[object]) -> list[str]:
    """The verdict in a few plain lines: status, score beside the baselines, alarms, checks, time.

    >>> summary([{"kind": "session", "stage": "run", "at": 0.0}])[0]
    'Not finished.'
    """
    record = Record.of(events)
    verdict = judge(record)
    lines = [f"{verdict.label}.", verdict.headline, *verdict.sentences]
    lines += [f"Attention: {alarm}" for alarm in verdict.alarms]
    lines += [line for line in (_checks(record), _time(record)) if line]
    return [_plain(line) for line in lines]


def _checks(record: Record) -> str:
    """How many rules were examined, and what they found."""
    examined = {text(each.get("rule")): each for each in record.select("check") if each.get("rule")}
    found = {text(each.get("rule")) for each in record.select("finding")}
    if not examined and not found:
        return ""
    passed = [rule for rule, each in examined.items() if each.get("passed") is True and rule not in found]
    tail = f"; findings of {', '.join(sorted(found))}" if found else ""
    return f"Checks: {len(passed)} of {counted(len({*examined, *found}), 'rule')} passed{tail}."


def _time(record: Record) -> str:
    """What was used of the budget."""
    if record.spent is None:
        return ""
    if record.budget is None:
        return f"Time: {duration(record.spent)}."
    return f"Time: {duration(record.spent)} of {duration(record.budget)} ({percent(record.spent / record.budget)})."


def _plain(line: str) -> str:
    """One printable line: names from strangers' files may hold control characters that move the cursor."""
    return "".join(
        each if each.isprintable() or each == "\N{NO-BREAK SPACE}" else "\N{REPLACEMENT CHARACTER}" for each in line
    )
