"""The hand-written loop that the engine is held against, with a small network and data that live in memory.

Kept plain on purpose: no function of the engine is used here. The tests, `epochal doctor` and the benchmarks share it.
"""

import math
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from epochal.data.batch import Batch


class MemoryLoader:
    """Batches of tensors that are already normalised, shuffled by a generator of its own.

    Shapes: images (n, c, h, w), labels (n,).

    >>> loader = MemoryLoader(torch.zeros(5, 1, 2, 2), torch.arange(5), batch_size=2)
    >>> [len(batch) for batch in loader.epoch(0)], len(loader), len(list(loader.epoch(0, 2)))
    ([2, 2, 1], 3, 1)
    """

    def __init__(
        self, images: Tensor, labels: Tensor, *, batch_size: int, seed: int = 0, shard: tuple[int, int] = (0, 1)
    ) -> None:
        """Keep the tensors; `shard` is (rank, processes), each taking every so manieth sample of a batch."""
        self.images, self.labels = images, labels
        self.batch_size, self.seed, self.shard = batch_size, seed, shard

    def __len__(self) -> int:
        """Batches in an epoch, the last, smaller one included."""
        return math.ceil(len(self.labels) / self.batch_size)

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Batches of epoch `number` from the `start`-th on."""
        generator = torch.Generator().manual_seed(1000 * self.seed + number)
        order = torch.randperm(len(self.labels), generator=generator)
        rank, processes = self.shard
        for i in range(start, len(self)):
            rows = order[i * self.batch_size : (i + 1) * self.batch_size][rank::processes]
            yield Batch(images=self.images[rows], labels=self.labels[rows], index=rows, seed=self.seed, epoch=number)


def small_data(samples: int = 20, *, size: int = 8, classes: int = 3) -> tuple[Tensor, Tensor]:
    """Random images with random labels, the same each time.

    >>> images, labels = small_data(4)
    >>> images.shape, labels.shape
    (torch.Size([4, 3, 8, 8]), torch.Size([4]))
    """
    generator = torch.Generator().manual_seed(7)
    images = torch.randn(samples, 3, size, size, generator=generator)
    return images, torch.randint(classes, (samples,), generator=generator)


def small_network(*, norm: str = "batch", dropout: float = 0.0, classes: int = 3) -> nn.Sequential:
    """Two convolutions with a normalisation and dropout, the same weights each time, whatever was drawn before.

    >>> small_network()(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 3])
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8) if norm == "batch" else nn.GroupNorm(2, 8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, classes),
        )


def by_hand(
    model: nn.Module,
    batches: Sequence[tuple[Tensor, Tensor]],
    *,
    lr: float = 0.1,
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
) -> list[float]:
    """Train with Nesterov SGD as one would write it without any engine; gives the loss of each step.

    >>> losses = by_hand(small_network(), [small_data(8)] * 5)
    >>> losses[-1] < losses[0]
    True
    """
    weights = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=lr, momentum=0.9, nesterov=True, fused=True)
    model.train()
    losses = []
    for images, labels in batches:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses
