"""Pace without sleeping: a clock that the test moves."""

import copy
import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import CheckpointError, SettingError
from epochal.training.pace import FixedSteps, TimedSteps


class Time:
    """A clock that stands still unless moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def _run(pace: TimedSteps, clock: Time, seconds: Callable[[int], float]) -> list[float]:
    """Take steps that last `seconds(step)` until the pace ends; gives the progress before each and at the end."""
    path = []
    while not pace.finished:
        path.append(pace.progress)
        clock.now += seconds(pace.step)
        pace.advance()
        assert pace.step < 100_000
    return [*path, pace.progress]


@given(st.integers(1, 1000))
def test_fixed_steps_are_exact_fractions(total: int) -> None:
    """Progress is step / total, bit for bit, and ends after exactly that many steps."""
    pace = FixedSteps(total)
    for step in range(total):
        assert (pace.progress, pace.finished, pace.steps_left) == (step / total, False, total - step)
        pace.advance()
    assert (pace.progress, pace.finished) == (1.0, True)


def test_no_steps_is_an_end() -> None:
    """Nothing to do is finished, not a division by zero."""
    assert FixedSteps(0).finished


@given(st.floats(0.01, 0.5), st.floats(0, 0.6), st.integers(0, 2**31), st.integers(1, 8))
def test_ends_on_time_on_a_noisy_machine(typical: float, noise: float, seed: int, every: int) -> None:
    """With steps of random length the run ends within a step of its time, the schedule with it."""
    import random

    draw, clock = random.Random(seed), Time()
    seconds = 150 * typical
    pace = TimedSteps(seconds, clock=clock, every=every)
    path = _run(pace, clock, lambda _: typical * (1 + draw.uniform(-noise, noise)))
    assert abs(clock.now - 1000 - seconds) <= max(0.01 * seconds, typical * (1 + noise))
    assert path[-1] == 1.0


@given(st.floats(0.2, 5.0), st.integers(10, 190))
def test_follows_a_change_of_speed(factor: float, when: int) -> None:
    """A machine that becomes slower or faster half-way still ends on time, and progress never jumps."""
    clock = Time()
    pace = TimedSteps(20.0, clock=clock)
    path = _run(pace, clock, lambda step: 0.1 if step < when else 0.1 * factor)
    assert clock.now - 1000 == pytest.approx(20.0, abs=max(0.2, 0.06 * factor))
    steps = [b - a for a, b in itertools.pairwise(path)]
    assert all(step >= 0 for step in steps)
    assert path[-1] == 1.0


def test_progress_is_the_share_of_time() -> None:
    """On a steady machine progress after the first steps equals time used / time given, at any speed."""
    for slow in (0.05, 0.1, 0.4):
        clock = Time()
        pace = TimedSteps(100.0, clock=clock)
        path = _run(pace, clock, lambda _, slow=slow: slow)  # type: ignore[misc]
        for i, progress in enumerate(path):
            assert progress == pytest.approx(i * slow / 100, abs=0.03)


def test_a_stall_does_not_jump() -> None:
    """Ten seconds of standstill are spread over the steps to come."""
    clock = Time()
    pace = TimedSteps(100.0, clock=clock)
    path = _run(pace, clock, lambda step: 10.0 if step == 300 else 0.1)
    assert max(b - a for a, b in itertools.pairwise(path[:-2])) < 0.01
    assert clock.now - 1000 == pytest.approx(100.0, abs=0.2)


def test_regular_pauses_are_reckoned_with() -> None:
    """A validation after every 50 steps costs time, which the plan learns to expect."""
    clock = Time()
    pace = TimedSteps(100.0, clock=clock)
    path = _run(pace, clock, lambda step: 1.1 if step % 50 == 49 else 0.1)
    assert clock.now - 1000 == pytest.approx(100.0, abs=1.2)
    assert max(b - a for a, b in itertools.pairwise(path)) < 0.02


def test_a_slow_first_step_is_no_measure() -> None:
    """Compilation for 40 s at the first step costs time but does not count as the pace of the rest."""
    clock = Time()
    pace = TimedSteps(200.0, clock=clock)
    path = _run(pace, clock, lambda step: 40.0 if step == 0 else 0.1)
    assert path[100] < 0.1
    assert len(path) > 1500


@given(st.integers(1, 150), st.integers(1, 6), st.integers(0, 2**31))
def test_resuming_changes_nothing(stop: int, every: int, seed: int) -> None:
    """Saved after any step and loaded into a new object, progress goes on from the same point and ends on time."""
    import random

    draw, clock = random.Random(seed), Time()
    pace = TimedSteps(20.0, clock=clock, every=every)
    for _ in range(stop):
        if pace.finished:
            return
        clock.now += draw.uniform(0.08, 0.12)
        pace.advance()
    state = copy.deepcopy(pace.state_dict())
    clock.now += 3600  # the machine was off for an hour, which does not count
    resumed = TimedSteps(20.0, clock=clock, every=every)
    resumed.load_state_dict(state)
    assert (resumed.progress, resumed.step) == (pace.progress, pace.step)
    began = clock.now
    _run(resumed, clock, lambda _: 0.1)
    assert began + 20 - stop * 0.1 - clock.now == pytest.approx(0, abs=0.2 + 0.12 * every + 0.02 * stop)


def test_extending_replans() -> None:
    """More time, given half-way, is used; the progress made stays."""
    clock = Time()
    pace = TimedSteps(10.0, clock=clock)
    while pace.progress < 0.5:
        clock.now += 0.1
        pace.advance()
    before = pace.progress
    pace.extend(10.0)
    assert pace.progress == before
    _run(pace, clock, lambda _: 0.1)
    assert clock.now - 1000 == pytest.approx(20.0, abs=0.2)


def test_processes_share_one_plan() -> None:
    """Progress follows the first process's figures, so that all have one learning rate and end at one step."""
    told: list[float] = []
    heard: list[float] = []
    first_clock, second_clock = Time(), Time()

    def tell(value: float) -> float:
        told.append(value)
        heard.append(value)
        return value

    first = TimedSteps(10.0, clock=first_clock, agree=tell)
    second = TimedSteps(10.0, clock=second_clock, agree=lambda _: heard.pop(0))
    while not first.finished:
        first_clock.now += 0.1
        second_clock.now += 0.17
        first.advance()
        second.advance()
        assert (first.progress, first.finished) == (second.progress, second.finished)
    assert not heard


@pytest.mark.parametrize("make", [lambda: FixedSteps(-1), lambda: TimedSteps(0.0), lambda: TimedSteps(1.0, every=0)])
def test_impossible_settings_are_refused(make: Callable[[], object]) -> None:
    """Time that is not there cannot be trained in."""
    with pytest.raises(SettingError, match="What to do"):
        make()


def test_anothers_state_is_refused() -> None:
    """A run counted in steps is not resumed as one tied to time, nor with another total."""
    with pytest.raises(CheckpointError, match="pace"):
        TimedSteps(1.0).load_state_dict(FixedSteps(3).state_dict())
    with pytest.raises(CheckpointError, match="pace"):
        FixedSteps(4).load_state_dict(FixedSteps(3).state_dict())
