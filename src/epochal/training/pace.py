"""How fast a run moves through its schedule: by a fixed number of steps, or by the time that is left. No torch.

Progress runs from 0 to 1 and drives the schedule. Counted in steps it is exact and repeatable to the bit. Tied to time
it is replanned from the measured seconds per step, so that the schedule ends when the time does, on machines whose
speed nobody knows beforehand and which others may slow down half-way.
"""

import time
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from epochal.errors import CheckpointError, SettingError

Clock: TypeAlias = Callable[[], float]

LAG = 4.0  # times the mean: the most that the latest step is believed about the next


class Pace(Protocol):
    """What the loop asks before and tells after each step."""

    @property
    def progress(self) -> float:
        """Where in its schedule the run is, 0 to 1."""

    @property
    def finished(self) -> bool:
        """Whether no further step should be begun."""

    def advance(self) -> None:
        """One step is over."""

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""


class FixedSteps:
    """A known number of steps: progress is `step / total`, the same in every run.

    Raises: SettingError if `total` is negative.

    >>> pace = FixedSteps(4)
    >>> pace.advance(); pace.progress, pace.finished
    (0.25, False)
    """

    def __init__(self, total: int) -> None:
        """Begin at step 0 of `total`."""
        if total < 0:
            raise SettingError(f"{total} steps were asked for.", expected="0 or more.", remedy="give a positive count.")
        self.total = total
        self.step = 0

    @property
    def progress(self) -> float:
        """`step / total`."""
        return self.step / self.total if self.total else 1.0

    @property
    def finished(self) -> bool:
        """All steps are done."""
        return self.step >= self.total

    @property
    def steps_left(self) -> int:
        """Steps still to come."""
        return max(self.total - self.step, 0)

    def advance(self) -> None:
        """Count one step."""
        self.step += 1

    def state_dict(self) -> dict[str, Any]:
        """The step and the total, the latter to notice a changed recipe."""
        return {"kind": "steps", "step": self.step, "total": self.total}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on at the saved step.

        Raises: CheckpointError where the state is that of another pace.
        """
        if state.get("kind") != "steps" or state["total"] != self.total:
            raise _foreign(state, expected=f"{self.total} fixed steps.")
        self.step = int(state["step"])


class TimedSteps:
    """As many steps as fit into `seconds`: each takes its share of the progress that is left.

    A step takes `(1 - p) / n`, n = time left / measured seconds per step, replanned every `every` steps. In the limit
    `1 - p` is then proportional to the time left, at any speed; but a stall of a second is spread over all steps to
    come instead of jumping ahead. The rate is a mean over about the last half of the run (a median would forget the
    pauses between epochs, which cost time too), in which one pause counts at most `OUTLIER` steps.

    With several processes `agree` makes all use the figure of the first; it is called at the same steps in each, every
    `every` steps, since it costs a message.

    Units: seconds.
    Raises: SettingError if `seconds` is not positive.

    >>> now = iter(float(t) for t in range(100))
    >>> pace = TimedSteps(10.0, clock=lambda: next(now), every=1)
    >>> while not pace.finished: pace.advance()
    >>> pace.step, pace.progress
    (10, 1.0)
    """

    OUTLIER = 20.0
    WARMING = (
        2  # first steps of a process, slow from allocating and compiling: they cost time but do not count as a rate
    )

    def __init__(
        self,
        seconds: float,
        *,
        clock: Clock = time.monotonic,
        every: int = 1,
        agree: Callable[[float], float] | None = None,
        seconds_per_step: float | None = None,
    ) -> None:
        """Plan for `seconds` from the first question on; `seconds_per_step` is a guess for the first few steps."""
        if not seconds > 0 or every < 1:
            raise SettingError(
                f"{seconds} seconds to train in, replanned every {every} steps.",
                expected="more than 0 seconds, at every 1 or more steps.",
                remedy="give the stage a larger budget.",
            )
        self.seconds, self.every = seconds, every
        self.step = 0
        self._clock, self._agree = clock, agree
        self._progress = self._share = self._spent = 0.0
        self._guess = seconds_per_step
        self._sum = self._weight = 0.0  # decayed sums: seconds and steps
        self._mark: float | None = None  # clock at the last plan; None before the first and after a resume
        self._since = 0  # steps since the mark
        self._steps_here = 0  # steps in this process

    @property
    def progress(self) -> float:
        """Where in the schedule the run is."""
        self._begin()
        return self._progress

    @property
    def finished(self) -> bool:
        """The schedule has ended, which is when the time has."""
        self._begin()
        return self._progress >= 1.0

    @property
    def seconds_per_step(self) -> float | None:
        """The present estimate, pauses between steps included; None before the first measurement."""
        return self._sum / self._weight if self._weight else self._guess

    @property
    def seconds_left(self) -> float:
        """Time left at the last plan."""
        return max(self.seconds - self._spent, 0.0)

    @property
    def steps_left(self) -> int:
        """Steps that the present plan still holds."""
        return round((1 - self._progress) / self._share) if self._share else 0

    def advance(self) -> None:
        """Take one step's share of progress; replan when it is time to."""
        self.step += 1
        self._since += 1
        self._steps_here += 1
        self._progress = min(1.0, self._progress + self._share)
        # the first steps are each measured, since nothing is known yet; the last ones too, so as to end on time
        if self.step <= self.every or self.step % self.every == 0 or self.steps_left <= self.every:
            self._plan()

    def extend(self, seconds: float) -> None:
        """Give the run more time, or less (negative); progress made stays, the rest is replanned."""
        self.seconds += seconds
        if self._mark is not None:
            self._plan()

    def state_dict(self) -> dict[str, Any]:
        """Progress, plan and measured rate; the time between saving and resuming does not count."""
        return {
            "kind": "seconds", "seconds": self.seconds, "step": self.step, "progress": self._progress,
            "share": self._share, "spent": self._spent, "sum": self._sum, "weight": self._weight, "since": self._since,
        }  # fmt: skip

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the saved plan; `seconds` stays the one this object was made with.

        Raises: CheckpointError where the state is that of another pace.
        """
        if state.get("kind") != "seconds":
            raise _foreign(state, expected="a pace tied to time.")
        self.step, self._since = int(state["step"]), int(state["since"])
        self._progress, self._share = float(state["progress"]), float(state["share"])
        self._spent, self._sum, self._weight = float(state["spent"]), float(state["sum"]), float(state["weight"])
        self._mark, self._steps_here = None, 0

    def _begin(self) -> None:
        if self._mark is None:
            self._mark = self._clock()
            self._since = 0
            if not self._share:
                self._share = (self._guess or 0.0) / self.seconds

    def _plan(self) -> None:
        now = self._clock()
        elapsed = now - self._mark if self._mark is not None else 0.0
        self._mark = now
        self._spent += elapsed
        self._measure(elapsed)
        left, rate = self.seconds - self._spent, self.seconds_per_step or 0.0
        share = (1 - self._progress) / max(round(left / rate), 1) if rate > 0 else 0.0
        # the mean lags behind a machine that has just become slow; a single stall does not speak for the next step
        expected = max(rate, min(elapsed / max(self._since, 1), LAG * rate))
        if left <= expected / 2:  # stopping now is nearer to the end of the time than one more step
            share, self._progress = 0.0, 1.0
        if self._agree is not None:
            share, self._progress = self._agree(share), self._agree(self._progress)
        self._share, self._since = share, 0

    def _measure(self, elapsed: float) -> None:
        if not self._since or self._steps_here <= self.WARMING:
            return
        usual = self.seconds_per_step
        if usual and self._weight:
            elapsed = min(elapsed, usual * (self._since + self.OUTLIER))
        keep = 1 - 1 / max(self.step / 2, 8.0)
        self._sum = self._sum * keep**self._since + elapsed
        self._weight = self._weight * keep**self._since + self._since


def _foreign(state: dict[str, Any], *, expected: str) -> CheckpointError:
    return CheckpointError(
        f"The saved pace is {dict(state)}.",
        expected=expected,
        remedy="resume with the budget or number of steps that the run began with, or start a new run.",
    )
