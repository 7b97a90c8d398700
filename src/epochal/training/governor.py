"""Watching how many threads pay while a run goes on, since other processes come and go.

On two threads the weight gradient of a convolution waits at spinning barriers inside oneDNN: beside one busy process
a step of a ResNet-9 was seen to take fifteen times as long as on one thread, whatever the OpenMP wait policy, and alone
on the machine half as long. A choice made once, at the start, is often wrong later on a machine that is shared.
"""

import statistics
import time
from collections import deque
from collections.abc import Callable

import torch
from torch import nn

from epochal.training.pace import Clock

WINDOW = 9  # steps that stand for the present speed
PROBE_STEPS = 3  # the first of which prepares kernels and does not count
GAIN_NEEDED = 0.9  # of the present time per step
HOPELESS = 4.0  # times the present step: a probe ends at once
SLOWED = 2.5  # times the best known step: look for an alternative now


class ThreadGovernor:
    """Tries the other number of threads now and then, and keeps the faster; one of `after_update`.

    Only for runs paced by time: two numbers of threads round differently, so a run that must repeat to the bit keeps
    the number it began with. A trial is `PROBE_STEPS` steps long; after one that brought nothing the next comes twice
    as late, up to a minute. `switches` lists (step, threads) for the record.

    Units: seconds.

    >>> governor = ThreadGovernor(2, start=1, clock=iter(range(99)).__next__, apply=print)
    >>> for _ in range(8): governor(nn.Identity())
    2
    1
    >>> governor.threads, governor.switches
    (1, [])
    """

    def __init__(
        self,
        most: int,
        *,
        start: int,
        patience: float = 4.0,
        clock: Clock = time.perf_counter,
        apply: Callable[[int], None] = torch.set_num_threads,
    ) -> None:
        """Begin with `start` threads, in the knowledge that `most` may be used."""
        self.most, self.threads = most, start
        self.switches: list[tuple[int, int]] = []
        self._shortest, self._patience = patience, patience
        self._clock, self._apply = clock, apply
        self._times: deque[float] = deque(maxlen=WINDOW)
        self._trial: list[float] | None = None
        self._last: float | None = None
        self._next = 0.0
        self._best = float("inf")
        self._steps = 0

    def __call__(self, _model: nn.Module) -> None:
        """Take the time since the last step; begin, judge or end a trial."""
        now = self._clock()
        self._steps += 1
        if self._last is None:
            self._next = now + self._patience
        elif self._trial is not None:
            self._judge(now - self._last, now=now)
        else:
            self._watch(now - self._last, now=now)
        self._last = self._clock()

    def _watch(self, taken: float, *, now: float) -> None:
        self._times.append(taken)
        if self.most <= 1 or len(self._times) < 3:
            return
        usual = statistics.median(self._times)
        slowed = self.threads > 1 and statistics.median(list(self._times)[-3:]) > SLOWED * self._best
        self._best = min(self._best, usual)
        if now >= self._next or slowed:
            self._trial = []
            self._apply(self._other())

    def _judge(self, taken: float, *, now: float) -> None:
        assert self._trial is not None
        usual = statistics.median(self._times)
        self._trial.append(taken)
        hopeless = taken > HOPELESS * usual
        if len(self._trial) < PROBE_STEPS and not hopeless:
            return
        if not hopeless and statistics.mean(self._trial[1:]) < GAIN_NEEDED * usual:
            self.threads, self._patience, self._best = self._other(), self._shortest, float("inf")
            self.switches.append((self._steps, self.threads))
            self._times.clear()
        else:
            self._apply(self.threads)
            self._patience = min(2 * self._patience, 60.0)
        self._trial, self._next = None, now + self._patience

    def _other(self) -> int:
        return 1 if self.threads > 1 else self.most
