"""Several processes that train one network, as torchrun starts them: joining, agreeing, adding up, leaving."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from epochal.errors import SettingError
from epochal.training.runtime import Runtime

TIMEOUT_SECONDS = 120.0  # torch waits tens of minutes for a process that is stuck; a stopped one is noticed only then


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One process among those that torchrun started."""

    rank: int
    local_rank: int
    world_size: int


def launched(environment: Mapping[str, str] | None = None) -> Launch | None:
    """Read what torchrun says about this process; None where nobody started several.

    Raises: SettingError where the figures contradict each other.

    >>> launched({"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2"})
    Launch(rank=1, local_rank=1, world_size=2)
    >>> launched({}) is None
    True
    """
    values = os.environ if environment is None else environment
    if "RANK" not in values or "WORLD_SIZE" not in values:
        return None
    rank, world_size = int(values["RANK"]), int(values["WORLD_SIZE"])
    if not 0 <= rank < world_size:
        raise SettingError(
            f"This is process {rank} of {world_size}.", expected="a rank below the number of processes.",
            remedy="start with torchrun, which sets RANK and WORLD_SIZE.",
        )  # fmt: skip
    return Launch(rank=rank, local_rank=int(values.get("LOCAL_RANK", rank)), world_size=world_size)


@contextmanager
def joined(launch: Launch, *, device: torch.device, timeout_seconds: float = TIMEOUT_SECONDS) -> Iterator[None]:
    """Join the other processes for the length of a `with`, and leave them in order.

    The rendezvous address is torchrun's. Every process then says that it is there, and the count must be what was
    asked for: some launchers were seen to start one process where two were asked for, without a word.

    Units: seconds that a process waits for a stuck one before it raises.
    Raises: SettingError where another number of processes runs than was asked for.
    """
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    wait = timedelta(seconds=timeout_seconds)
    dist.init_process_group(backend, rank=launch.rank, world_size=launch.world_size, timeout=wait)
    try:
        present = torch.ones((), device=device)
        dist.all_reduce(present)
        if round(present.item()) != launch.world_size:
            raise SettingError(
                f"{round(present.item())} processes run.", expected=f"{launch.world_size}, as asked for.",
                remedy="start with torchrun --nproc-per-node.",
            )  # fmt: skip
        yield
    finally:
        dist.destroy_process_group()


def total_over_processes(count: int, runtime: Runtime) -> Tensor:
    """Sum a count over all processes, left on the device."""
    total = torch.tensor(float(count), device=runtime.device)
    if runtime.world_size > 1:
        dist.all_reduce(total)
    return total


def from_first(value: float, *, device: torch.device | None = None) -> float:
    """Tell every process the first one's value, for plans that rest on its clock.

    >>> from_first(0.25)
    0.25
    """
    if not (dist.is_available() and dist.is_initialized()):
        return value
    told = torch.tensor(value, dtype=torch.float64, device=device or "cpu")
    dist.broadcast(told, src=0)
    return float(told)
