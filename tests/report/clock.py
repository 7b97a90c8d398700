"""What writes the events of the imagined run: stamps in rising order, and the names of its ten classes."""

from __future__ import annotations

from typing import Any

Event = dict[str, Any]

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class Clock:
    """Gives events their stamps, in rising order."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.at = 0.0
        self.stage = "run"

    def write(self, kind: str, *, at: float | None = None, **fields: Any) -> None:
        """Append one event, a moment after the one before unless told when."""
        self.at = round(self.at + 0.02 if at is None else max(at, self.at), 3)
        minute, second = divmod(int(self.at), 60)
        time = f"2026-11-20T10:{minute:02d}:{second:02d}.000+00:00"
        self.events.append({"kind": kind, "stage": self.stage, "at": self.at, "time": time, **fields})

    def measure(self, name: str, value: Any, *, unit: str = "", note: str = "") -> None:
        """Append a measurement."""
        self.write("measurement", name=name, value=value, unit=unit, note=note)


def check(clock: Clock, rule: str, *, passed: bool = True, about: str = "", **fields: Any) -> None:
    """Append a rule that was examined."""
    told = {"measured": "", "expected": "", "tips": [], **fields}
    clock.write("check", rule=rule, code="EP0" + str(10 + len(rule)), passed=passed, about=about, **told)
