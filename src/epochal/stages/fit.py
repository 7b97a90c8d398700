"""One training of the network: steps, looks at the validation split, the best weights, and the state to resume from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from epochal.optim.plateau import Plateau
from epochal.training.checkpoint import load_newest, previous, save_keeping_previous
from epochal.training.evaluation import predict
from epochal.training.loop import Loader, Position, Step, Update, train
from epochal.training.state import Stateful, capture, restore

if TYPE_CHECKING:
    from pathlib import Path

    from epochal.ensembles.average import Average
    from epochal.tasks.task import Task
    from epochal.training.pace import TimedSteps
    from epochal.training.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look at the validation split saw, with the averaged weights."""

    step: int
    epoch: float
    progress: float
    loss: float
    score: float

    def better_than(self, other: Look | None, *, higher: bool) -> bool:
        """A better score, or the same with a lower loss; `higher` says which way the score points."""
        if other is None:
            return True
        sign = 1 if higher else -1
        return (sign * self.score, -self.loss) > (sign * other.score, -other.loss)


@dataclass(slots=True, kw_only=True)
class Best:
    """The best weights so far, and when they were seen: what early stopping restores (K4.9)."""

    look: Look | None = None
    weights: dict[str, Tensor] = field(default_factory=dict)
    evidence: Tensor = field(default_factory=lambda: torch.zeros(0, 0))  # on the validation split, in its order

    def state_dict(self) -> dict[str, Any]:
        """Plain values and tensors."""
        look = self.look
        seen = None if look is None else [look.step, look.epoch, look.progress, look.loss, look.score]
        return {"look": seen, "weights": self.weights, "evidence": self.evidence}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a saved best."""
        seen = state["look"]
        names = ("step", "epoch", "progress", "loss", "score")
        self.look = None if seen is None else Look(**dict(zip(names, seen, strict=True)))
        self.weights = dict(state["weights"])
        self.evidence = state["evidence"]


class Fit:
    """A network being trained; iterate `steps` and call `look` and `save` between them.

    It knows nothing of journals and budgets: whoever iterates decides when to look, save or stop.
    """

    def __init__(  # noqa: PLR0913 - a fit is what all of these are brought together in
        self,
        model: nn.Module,
        *,
        task: Task,
        update: Update,
        average: Average,
        pace: TimedSteps,
        runtime: Runtime,
        loader: Loader,
        validation: Loader,
    ) -> None:
        """Keep the parts."""
        self.model = model
        self.task = task
        self.update = update
        self.average = average
        self.pace = pace
        self.runtime = runtime
        self.loader = loader
        self.validation = validation
        self.position = Position()
        self.best = Best()
        self._parts: dict[str, Stateful] = {
            "model": model,
            "optimizer": update.optimizer,
            "average": average,
            "pace": pace,
            "best": self.best,
        }
        if isinstance(update.schedule, Plateau):  # the one schedule that has a memory
            self._parts["schedule"] = update.schedule

    def steps(self) -> Iterator[Step]:
        """Train from where the fit stands to the end of its pace."""
        for step in train(
            self.model, self.loader, update=self.update, runtime=self.runtime, pace=self.pace, start=self.position
        ):
            self.position = step.position
            yield step

    def look(self) -> Look:
        """Evaluate the averaged weights on the validation split, and keep them if they are the best so far.

        A plateau schedule is told the loss: what it does next follows from the looks.
        """
        with self.average.applied(self.model):
            said = predict(self.model, self.validation, runtime=self.runtime, keep=self.task.evidence)
            evidence, labels = said.outputs.cpu().numpy(), said.labels.cpu().numpy()
            sound = bool(np.isfinite(evidence).all())
            finite = np.nan_to_num(evidence, nan=0.0, posinf=1e4, neginf=-1e4)
            seen = Look(
                step=self.position.step,
                epoch=self.epochs,
                progress=self.pace.progress,
                loss=float(self.task.losses(finite, labels).mean()),
                score=self.task.score(finite, labels).value,
            )
            if sound and seen.better_than(self.best.look, higher=self.task.metric.higher_is_better):
                self.best.look = seen
                self.best.evidence = torch.from_numpy(evidence)
                self.best.weights = {
                    name: value.detach().cpu().clone() for name, value in self.model.state_dict().items()
                }
        if isinstance(self.update.schedule, Plateau):
            self.update.schedule.observe(seen.loss, progress=seen.progress)
        return seen

    @property
    def epochs(self) -> float:
        """Epochs done, with the part of the one that is under way."""
        return self.position.epoch + self.position.batch / len(self.loader)

    def restore_best(self) -> None:
        """Give the model the best weights seen at any look."""
        if self.best.weights:
            self.model.load_state_dict(self.best.weights)

    def save(self, path: Path) -> None:
        """Write everything from which the fit can go on, bit for bit; the file before is kept beside it."""
        save_keeping_previous(path, capture(self.position, self._parts))

    def resume(self, path: Path) -> Path | None:
        """Go on from the newest sound file at `path`; gives the one that was used, None if there is none.

        Raises: CheckpointError if there are files and none of them is sound.
        """
        if not path.exists() and not previous(path).exists():
            return None
        self.runtime.place(self.model)
        used, state = load_newest([path, previous(path)])
        self.position = restore(state, self._parts)
        return used


class StepLosses:
    """Losses as they come, left on the device until a look reads all of them at once."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._steps: list[int] = []
        self._losses: list[Tensor] = []
        self._rates: list[float] = []

    def add(self, step: Step) -> None:
        """Remember one step without waiting for it."""
        self._steps.append(step.number)
        self._losses.append(step.loss)
        self._rates.append(step.lr)

    def read(self) -> tuple[list[int], list[float], list[float]]:
        """Steps, losses and rates since the last reading."""
        losses = torch.stack(self._losses).float().cpu().tolist() if self._losses else []
        steps, rates = self._steps, self._rates
        self._steps, self._losses, self._rates = [], [], []
        return steps, losses, rates
