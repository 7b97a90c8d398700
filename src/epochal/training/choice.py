"""Choosing the arithmetic by a short measurement: precision, layout, fused optimizer, threads.

Each candidate trains a copy of the network for a few steps; the fastest that is numerically sound wins. Sound means
that its rounding moves the gradient far less than the choice of samples does anyway: precision below the noise of the
batch is bought for nothing.  Source: tip L7.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from epochal.data.batch import Batch
from epochal.errors import DataError
from epochal.training.allocator import keep_freed_memory
from epochal.training.bench import Bench
from epochal.training.distributed import from_first
from epochal.training.pace import Clock
from epochal.training.runtime import Runtime

ROUNDING_LIMIT = 0.5  # of the gradient's sampling noise; residual networks and MLPs measured .03 to .27 in bfloat16
ROUNDS = 2  # at least: the first of a candidate also prepares its kernels
GAIN_NEEDED = 1.05  # a candidate further from plain float32 must be this much faster than a plainer one


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One way of computing, measured. Times are None where it was not sound or failed.

    `rounding` is the distance of its gradient from float32's, in units of the gradient's sampling noise.
    """

    runtime: Runtime
    seconds_per_step: float | None
    rounding: float
    loss: float
    note: str = ""

    @property
    def sound(self) -> bool:
        """Whether its rounding drowns in the noise of the batch."""
        return self.rounding <= ROUNDING_LIMIT

    def describe(self) -> dict[str, object]:
        """Plain values for the journal."""
        keys = ("precision", "channels_last", "fused", "threads", "compile")
        told = self.runtime.describe()
        measured = {"seconds_per_step": self.seconds_per_step, "rounding": self.rounding, "loss": self.loss}
        return {key: told[key] for key in keys} | measured | {"sound": self.sound, "note": self.note}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The runtime taken, the reason in a sentence, and every alternative that was measured."""

    runtime: Runtime
    reason: str
    trials: tuple[Trial, ...]
    samples: int
    seconds: float

    def describe(self) -> dict[str, object]:
        """Plain values for the journal."""
        return {
            "runtime": self.runtime.describe(), "reason": self.reason, "samples": self.samples,
            "seconds": round(self.seconds, 3), "trials": [trial.describe() for trial in self.trials],
        }  # fmt: skip


def choose(
    model: nn.Module,
    batch: Batch,
    *,
    loss: Callable[[Tensor, Tensor], Tensor],
    base: Runtime,
    seconds: float = 2.0,
    clock: Clock = time.perf_counter,
) -> Choice:
    """Measure for about `seconds` which runtime trains `model` fastest and soundly; the model itself stays as it is.

    `base` is what `detect` found; it names the device and the most threads that may be used. The batch is cut down
    until one float32 step takes a tenth of the time allowed.

    Units: seconds.  Raises: DataError for a batch of fewer than 2 samples.

    >>> batch = Batch(images=torch.randn(8, 3, 8, 8), labels=torch.arange(8) % 2, index=torch.arange(8), seed=0)
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    >>> loss = nn.CrossEntropyLoss(reduction="none")
    >>> choice = choose(model, batch, loss=loss, base=Runtime(threads=1), seconds=0.1)
    >>> choice.runtime.device.type, len(choice.trials) >= 3
    ('cpu', True)
    """
    if len(batch) < 2:
        raise DataError(
            f"A batch of {len(batch)} was given to measure with.", expected="2 samples or more.",
            remedy="raise the batch size, or give the precision in the recipe.",
        )  # fmt: skip
    keep_freed_memory()
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[base.device] if base.device.type == "cuda" else []):
            bench = Bench(model, batch, loss=loss, clock=clock)
            return _tournament(bench, base, seconds=seconds)
    finally:
        torch.set_num_threads(threads)


def candidates(base: Runtime) -> list[Runtime]:
    """Precisions and layouts worth trying on this device, the plainest first; float16 only on GPUs without bfloat16.

    >>> [(r.precision, r.channels_last) for r in candidates(Runtime())]
    [('fp32', False), ('fp32', True), ('bf16', True), ('bf16', False)]
    """
    half = torch.bfloat16
    if base.device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        half = torch.float16
    # channels_last before contiguous in half precision: it gains more with each sample than a cut batch can show
    kinds = ((None, False), (None, True), (half, True), (half, False))
    return [replace(base, autocast_dtype=dtype, channels_last=last) for dtype, last in kinds]


def _tournament(bench: Bench, base: Runtime, *, seconds: float) -> Choice:
    """Precision and layout on one thread, where other processes disturb least; then the number of threads."""
    began, most = bench.clock(), base.threads or torch.get_num_threads()
    plain = replace(base, threads=1, rank=0, world_size=1)
    bench.cut(plain, limit=seconds / 10)
    noise = bench.sampling_noise(plain)
    trials = [_judged(bench, runtime, noise=noise) for runtime in candidates(plain)]
    trials = _timed(bench, trials, until=began + 0.65 * seconds)
    best = _fastest(trials)
    others = [replace(best.runtime, fused=not best.runtime.fused)]
    if most > 1:
        others.append(replace(best.runtime, threads=most))
    rest = [best, *(replace(best, runtime=runtime) for runtime in others)]
    rest = _timed(bench, rest, until=began + seconds, typical=True)
    measured = [*trials, *rest]
    # with several processes the first decides for all: each may have measured something else
    taken = round(from_first(measured.index(_fastest(rest)), device=base.device))
    best = measured[taken]
    runtime = replace(best.runtime, rank=base.rank, world_size=base.world_size)
    return Choice(
        runtime=runtime, reason=_reason(best, measured), trials=tuple(measured),
        samples=bench.samples, seconds=bench.clock() - began,
    )  # fmt: skip


def _judged(bench: Bench, runtime: Runtime, *, noise: float) -> Trial:
    """Measure how far this arithmetic moves the gradient; one that fails is kept, with its reason."""
    try:
        distance, loss = bench.distance(runtime)
    except (RuntimeError, NotImplementedError) as error:
        note = str(error).partition("\n")[0]
        return Trial(runtime=runtime, seconds_per_step=None, rounding=float("inf"), loss=float("nan"), note=note)
    rounding = distance / noise if noise > 0 else (0.0 if distance == 0 else float("inf"))
    sound = rounding <= ROUNDING_LIMIT  # False for NaN too
    note = "" if sound else f"rounding moves the gradient by {rounding:.2g} of the batch's noise"
    return Trial(runtime=runtime, seconds_per_step=None, rounding=rounding, loss=loss, note=note)


def _timed(bench: Bench, trials: Sequence[Trial], *, until: float, typical: bool = False) -> list[Trial]:
    """Time the sound ones in turn until the time is up, once at least; those far behind after a round drop out.

    The least time of each ranks kinds of arithmetic, since other processes only ever add to it. For threads the
    median does (`typical`): how much others disturb is the very question.
    """
    times: dict[int, list[float]] = {i: [] for i, trial in enumerate(trials) if trial.sound}
    running = list(times)
    while running and (len(times[running[0]]) < ROUNDS or bench.clock() < until):
        for i in running:
            times[i].append(bench.seconds_per_step(trials[i].runtime))
        best = min(min(times[i]) for i in running)
        far = 2 if len(times[running[0]]) >= ROUNDS else 8
        running = [i for i in running if min(times[i]) <= far * best]
    told = {i: sorted(values)[len(values) // 2] if typical else min(values) for i, values in times.items()}
    return [replace(trial, seconds_per_step=told.get(i)) for i, trial in enumerate(trials)]


def _fastest(trials: Sequence[Trial]) -> Trial:
    """Take the fastest, where a later one must beat the earlier by more than the noise of such a measurement."""
    best = trials[0]
    for trial in trials[1:]:
        if trial.seconds_per_step is None:
            continue
        if best.seconds_per_step is None or trial.seconds_per_step * GAIN_NEEDED < best.seconds_per_step:
            best = trial
    return best


def _reason(best: Trial, trials: Sequence[Trial]) -> str:
    arithmetic = (best.runtime.precision, best.runtime.channels_last)
    alike = next(t for t in trials if (t.runtime.precision, t.runtime.channels_last) == arithmetic)
    plain, own = trials[0].seconds_per_step, alike.seconds_per_step
    layout = "channels_last" if best.runtime.channels_last else "contiguous"
    told = f"{best.runtime.precision}, {layout}, {best.runtime.threads} thread(s)"
    if plain is None or own is None:
        return f"{told}: nothing could be timed."
    gain = plain / own
    return f"{told}: {gain:.2f} times plain fp32 on one thread, rounding {best.rounding:.2g} of the batch's noise."
