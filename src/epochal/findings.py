"""Rules and findings: the one protocol by which anything in epochal is judged.

A rule is named after the fault it looks for. It is a generator from evidence (plain values, never images or
models) to observations; the decorated function is the rule object, which stamps its own name, code, severity
and tips on what it finds, and carries the cases that prove it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

E = TypeVar("E")


class Severity(enum.StrEnum):
    """How much a finding matters, in rising order.

    >>> Severity.STOP.rank > Severity.NOTE.rank
    True
    """

    NOTE = "note"  # worth knowing; nothing need be done
    WARN = "warning"  # likely to cost accuracy or trust
    ERROR = "error"  # the result cannot be trusted
    STOP = "stop"  # going on would waste the budget

    @property
    def rank(self) -> int:
        """0 for a note, up to 3 for a stop."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Observation:
    """What a rule saw: where, the measured value, and what to do about it.

    >>> Observation("train/cat", "3 images", expected="10 or more", remedy="add images").where
    'train/cat'
    """

    where: str
    measured: str
    expected: str = ""
    remedy: str = ""
    cause: str = ""
    severity: Severity | None = None  # where this case differs from the rule's own severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An observation with the name, code, severity and tips of the rule that made it."""

    rule: str
    code: str
    severity: Severity
    where: str
    measured: str
    expected: str
    remedy: str
    cause: str = ""
    tips: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary for `findings.json` and the journal."""
        return {**asdict(self), "severity": self.severity.value, "tips": list(self.tips)}


@dataclass(frozen=True, slots=True)
class Case(Generic[E]):
    """A named piece of evidence on which a rule must fire, or must stay silent."""

    name: str
    build: Callable[[], E]


@dataclass(frozen=True, slots=True, eq=False)
class Rule(Generic[E]):
    """One fault, how to see it, and the cases that prove that it is seen.

    >>> @rule("too-few", code="EP999", severity=Severity.WARN, tips=["K1.6"])
    ... def too_few(count: int):
    ...     '''Fewer than ten samples say nothing.'''
    ...     if count < 10:
    ...         yield Observation("data", f"{count} samples", expected="10 or more", remedy="add samples")
    >>> too_few.fires_on("three", lambda: 3).silent_on("many", lambda: 50).name
    'too-few'
    >>> [finding.code for finding in too_few(3)]
    ['EP999']
    """

    name: str
    code: str
    severity: Severity
    tips: tuple[str, ...]
    look: Callable[[E], Iterable[Observation]]
    firing: list[Case[E]] = field(default_factory=list)
    silent: list[Case[E]] = field(default_factory=list)

    @property
    def doc(self) -> str:
        """The teaching text: the docstring of the generator."""
        return (self.look.__doc__ or "").strip()

    def __call__(self, evidence: E) -> Iterator[Finding]:
        """The findings of this rule in `evidence`."""
        for seen in self.look(evidence):
            yield Finding(
                rule=self.name,
                code=self.code,
                severity=seen.severity or self.severity,
                where=seen.where,
                measured=seen.measured,
                expected=seen.expected,
                remedy=seen.remedy,
                cause=seen.cause,
                tips=self.tips,
            )

    def fires_on(self, name: str, build: Callable[[], E]) -> Rule[E]:
        """Add a case in which the fault is present; returns the rule."""
        self.firing.append(Case(name, build))
        return self

    def silent_on(self, name: str, build: Callable[[], E]) -> Rule[E]:
        """Add a case without the fault; returns the rule."""
        self.silent.append(Case(name, build))
        return self


def rule(
    name: str, *, code: str, severity: Severity, tips: Iterable[str] = ()
) -> Callable[[Callable[[E], Iterable[Observation]]], Rule[E]]:
    """Make a rule of the generator below; `name` is the fault in kebab-case, `code` is for ever."""
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), f"{name} is not kebab-case"
    assert re.fullmatch(r"EP\d{3}", code), f"{code} is not EP and three digits"

    def make(look: Callable[[E], Iterable[Observation]]) -> Rule[E]:
        assert look.__doc__, f"the rule {name} needs a docstring: it is its page in the docs"
        return Rule(name=name, code=code, severity=severity, tips=tuple(tips), look=look)

    return make


def examine(rules: Iterable[Rule[E]], evidence: E) -> list[Finding]:
    """All findings of `rules` in `evidence`, the gravest first, otherwise in the order of the rules.

    >>> examine([], "anything")
    []
    """
    found = [finding for each in rules for finding in each(evidence)]
    return sorted(found, key=lambda finding: -finding.severity.rank)
