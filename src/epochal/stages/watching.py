"""What happens between two steps: reading losses, looking at validation data, showing, judging, and when to save."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from epochal.findings import Severity
from epochal.history import History
from epochal.monitors.curves import RULES
from epochal.stages.fit import Fit, Look, StepLosses
from epochal.stages.pictures import Cell, show, stretched
from epochal.stats.curves import thin
from epochal.training.probe import Probe, first_layer_filters

if TYPE_CHECKING:
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session
    from epochal.tasks.task import Task
    from epochal.training.loop import Step

_LOOK_SHARE = 0.02  # of the stage between two looks: with up to 50 of them the curve is smooth and the cost small
_LOOK_COST = 0.03  # of the time that looks may take: where one is dear they come less often
_LONG_EPOCH = 0.1  # of the stage: longer epochs are looked into before they end
_SAVE_SECONDS = 2.0  # epochs shorter than this share a checkpoint, so that saving stays cheap
_READ_STEPS = 50  # losses are read in one go: fewer waits for the device
_GIVE_UP, _GIVE_UP_LOOKS = 0.5, 3  # share of the schedule, and looks, without a better one before stopping early (K4.9)
_PROBED = 16  # samples whose predictions are followed (K2.11)
_FILTERS = 64  # shown: more are too small to be looked at
_SERIES_POINTS = 200  # of each piece of a step-level curve in the journal


class Watcher:
    """Watches one fit for the train stage. `saw` is called after each step and waits for nothing."""

    def __init__(self, session: Session, inspected: Inspected, *, fit: Fit) -> None:
        """Open the history, and choose the samples whose predictions are followed."""
        self._session = session
        self._fit = fit
        self._losses = StepLosses()
        self._history = History.open(session.folder.history)
        self._history.rewind(fit.position.step + 1)
        self._looked_at = fit.pace.progress
        self._look_seconds = 0.0
        self._fruitless = 0  # looks since the best one
        self._saved_at = time.monotonic()
        self._epoch_mark = (time.monotonic(), fit.position.step)
        self._alarmed: set[str] = set()
        self._probe = self._choose_probe(inspected)

    def saw(self, step: Step) -> None:
        """Note a step."""
        self._losses.add(step)
        if step.number % _READ_STEPS == 0:
            self._read()
        best = self._fit.best.look
        shown = (
            ""
            if best is None
            else f", best validation {self._fit.task.metric.name} {self._fit.task.metric.show(best.score)}"
        )
        self._session.progress.update(f"epoch {self._fit.epochs:.1f}, step {step.number:,}{shown}", done=step.progress)

    def look_is_due(self, step: Step) -> bool:
        """At the end of the training, of an epoch, or after a long stretch; never too often."""
        since = self._fit.pace.progress - self._looked_at
        if self._fit.pace.finished:
            return True
        if time.monotonic() - self._epoch_mark[0] < self._look_seconds / _LOOK_COST:
            return False
        return since >= _LONG_EPOCH or (step.ends_epoch and since >= _LOOK_SHARE)

    def look(self) -> bool:
        """Look at the validation split and write down what was seen; False if training has to stop."""
        self._read()
        seconds, steps = time.monotonic() - self._epoch_mark[0], self._fit.position.step - self._epoch_mark[1]
        began = time.monotonic()
        seen = self._fit.look()
        self._fruitless = 0 if self._fit.best.look is seen else self._fruitless + 1
        self._look_seconds = time.monotonic() - began
        self._looked_at = self._fit.pace.progress
        self._history.append(step=seen.step, val_loss=seen.loss, val_score=seen.score)
        self._history.flush()
        self._write(seen, seconds=seconds, steps=steps)
        self._epoch_mark = (time.monotonic(), self._fit.position.step)
        return self._judge()

    def save_is_due(self, step: Step) -> bool:
        """After each epoch, or each two seconds of them where they are shorter."""
        now = time.monotonic()
        if step.ends_epoch and now - self._saved_at >= _SAVE_SECONDS:
            self._saved_at = now
            return True
        return False

    def hopeless(self) -> bool:
        """Whether nothing has become better for so long that the rest of the schedule is better left undone."""
        best = self._fit.best.look
        if best is None or self._fit.pace.finished or self._fruitless < _GIVE_UP_LOOKS:
            return False
        if self._looked_at - best.progress < _GIVE_UP:  # between two looks nothing can have become better
            return False
        self._session.measure("train.stopped_early_at", round(self._fit.pace.progress, 3), unit="share of the schedule")
        self._session.progress.line(f"  no better since epoch {best.epoch:.1f}: stopping early, best weights restored")
        return True

    def close(self) -> None:
        """Write what was not read yet, and close the history."""
        self._read()
        self._history.close()

    def _choose_probe(self, inspected: Inspected) -> Probe | None:
        """A few validation samples; none where the answer is a whole picture for each."""
        task = inspected.task
        if task.dense:
            return None
        rows = np.random.default_rng(0).permutation(inspected.val.index)[:_PROBED]
        labels = inspected.val.labels[rows]
        if self._session.journal.measured("dynamics.labels") is None:
            spoken = task.spoken(labels)
            self._session.measure("dynamics.labels", list(spoken))
            self._session.measure("dynamics.targets", labels.tolist())
            show(
                self._session,
                inspected.val.images[rows],
                name="dynamics",
                caption="The fixed batch whose predictions are followed",
                cells=[Cell(label=each) for each in spoken],
            )
        images = inspected.loader(inspected.val, batch_size=_PROBED).batch(rows).images
        return Probe(images, runtime=self._fit.runtime, answer=answers_of(task))

    def _read(self) -> None:
        """Read the losses since the last time from the device, into history and journal."""
        steps, losses, rates = self._losses.read()
        for step, loss, rate in zip(steps, losses, rates, strict=True):
            self._history.append(step=step, loss=loss, lr=rate)
        if steps:
            x, y = thin(np.asarray(steps), np.asarray(losses), points=_SERIES_POINTS)
            self._session.write(
                "series",
                name="train.loss",
                x=[int(each) for each in x],
                y=[round(float(each), 5) for each in y],
                unit="nats",
            )

    def _write(self, seen: Look, *, seconds: float, steps: int) -> None:
        """The look as an `epoch` event, with the mind of the network on the fixed batch."""
        fit, session = self._fit, self._session
        recent = self._history.values("loss")[-max(steps, 1) :]
        lr = self._history.values("lr")[-1]
        per_second = steps * session.recipe.optimizer.batch_size / max(seconds, 1e-9)
        session.write(
            "epoch",
            number=round(seen.epoch, 3),
            steps=seen.step,
            train_loss=sum(recent) / len(recent),
            val_loss=seen.loss,
            val_score=seen.score,
            lr=lr,
            seconds=round(seconds, 3),
            images_per_second=round(per_second, 1),
            progress=round(seen.progress, 4),
            best=fit.best.look is seen,
        )
        self._write_dynamics(seen)
        session.progress.line(
            f"  epoch {seen.epoch:5.1f}  loss {sum(recent) / len(recent):.3f}  validation"
            f" {fit.task.metric.show(seen.score)}, loss {seen.loss:.3f}  lr {lr:.3g}  {per_second:,.0f} images/s"
        )

    def _write_dynamics(self, seen: Look) -> None:
        """What the network thinks of the fixed batch at this look (K2.11)."""
        if self._probe is None:
            return
        with self._fit.average.applied(self._fit.model):
            answers = self._probe(self._fit.model).round(4).tolist()
        kind = "values" if self._fit.task.name == "regression" else "probabilities"
        self._session.write("dynamics", epoch=round(seen.epoch, 3), **{kind: answers})

    def _judge(self) -> bool:
        """Examine the live rules; each speaks once. False if one of them says that going on is a waste."""
        go_on = True
        for rule in RULES:
            for finding in rule(self._history):
                if finding.severity is Severity.STOP:
                    go_on = False
                if finding.rule not in self._alarmed:
                    self._alarmed.add(finding.rule)
                    self._session.write("finding", **finding.to_json())
                    self._session.progress.line(f"  {finding.severity.value}  {finding.rule}: {finding.measured}")
        return go_on


def answers_of(task: Task) -> Callable[[Tensor], Tensor]:
    """From outputs to what a person follows: probabilities, or values in the units of the labels.

    >>> from epochal.tasks.classification import Classification
    >>> answers_of(Classification(classes=("cat", "dog"), counts=(1, 1)))(torch.zeros(1, 2))
    tensor([[0.5000, 0.5000]])
    """
    known: dict[str, Callable[[Tensor], Tensor]] = {
        "classification": lambda outputs: outputs.softmax(1),
        "multi-label": torch.sigmoid,
    }
    return known.get(task.name, task.decoder())


def show_filters(session: Session, model: nn.Module) -> None:
    """The first layer's filters as pictures: noise in them means trouble (K4.11)."""
    filters = first_layer_filters(model)
    if filters is not None:
        show(
            session,
            stretched(filters)[:_FILTERS],
            name="filters",
            caption="Filters of the first convolution",
            cells=[Cell(label="")] * min(len(filters), _FILTERS),
            columns=16,
        )
