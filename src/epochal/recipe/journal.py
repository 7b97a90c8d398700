"""The append-only record of a run: every measurement, decision, reason and cost.

The report and resuming read nothing else. Each line is durable before the program goes on, so a `kill -9`
loses at most the line that was being written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from epochal.lines import append_durably, cut_torn_tail, read_lines

Event = dict[str, Any]
Origin = Literal["default", "measured", "user"]


class Journal:
    """The events of a run, and the clock of its budget.

    Budget seconds go on counting where the last start of the run left off: time in which nothing ran is free.

    >>> import tempfile
    >>> journal = Journal(Path(tempfile.mkdtemp()) / "journal.jsonl", clock=lambda: 0.0)
    >>> journal.write("measurement", stage="inspect", name="data.files", value=3)
    >>> journal.last("measurement", name="data.files")["value"]
    3
    """

    def __init__(
        self, path: Path, *, clock: Callable[[], float] = time.monotonic, started: float | None = None
    ) -> None:
        """Read the events at `path`, if any, and stand ready to append.

        Units: `started` is the reading of `clock` at which this start of the program began; now by default.
        """
        self.path = path
        self.events: list[Event] = list(read_lines(path)) if path.exists() else []
        self._clock = clock
        self._started = clock() if started is None else started
        self._before = max((float(event["at"]) for event in self.events), default=0.0)
        path.parent.mkdir(parents=True, exist_ok=True)
        cut_torn_tail(path)

    @property
    def spent(self) -> float:
        """Budget seconds used so far, over all starts of this run."""
        return self._before + self._clock() - self._started

    @property
    def resumed(self) -> bool:
        """Whether an earlier start of the program left events here."""
        return self._before > 0 or bool(self.events and self.events[0]["kind"] == "session")

    def write(self, kind: str, *, stage: str, **fields: Any) -> None:
        """Append one event, stamped with the budget seconds and the time of day."""
        event: Event = {
            "kind": kind,
            "stage": stage,
            "at": round(self.spent, 3),
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **fields,
        }
        append_durably(self.path, event)
        self.events.append(event)

    def select(self, kind: str, **match: Any) -> Iterator[Event]:
        """Events of `kind` whose fields equal `match`, oldest first."""
        for event in self.events:
            if event["kind"] == kind and all(event.get(key) == value for key, value in match.items()):
                yield event

    def last(self, kind: str, **match: Any) -> Event | None:
        """The newest such event, or None."""
        found = None
        for found in self.select(kind, **match):  # noqa: B007 - the last one is wanted
            pass
        return found

    def measured(self, name: str) -> Any:
        """The newest value measured under `name`, or None."""
        event = self.last("measurement", name=name)
        return None if event is None else event["value"]

    def decided(self, key: str) -> Any:
        """The newest value decided for `key`, or None."""
        event = self.last("decision", key=key)
        return None if event is None else event["value"]

    def finished(self, stage: str) -> bool:
        """Whether `stage` has ended, in this start of the program or an earlier one."""
        return self.last("stage", stage=stage, event="end") is not None
