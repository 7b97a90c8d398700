"""The loop: a generator of steps. Whoever iterates decides when to log, judge, save or stop.

    for step in train(model, loader, update=update, runtime=runtime, pace=FixedSteps(1000)):
        ...

Every random draw follows from (seed, epoch, step): the global generator is seeded anew before each step, so a run that
is stopped after any step and resumed from `Step.position` goes on bit for bit, dropout included, and nothing about
generators needs saving. Values stay on the device until someone reads them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from epochal.data.batch import Batch
from epochal.errors import DataError, SettingError
from epochal.optim.optimizer import grad_norm, set_lr
from epochal.optim.schedule import Schedule, constant
from epochal.training.distributed import total_over_processes
from epochal.training.environment import reseed
from epochal.training.pace import Pace
from epochal.training.runtime import Runtime

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
Transform: TypeAlias = Callable[[Batch], Batch]
AfterUpdate: TypeAlias = Callable[[nn.Module], None]


class Loader(Protocol):
    """Where batches come from, in an order that (seed, epoch) alone decides."""

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Batches of one epoch from the `start`-th on."""

    def __len__(self) -> int:
        """Batches in an epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """How far a run has come: `step` updates, and `batch` batches of epoch `epoch`.

    >>> Position.read({"step": 3, "epoch": 1, "batch": 0})
    Position(step=3, epoch=1, batch=0)
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0

    @classmethod
    def read(cls, state: dict[str, Any]) -> "Position":
        """Rebuild from plain numbers."""
        return cls(step=int(state["step"]), epoch=int(state["epoch"]), batch=int(state["batch"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What a step does to the weights.

    `loss` gives one value per sample from float32 logits and labels. `accumulate` batches make one step, equal to one
    batch of all their samples. `clip_norm` bounds the gradient's length; `inf` measures it and bounds nothing.
    `after_update` are called with the model once it has moved, without gradients.

    Raises: SettingError for fewer than one batch per step, or a length that is not positive.
    """

    loss: Loss
    optimizer: Optimizer
    schedule: Schedule = field(default_factory=constant)
    transforms: Sequence[Transform] = ()
    after_update: Sequence[AfterUpdate] = ()
    accumulate: int = 1
    clip_norm: float | None = None
    scaler: torch.amp.GradScaler | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.accumulate < 1 or (self.clip_norm is not None and not self.clip_norm > 0):
            raise SettingError(
                f"Steps of {self.accumulate} batches, gradients clipped at {self.clip_norm}.",
                expected="1 batch or more, and a length above 0 or none.",
                remedy="leave both out unless you need them.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step measured. Tensors stay on the device; reading one waits for it.

    `loss` is the mean over the step's samples (of this process); `outputs` and `labels` are those of its last batch.
    `position` is where a resumed run goes on.
    """

    number: int
    epoch: int
    loss: Tensor
    lr: float
    progress: float
    samples: int
    grad_norm: Tensor | None
    outputs: Tensor
    labels: Tensor
    position: Position
    ends_epoch: bool


def train(
    model: nn.Module,
    loader: Loader,
    *,
    update: Update,
    runtime: Runtime,
    pace: Pace,
    start: Position | None = None,
) -> Iterator[Step]:
    """Train `model` in place, one step per `next()`, until the pace has finished.

    Raises: DataError where an epoch holds no batch.

    >>> from epochal.losses.classification import cross_entropy
    >>> from epochal.optim.optimizer import build
    >>> from epochal.training.pace import FixedSteps
    >>> class One:
    ...     def epoch(self, number, start=0):
    ...         images, one = torch.ones(2, 1, 1, 1), torch.tensor([0, 1])
    ...         yield from [Batch(images=images, labels=one, index=one, seed=0, epoch=number)][start:]
    ...     def __len__(self): return 1
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    >>> update = Update(loss=cross_entropy, optimizer=build(model, lr=0.1))
    >>> [step.number for step in train(model, One(), update=update, runtime=Runtime(), pace=FixedSteps(3))]
    [1, 2, 3]
    """
    called = runtime.wrap(model)
    position = start or Position()
    ahead = _RunAhead(runtime.device)
    done = pace.finished
    while not done:
        epoch = position.epoch
        for batches in _groups(loader, position, size=update.accumulate):
            if not model.training:
                model.train()
            ahead.wait()
            reseed(batches[0].seed, epoch=epoch, step=position.step, rank=runtime.rank, device=runtime.device)
            position = _after(position, len(batches), length=len(loader))
            step = _stepped(called, batches, update=update, runtime=runtime, progress=pace.progress, position=position)
            if update.after_update:
                with torch.no_grad():
                    for act in update.after_update:
                        act(model)
            ahead.mark()
            pace.advance()
            done = pace.finished
            yield step
            if done:
                return
        if position.epoch == epoch:
            raise DataError(
                f"The loader ended epoch {epoch} after {position.batch} batches.",
                expected=f"{len(loader)}, its length, and at least 1.",
                remedy="lower the batch size, or keep the last, smaller batch.",
            )


def _stepped(
    called: nn.Module, batches: list[Batch], *, update: Update, runtime: Runtime, progress: float, position: Position
) -> Step:
    lr = set_lr(update.optimizer, update.schedule(progress))
    update.optimizer.zero_grad(set_to_none=True)
    loss, outputs, labels = _gradients(called, batches, update=update, runtime=runtime)
    norm = _moved(called, update)
    return Step(
        number=position.step, epoch=batches[0].epoch, loss=loss, lr=lr, progress=progress,
        samples=sum(len(batch) for batch in batches), grad_norm=norm, outputs=outputs, labels=labels,
        position=position, ends_epoch=position.batch == 0,
    )  # fmt: skip


def _gradients(
    called: nn.Module, batches: list[Batch], *, update: Update, runtime: Runtime
) -> tuple[Tensor, Tensor, Tensor]:
    """Add up the gradients of the mean loss over all samples of `batches`, however unevenly they are filled."""
    count = sum(len(batch) for batch in batches)
    samples = max(count, 1)  # of several processes one may have none of a small last batch
    # processes average their gradients, each of its own mean: reweighted where their shares of the samples differ
    balance = runtime.world_size * samples / total_over_processes(count, runtime) if runtime.world_size > 1 else 1.0
    means: list[Tensor] = []
    outputs = labels = torch.empty(0)
    for number, batch in enumerate(batches, start=1):
        moved = batch if batch.images.device == runtime.device else batch.to(runtime.device)
        for transform in update.transforms:
            moved = transform(moved)
        with _quiet(called, quiet=number < len(batches)):
            with runtime.autocast():
                outputs = called(runtime.layout(moved.images))
            outputs, labels = outputs.float(), moved.labels
            losses = update.loss(outputs, labels)
            mean = losses.mean() if len(batches) == runtime.world_size == 1 else losses.sum() / samples
            share = mean if runtime.world_size == 1 else mean * balance
            (share if update.scaler is None else update.scaler.scale(share)).backward()  # type: ignore[no-untyped-call]
        means.append(mean.detach())
    return means[0] if len(means) == 1 else torch.stack(means).sum(), outputs.detach(), labels


def _moved(called: nn.Module, update: Update) -> Tensor | None:
    """Clip, then let the optimizer move the weights; gives the gradient's length where that was asked for."""
    optimizer, scaler, norm = update.optimizer, update.scaler, None
    if update.clip_norm is not None:
        if scaler is not None:
            scaler.unscale_(optimizer)
        if update.clip_norm == float("inf"):
            norm = grad_norm(called)
        else:
            norm = nn.utils.clip_grad_norm_(called.parameters(), update.clip_norm)
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
    return norm


def _groups(loader: Loader, position: Position, *, size: int) -> Iterator[list[Batch]]:
    """Batches in lists of `size`, the last of an epoch perhaps shorter: a step never spans two epochs."""
    group: list[Batch] = []
    for batch in loader.epoch(position.epoch, position.batch):
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _after(position: Position, batches: int, *, length: int) -> Position:
    used = position.batch + batches
    if used >= length:
        return Position(step=position.step + 1, epoch=position.epoch + 1, batch=0)
    return Position(step=position.step + 1, epoch=position.epoch, batch=used)


def _quiet(called: nn.Module, *, quiet: bool) -> AbstractContextManager[Any]:
    """Keep processes from exchanging gradients that are not complete yet."""
    return called.no_sync() if quiet and isinstance(called, DistributedDataParallel) else nullcontext()


class _RunAhead:
    """Let the CPU be two steps ahead of an accelerator at most: it stays busy, and measured times stay true."""

    def __init__(self, device: torch.device) -> None:
        self.events: list[torch.cuda.Event] = []
        self.used = device.type == "cuda"

    def wait(self) -> None:
        if len(self.events) >= 2:
            self.events.pop(0).synchronize()

    def mark(self) -> None:
        if self.used:
            event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            event.record()
            self.events.append(event)
