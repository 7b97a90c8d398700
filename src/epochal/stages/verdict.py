"""What checking a program found, what it passed, and what was not checked and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from epochal.errors import CheckFailed
from epochal.findings import Finding, Severity

# Rules that look at what learning does: where a cause above them was found, they tell of its consequences.
_CAUSES = frozenset({
    "broken-input", "constant-input", "label-out-of-range", "does-not-run", "loss-not-a-number", "constant-output",
    "double-softmax", "squashed-logits", "logits-as-probabilities", "targets-out-of-reach", "shapes-broadcast",
    "targets-outside-loss", "nothing-trains", "dead-start", "samples-mixed", "input-unreached", "symmetric-units",
})  # fmt: skip
_EFFECTS = frozenset({
    "initial-loss-off", "prior-not-in-bias", "first-loss-off", "input-ignored", "no-learnable-signal",
    "batch-not-learnt", "steps-too-long", "steps-too-short", "loss-not-a-number", "vanishing-gradient",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The verdict on a program: findings by gravity, what they entail, what passed, what was not looked at.

    >>> Report(findings=(), passed=("double-softmax",)).ok
    True
    """

    findings: tuple[Finding, ...]
    consequences: tuple[Finding, ...] = ()
    passed: tuple[str, ...] = ()
    not_checked: tuple[tuple[str, str], ...] = ()  # rule or question, and why
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing was found that makes a result untrustworthy; warnings and notes may remain."""
        return all(each.severity.rank < Severity.ERROR.rank for each in self.findings)

    def raise_if_failed(self) -> None:
        """Raise CheckFailed for the gravest finding, if one is an error."""
        if not self.ok:
            first = self.findings[0]
            raise CheckFailed(
                f"{first.rule} ({first.code}): {first.where}: {first.measured}.",
                expected=first.expected,
                remedy=first.remedy,
            )

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return {
            "ok": self.ok,
            "findings": [each.to_json() for each in self.findings],
            "consequences": [each.to_json() for each in self.consequences],
            "passed": list(self.passed),
            "not_checked": [{"what": what, "why": why} for what, why in self.not_checked],
            "seconds": round(self.seconds, 2),
        }

    def __str__(self) -> str:
        lines = [line for each in self.findings for line in _told(each)]
        if self.consequences:
            lines += ["What follows from it, most likely: " + ", ".join(each.rule for each in self.consequences), ""]
        verdict = "FAIL" if not self.ok else "PASS"
        count = f"{len(self.findings)} finding" + "s" * (len(self.findings) != 1)
        lines += [f"{verdict}: {count}, {len(self.passed)} rules passed, in {self.seconds:.1f} s."]
        if self.not_checked:
            lines += ["Not checked:"] + [f"  {what}: {why}" for what, why in self.not_checked]
        return "\n".join(lines)


def _told(finding: Finding) -> list[str]:
    lines = [
        f"{finding.severity.value.upper()} {finding.rule} ({finding.code}): {finding.where}",
        f"  {finding.measured}",
    ]
    if finding.cause:
        lines += [f"  cause:      {finding.cause}"]
    return [*lines, f"  expected:   {finding.expected}", f"  what to do: {finding.remedy}", ""]


def parted(findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Causes and the rest, the gravest first; and what they entail, where an error explains it.

    >>> parted([])
    ((), ())
    """
    ordered = sorted(findings, key=lambda each: -each.severity.rank)
    grave = [each for each in ordered if each.severity.rank >= Severity.ERROR.rank]
    explained = {each.rule for each in ordered if any(cause.rule in _CAUSES and cause is not each for cause in grave)}
    entailed = tuple(each for each in ordered if each.rule in _EFFECTS and each.rule in explained)
    return tuple(each for each in ordered if each not in entailed), entailed
