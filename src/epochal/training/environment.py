"""The machine a run finds, and the state of its random generators."""

import os
import random

import numpy as np
import torch

from epochal.data.order import FIRST, GOLDEN, MASK, SECOND
from epochal.training.allocator import keep_freed_memory
from epochal.training.distributed import Launch
from epochal.training.machine import usable_cores
from epochal.training.runtime import Runtime


def seed_everything(seed: int) -> None:
    """Seed Python's, numpy's and torch's global generators (tip K2.1).

    >>> seed_everything(3); first = torch.rand(2)
    >>> seed_everything(3); torch.equal(first, torch.rand(2))
    True
    """
    random.seed(seed)
    np.random.seed(seed % (1 << 32))  # noqa: NPY002  other people's code may draw from the global generator
    torch.manual_seed(seed)


def mixed(*parts: int) -> int:
    """Hash a few integers into one of 63 bits, each bit of which depends on each of theirs.

    Source: the splitmix64 finaliser, Steele, Lea and Flood 2014, figure 4.

    >>> mixed(1, 2) == mixed(1, 2), mixed(1, 2) == mixed(2, 1)
    (True, False)
    """
    state = 0
    for part in parts:
        state = (state + part + GOLDEN) & MASK
        state = ((state ^ (state >> 30)) * FIRST) & MASK
        state = ((state ^ (state >> 27)) * SECOND) & MASK
        state ^= state >> 31
    return state >> 1


def reseed(seed: int, *, epoch: int, step: int, rank: int = 0, device: torch.device | None = None) -> None:
    """Set torch's generators to what (seed, epoch, step, rank) says, so that a resumed run draws the same numbers.

    This is torch.manual_seed for the devices in use alone: about 2 microseconds instead of 70.

    >>> reseed(0, epoch=1, step=2); first = torch.rand(1)
    >>> reseed(0, epoch=1, step=2); torch.equal(first, torch.rand(1))
    True
    """
    value = mixed(seed, epoch, step, rank)
    torch.default_generator.manual_seed(value)
    if device is not None and device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index  # type: ignore[redundant-expr]
        torch.cuda.default_generators[index].manual_seed(value)


def activate(runtime: Runtime, *, repeatable: bool = True) -> None:
    """Make this process compute as `runtime` says: threads, memory, and on a GPU the choice of kernels.

    `repeatable` has a GPU give the same bits in each run (tip K2.1), at some cost in speed; a CPU does so anyway, with
    the same number of threads. This is the one place where torch's global settings are changed.

    >>> before = torch.get_num_threads()
    >>> activate(Runtime(threads=1)); torch.get_num_threads()
    1
    >>> activate(Runtime(threads=before))
    """
    if runtime.threads is not None:
        torch.set_num_threads(runtime.threads)
    if runtime.device.type == "cpu":
        keep_freed_memory()
        return
    torch.set_float32_matmul_precision("high")
    if repeatable:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.deterministic = repeatable
    torch.backends.cudnn.benchmark = not repeatable


def detect(launch: Launch | None = None) -> Runtime:
    """Describe the machine as found, in the plainest arithmetic; `choose` then measures what is faster.

    >>> detect().precision
    'fp32'
    """
    here = launch or Launch(rank=0, local_rank=0, world_size=1)
    if torch.cuda.is_available():
        device = torch.device("cuda", here.local_rank)
    else:
        device = torch.device("cpu")
    threads = max(1, usable_cores() // here.world_size)
    return Runtime(device=device, threads=threads, rank=here.rank, world_size=here.world_size)
