"""One of two processes that train together, for the proof that they equal one: `python -m epochal.training.twin PATH`.

The weights go to PATH, with the rank appended. Every second rank trains on every second sample.
"""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from epochal.losses.classification import cross_entropy
from epochal.optim.optimizer import build
from epochal.training.checkpoint import load, save
from epochal.training.distributed import Launch, joined, launched
from epochal.training.environment import detect
from epochal.training.loop import Update, train
from epochal.training.pace import FixedSteps
from epochal.training.reference import MemoryLoader, small_data, small_network
from epochal.training.runtime import Runtime
from epochal.training.threads import for_children


def two_processes(*, timeout_seconds: float = 120.0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Train the small network in two processes on the processor; gives the weights that each ended with.

    Raises: RuntimeError with what a process said, where one failed.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "CUDA_VISIBLE_DEVICES": ""}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights"
        running = [_started(path, shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)}) for rank in (0, 1)]
        try:
            told = [process.communicate(timeout=timeout_seconds)[1] for process in running]
        finally:
            for process in running:
                process.kill()  # nothing, where it has ended
                process.communicate()
        for process, said in zip(running, told, strict=True):
            if process.returncode:
                raise RuntimeError(f"A process ended with code {process.returncode}: {said[-500:]}")
        first, second = (load(path.with_suffix(f".{rank}")) for rank in (0, 1))
        return first, second


def _started(path: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603  our own interpreter and module
        [sys.executable, "-m", "epochal.training.twin", str(path)],
        env=os.environ | for_children(2, cores=2) | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def train_in_company(launch: Launch, runtime: Runtime) -> dict[str, Tensor]:
    """Train the small network together with the other processes; gives the weights.

    Batches of 8 are shared out, two make a step, and the last of an epoch is smaller, all clipped: accumulation,
    uneven parts and clipping are proven together.
    """
    loader = MemoryLoader(*small_data(), batch_size=8, shard=(launch.rank, launch.world_size))
    model = small_network(norm="group")
    update = Update(loss=cross_entropy, optimizer=build(model, lr=0.1), accumulate=2, clip_norm=0.5)
    for _ in train(model, loader, update=update, runtime=runtime, pace=FixedSteps(5)):
        pass
    return {name: value.detach() for name, value in model.named_parameters()}


def main() -> None:
    """Join, train, write the weights, leave."""
    launch = launched()
    assert launch is not None, "start two of these with RANK and WORLD_SIZE set"
    torch.set_num_threads(1)
    runtime = detect(launch)
    with joined(launch, device=runtime.device, timeout_seconds=60.0):
        save(Path(sys.argv[1]).with_suffix(f".{launch.rank}"), train_in_company(launch, runtime))


if __name__ == "__main__":
    main()
