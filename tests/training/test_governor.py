"""The thread governor on machines that exist in numbers alone."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.training.governor import ThreadGovernor


class Machine:
    """A machine on which a step takes `seconds(threads, now)`."""

    def __init__(self, seconds: Callable[[int, float], float], *, start: int, most: int = 2) -> None:
        self.now, self.threads, self.seconds = 0.0, start, seconds
        self.governor = ThreadGovernor(most, start=start, clock=lambda: self.now, apply=self.apply)
        self.by_threads = {1: 0, most: 0}

    def apply(self, threads: int) -> None:
        """Set the number of threads, as torch would."""
        self.threads = threads

    def run(self, until: float) -> None:
        """Train until a time."""
        while self.now < until:
            self.now += self.seconds(self.threads, self.now)
            self.by_threads[self.threads] += 1
            self.governor(nn.Identity())


def test_a_calm_machine_gets_all_its_cores() -> None:
    """A run that began on one thread, since others were busy, uses two soon after they have gone."""
    machine = Machine(lambda threads, _: 0.1 / threads, start=1)
    machine.run(until=8.0)
    assert (machine.threads, machine.governor.threads) == (2, 2)
    assert [threads for _, threads in machine.governor.switches] == [2]


def test_a_busy_neighbour_is_noticed_at_once() -> None:
    """Where two threads take fifteen times as long beside another process, a few steps are lost, not the run."""

    def seconds(threads: int, now: float) -> float:
        return 0.1 / threads if now < 20 else (0.1 if threads == 1 else 1.5)

    machine = Machine(seconds, start=2)
    machine.run(until=20.0)
    assert machine.governor.switches == []
    machine.run(until=30.0)
    assert machine.threads == 1
    assert [threads for _, threads in machine.governor.switches] == [1]


def test_trials_that_bring_nothing_become_rare() -> None:
    """On a machine that stays busy less than a tenth of the time goes into trying again."""
    machine = Machine(lambda threads, _: 0.1 if threads == 1 else 1.5, start=1)
    machine.run(until=300.0)
    assert machine.governor.switches == []
    assert machine.by_threads[2] * 1.5 < 30


@given(st.floats(0.95, 1.05))
def test_equal_speeds_change_nothing(factor: float) -> None:
    """A gain below a tenth is noise and no reason to switch."""
    machine = Machine(lambda threads, _: 0.1 * (factor if threads == 2 else 1.0), start=2)
    machine.run(until=60.0)
    assert machine.governor.switches == []
    assert machine.governor.threads == 2


def test_one_core_is_left_alone() -> None:
    """Where there is one core nothing is tried."""
    machine = Machine(lambda _threads, _now: 0.1, start=1, most=1)
    machine.run(until=60.0)
    assert machine.threads == 1


def test_a_validation_in_a_trial_is_no_verdict() -> None:
    """A pause that falls into a trial may postpone a switch, and never causes one."""
    machine = Machine(lambda threads, now: 0.1 * threads + (3.0 if now % 10 < 0.2 else 0.0), start=1)
    machine.run(until=120.0)
    assert machine.governor.switches == []
