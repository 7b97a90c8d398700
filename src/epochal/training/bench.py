"""A network on a test bench: its gradient and the time of a step, under one runtime and another."""

import copy
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from epochal.data.batch import Batch
from epochal.optim.optimizer import build
from epochal.training.environment import reseed
from epochal.training.pace import Clock
from epochal.training.runtime import Runtime


class Bench:
    """Copies of a network that are trained, timed and thrown away; the network itself is left alone.

    >>> batch = Batch(images=torch.randn(8, 3, 4, 4), labels=torch.arange(8) % 2, index=torch.arange(8), seed=0)
    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    >>> bench = Bench(network, batch, loss=nn.CrossEntropyLoss(reduction="none"), clock=iter(range(99)).__next__)
    >>> bench.distance(Runtime())[0], bench.seconds_per_step(Runtime())
    (0.0, 1)
    """

    def __init__(
        self, model: nn.Module, batch: Batch, *, loss: Callable[[Tensor, Tensor], Tensor], clock: Clock
    ) -> None:
        """Remember what to copy; nothing is computed yet."""
        self.model, self.batch, self.loss, self.clock = model, batch, loss, clock
        self._ready: dict[Runtime, tuple[nn.Module, nn.Module, Optimizer]] = {}
        self._reference: Tensor | None = None

    @property
    def samples(self) -> int:
        """Samples in a step."""
        return len(self.batch)

    def cut(self, runtime: Runtime, *, limit: float) -> None:
        """Keep as many samples as a step of `limit` seconds can hold, 8 at least, judged by a small step."""
        whole, small = self.batch, _part(self.batch, 0, stop=8)
        self.batch = small
        self.seconds_per_step(runtime)  # the first one allocates
        taken = self.seconds_per_step(runtime)
        while 2 * len(small) <= len(whole) and 2 * taken <= limit:
            small, taken = _part(whole, 0, stop=2 * len(small)), 2 * taken
        self.batch = small

    def sampling_noise(self, runtime: Runtime) -> float:
        """Standard error of the batch's mean gradient, as half the distance between those of its two halves."""
        half = self.samples // 2
        first, _ = self._gradient(runtime, _part(self.batch, 0, stop=half))
        second, _ = self._gradient(runtime, _part(self.batch, half, stop=2 * half))
        return float((first - second).norm()) / 2

    def distance(self, runtime: Runtime) -> tuple[float, float]:
        """How far the gradient under `runtime` is from plain float32's (infinitely if not finite), and the loss."""
        if self._reference is None:
            plain = Runtime(device=runtime.device, threads=runtime.threads)
            self._reference, _ = self._gradient(plain, self.batch)
        gradient, loss = self._gradient(runtime, self.batch)
        distance = float((gradient - self._reference).norm())
        return (distance if math.isfinite(distance) and math.isfinite(loss) else math.inf), loss

    def seconds_per_step(self, runtime: Runtime) -> float:
        """Time one whole step: forward, backward, optimizer."""
        _, called, optimizer = self._prepared(runtime)
        scaler = runtime.scaler()
        self._wait(runtime)
        began = self.clock()
        optimizer.zero_grad(set_to_none=True)
        loss = self._loss(called, self.batch, runtime=runtime)
        (loss if scaler is None else scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        self._wait(runtime)
        return self.clock() - began

    def _gradient(self, runtime: Runtime, batch: Batch) -> tuple[Tensor, float]:
        if runtime.threads is not None:
            torch.set_num_threads(runtime.threads)
        model = runtime.place(copy.deepcopy(self.model)).train()
        reseed(0, epoch=0, step=0, device=runtime.device)  # the same dropout for all
        scale = 1.0 if runtime.scaler() is None else 1024.0
        loss = self._loss(model, batch, runtime=runtime)
        (loss * scale).backward()  # type: ignore[no-untyped-call]
        gradients = [p.grad.flatten().float() / scale for p in model.parameters() if p.grad is not None]
        return torch.cat(gradients), float(loss.detach())

    def _loss(self, called: nn.Module, batch: Batch, *, runtime: Runtime) -> Tensor:
        here = batch.to(runtime.device)
        with runtime.autocast():
            outputs = called(runtime.layout(here.images))
        return self.loss(outputs.float(), here.labels).mean()

    def _prepared(self, runtime: Runtime) -> tuple[nn.Module, nn.Module, Optimizer]:
        if runtime.threads is not None:
            torch.set_num_threads(runtime.threads)
        if runtime not in self._ready:
            model = copy.deepcopy(self.model).train()
            called = runtime.wrap(model)
            # a rate of 0 would let a kernel skip its work; this one is too small to move the loss
            optimizer = build(model, lr=1e-9, weight_decay=5e-4, fused=runtime.fused)
            self._ready[runtime] = model, called, optimizer
        return self._ready[runtime]

    @staticmethod
    def _wait(runtime: Runtime) -> None:
        if runtime.device.type == "cuda":
            torch.cuda.synchronize(runtime.device)


def _part(batch: Batch, start: int, *, stop: int) -> Batch:
    return batch.replace(
        images=batch.images[start:stop], labels=batch.labels[start:stop], index=batch.index[start:stop]
    )
