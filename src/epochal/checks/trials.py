"""Short trials of learning: one batch by heart, and images against zeros.

Each has a cap on steps and on seconds, makes its own network, and leaves no trace.  The rules in
`epochal.checks.learning` judge what they measured.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch
from torch import Tensor, nn

from epochal.checks.isolation import same_dice
from epochal.checks.learning import COVERED, BatchFit, InputDependence, sees

Loss = Callable[[Tensor, Tensor], Tensor]

# Adam's rate in both trials: from 1e-3 to 1e-2 healthy networks find a signal equally soon; ten times less takes longer
# to learn a batch by heart (benchmarks/healthy/rates.md).
RATE = 3e-3
BATCH = 64
# Within this many nats of the lowest reachable loss a batch is known by heart; where labels are no class numbers, below
# this share of the first loss.
BY_HEART = 0.05
# First look at the held-out samples; each later one comes after twice as many steps.
FIRST_LOOK = 8
_NORMS = (nn.modules.batchnorm._BatchNorm,)  # noqa: SLF001  the one name that covers all of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How much a trial may cost, whichever is reached first ends it; the seed of its draws, and Adam's rate."""

    steps: int
    seconds: float
    seed: int = 0
    rate: float = RATE


def fit_batch(
    make_model: Callable[[], nn.Module], images: Tensor, *, labels: Tensor, loss: Loss, caps: Caps
) -> BatchFit:
    """Train a fresh network on a few samples until it knows them by heart (tip K2.8).

    Adam, no augmentation, dropout off; batch normalisation uses the batch, as in training.  Eight samples are a good
    number; their loss is judged without label smoothing, so hand over a loss without.
    Shapes: images (k, c, h, w) as the network gets them; labels (k,) class numbers, or whatever the loss takes.

    >>> images, labels = torch.randn(4, 6), torch.tensor([0, 1, 2, 0])
    >>> fit = fit_batch(lambda: nn.Linear(6, 3), images, labels=labels, loss=nn.functional.cross_entropy,
    ...                 caps=Caps(steps=3000, seconds=30))
    >>> fit.ended, fit.right
    ('fitted', 1.0)
    """
    classes = _are_classes(labels)
    floor, reachable = lowest_loss(images, labels) if classes else (0.0, 1.0)
    began, losses, ended = time.perf_counter(), [], ""
    with same_dice(), torch.enable_grad():
        torch.manual_seed(caps.seed)
        model = _learning_mode(make_model())
        before = [each.detach().clone() for each in model.parameters()]
        optimizer = _adam(model, rate=caps.rate)
        while True:
            logits = model(images)
            value = loss(logits, labels).mean()
            losses.append(float(value.detach()))
            near = BY_HEART if classes else BY_HEART * losses[0]
            right = _share_right(logits, labels) if classes else _share_covered(losses)
            known = right >= reachable - 1e-9 and losses[-1] < floor + near
            ended = "fitted" if known else _spent(losses, seconds=time.perf_counter() - began, caps=caps)
            if ended:
                break
            _step(optimizer, value)
        moved = any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    return BatchFit(
        samples=len(labels),
        first=losses[0],
        last=losses[-1],
        floor=floor,
        right=right,
        reachable=reachable,
        steps=len(losses) - 1,
        seconds=time.perf_counter() - began,
        ended=ended,
        says_probabilities=classes and _are_probabilities(logits.detach()),
        moved=moved or len(losses) == 1,
    )


def _are_classes(labels: Tensor) -> bool:
    return labels.ndim == 1 and not labels.is_floating_point()


def _share_right(logits: Tensor, labels: Tensor) -> float:
    return float((logits.detach().argmax(1) == labels).float().mean())


def _share_covered(losses: list[float]) -> float:
    """Of the way from the first loss to nought, all of it where the rest is what the rule forgives."""
    covered = 1 - losses[-1] / losses[0] if losses[0] > 0 else 1.0
    return 1.0 if covered >= COVERED else max(covered, 0.0)


def _spent(losses: list[float], *, seconds: float, caps: Caps) -> str:
    """What ends the trial now, if anything does."""
    if not isfinite(losses[-1]):
        return "broken"
    if seconds > caps.seconds:
        return "time"
    return "steps" if len(losses) > caps.steps else ""


def lowest_loss(images: Tensor, labels: Tensor) -> tuple[float, float]:
    """The lowest mean cross-entropy, and the largest share right, that equal images with unequal labels leave possible.

    Units: nats per sample; share.

    >>> twins = torch.zeros(2, 1, 4, 4)
    >>> lowest_loss(twins, torch.tensor([0, 1]))
    (0.6931471805599453, 0.5)
    >>> lowest_loss(twins, torch.tensor([1, 1]))
    (0.0, 1.0)
    """
    group = torch.unique(images.detach().flatten(1), dim=0, return_inverse=True)[1].cpu().numpy()
    counts = np.zeros((int(group.max()) + 1, int(labels.max()) + 1))
    np.add.at(counts, (group, labels.cpu().numpy()), 1)
    sizes = counts.sum(1, keepdims=True)
    shares = np.where(counts > 0, counts / sizes, 1.0)
    n = counts.sum()
    return float(-(counts * np.log(shares)).sum() / n) + 0.0, float(counts.max(1).sum() / n)


def input_dependence(
    make_model: Callable[[], nn.Module],
    *,
    train: tuple[Tensor, Tensor],
    held: tuple[Tensor, Tensor],
    loss: Loss,
    caps: Caps,
    constant: Tensor | None = None,
) -> InputDependence:
    """Train a fresh network on images and its twin on zeros, and compare them on held-out samples (tip K2.7).

    Same weights to begin with, same batches, same steps.  A look at the held-out samples after 8, 16, 32, ... steps
    ends the trial as soon as seeing helps beyond chance.  `loss` must give one value per sample.  A narrow network on
    small images is best: this asks about data and wiring, not about the final network. `constant` is the best answer
    that does not look, by default the logits of the class shares.
    Shapes: `train` and `held` are images (n, c, h, w) and their labels; at least 100 held-out samples, 256 suffice.

    >>> source = torch.Generator().manual_seed(0)
    >>> images, labels = torch.randn(400, 3, generator=source), torch.arange(400) % 2
    >>> images[:, 0] += 2 * labels
    >>> trial = input_dependence(lambda: nn.Linear(3, 2), train=(images[:200], labels[:200]),
    ...     held=(images[200:], labels[200:]), loss=lambda z, y: nn.functional.cross_entropy(z, y, reduction="none"),
    ...     caps=Caps(steps=500, seconds=20))
    >>> trial.ended
    'signal'
    """
    began = time.perf_counter()
    with same_dice(), torch.enable_grad():
        torch.manual_seed(caps.seed)
        seeing = _learning_mode(make_model())
        torch.manual_seed(caps.seed)
        blind = _learning_mode(make_model())
        blind.load_state_dict(seeing.state_dict())
        guess = _shares(seeing, train) if constant is None else constant[None]
        twins = Twins(seeing=seeing, blind=blind, loss=loss, constant=guess)
        optimizers = _adam(seeing, rate=caps.rate), _adam(blind, rate=caps.rate)
        outcome, ended, step, look = None, "", 0, FIRST_LOOK
        for images, labels in _batches(*train, seed=caps.seed):
            twins.teach(images, labels, optimizers=optimizers)
            step += 1
            late = time.perf_counter() - began > caps.seconds
            if step >= look or late or step == caps.steps:
                look *= 2
                outcome = twins.compare(*held)
                ended = "signal" if sees(outcome[0], answer_spread=outcome[2]) else "time" if late else "steps"
            if outcome is not None and (ended != "steps" or step >= caps.steps):
                break
    assert outcome is not None, "batches come without end"
    gain, blind_loss, spread = outcome
    return InputDependence(
        gain=tuple(gain.tolist()),
        blind_loss=blind_loss,
        answer_spread=spread,
        steps=step,
        seconds=time.perf_counter() - began,
        ended=ended,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Twins:
    """Two networks that began alike: one learns from the images, the other from zeros in their place."""

    seeing: nn.Module
    blind: nn.Module
    loss: Loss
    constant: Tensor  # the best answer that does not look, for one sample

    def teach(self, images: Tensor, labels: Tensor, *, optimizers: tuple[torch.optim.Optimizer | None, ...]) -> None:
        """One step of each on the same batch."""
        _step(optimizers[0], self.loss(self.seeing(images), labels).mean())
        # Equal inputs give equal outputs, so two zero images (batch normalisation needs two) stand for all of them.
        blind = self.blind(torch.zeros_like(images[:2]))[:1]
        _step(optimizers[1], self.loss(_repeated(blind, len(labels)), labels).mean())

    @torch.no_grad()
    def compare(self, images: Tensor, labels: Tensor) -> tuple[np.ndarray, float, float]:
        """Per-sample gain of seeing, the blind loss, and how much the seeing network's answers differ over images.

        Blind is the better of the blind network and the constant itself: a blind network that has not yet learnt the
        class shares would make any other look good.
        """
        kept = [
            {name: value.clone() for name, value in each.state_dict().items()} for each in (self.seeing, self.blind)
        ]
        logits = self.seeing(images).double()
        guess = self.blind(torch.zeros_like(images[:2]))[:1].double()
        for each, state in zip((self.seeing, self.blind), kept, strict=True):
            each.load_state_dict(state)  # looking must not move running statistics
        known = self.constant.to(guess).view(1, -1, *[1] * (guess.ndim - 2)).expand_as(guess)
        guesses = [self.loss(_repeated(each, len(labels)), labels).double() for each in (guess, known)]
        blind_losses = min(guesses, key=lambda losses: float(losses.mean()))
        gain = (blind_losses - self.loss(logits, labels).double()).cpu().numpy()
        over_images = float(logits.std(0).mean())
        # a single number has no spread over classes; it is in units of the targets' own spread
        over_classes = float(logits.std(1).mean()) if logits.shape[1] > 1 else 1.0
        return gain, float(blind_losses.mean()), over_images / max(over_classes, 1e-12)


def _repeated(one: Tensor, count: int) -> Tensor:
    """The answer for one sample, given to all."""
    return one.expand(count, *one.shape[1:])


def _batches(images: Tensor, labels: Tensor, *, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Shuffled batches without end; every epoch in another order, the last batch filled from the next."""
    order = torch.Generator().manual_seed(seed)
    rows = torch.zeros(0, dtype=torch.long)
    while True:
        while len(rows) < min(BATCH, len(labels)):
            rows = torch.cat([rows, torch.randperm(len(labels), generator=order)])
        chosen, rows = rows[:BATCH].to(labels.device), rows[BATCH:]
        yield images[chosen], labels[chosen]


@torch.no_grad()
def _shares(model: nn.Module, train: tuple[Tensor, Tensor]) -> Tensor:
    """Logits that answer with the class shares of the training labels, smoothed by one sample in all."""
    images, labels = train
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    classes = model(images[:2]).shape[1]
    model.load_state_dict(kept)
    counts = torch.bincount(labels, minlength=classes).double() + 1 / classes
    logits: Tensor = (counts / counts.sum()).log()[None]
    return logits


def _learning_mode(model: nn.Module) -> nn.Module:
    """Evaluation mode but for batch normalisation: no dropout, and statistics of the batch at hand."""
    model.eval()
    for module in model.modules():
        if isinstance(module, _NORMS):
            module.train()
    return model


def _adam(model: nn.Module, *, rate: float) -> torch.optim.Optimizer | None:
    parameters = [each for each in model.parameters() if each.requires_grad]
    return torch.optim.Adam(parameters, lr=rate) if parameters else None


def _step(optimizer: torch.optim.Optimizer | None, value: Tensor) -> None:
    if optimizer is not None and value.requires_grad:
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _are_probabilities(outputs: Tensor) -> bool:
    return bool(((outputs >= 0) & (outputs <= 1)).all()) and bool(((outputs.sum(1) - 1).abs() < 1e-4).all())
