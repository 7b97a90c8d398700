"""One training on street scenes that ends when its processor time does, and what came of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from camvid import Scenes

from epochal.data.loader import ArrayLoader
from epochal.models import dense_sizing as dense
from epochal.models.networks import build as build_network
from epochal.models.networks import fit_stem_
from epochal.optim import schedule as schedules
from epochal.optim.optimizer import build as build_optimizer
from epochal.stats.intervals import Interval
from epochal.tasks.segmentation import Segmentation
from epochal.training.environment import activate, seed_everything
from epochal.training.evaluation import predict
from epochal.training.loop import Update, train
from epochal.training.runtime import Runtime
from epochal.transforms.by_name import DataFacts, transforms

RUNTIME = Runtime(autocast_dtype=torch.bfloat16, channels_last=True, threads=1)
_STEM_IMAGES = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to train: the defaults for dense tasks unless said otherwise.

    `transforms` are names, all of one `strength`; `falling` is the schedule, else the rate is constant; `flip` judges
    the mean over an image and its mirror image.
    """

    network: str = "encoder-decoder"
    options: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any]
    batch_size: int = 8
    transforms: Sequence[str] = ()
    strength: float = 1.0
    loss: dict[str, Any] = field(default_factory=dict)
    falling: bool = True
    flip: bool = True


CHOSEN = Way(
    optimizer={
        "name": dense.OPTIMIZER,
        "lr": dense.LR,
        "other_lr": dense.OTHER_LR,
        "momentum": dense.MOMENTUM,
        "weight_decay": dense.WEIGHT_DECAY,
        "norm_bias_lr": dense.NORM_BIAS_LR,
    },
    batch_size=dense.BATCH_SIZE,
    transforms=("flip", *dense.TRANSFORMS),
    strength=dense.STRENGTH,
    loss={"name": dense.LOSS, "class_weights": dense.CLASS_WEIGHTS},
)
BASELINE = Way(optimizer={"name": "adam", "lr": 3e-4}, falling=False, flip=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a training reached on the scenes it did not see; `images_per_second` is of processor time."""

    score: Interval
    loss: float
    per_class: tuple[float, ...]
    parameters: int
    epochs: float
    images_per_second: float


class ProcessorSeconds:
    """A pace that is measured in processor time of this process: other work on the machine does not count."""

    def __init__(self, total: float) -> None:
        """Begin now."""
        self.total, self.begin = total, time.process_time()

    @property
    def progress(self) -> float:
        """Share of the time that is spent."""
        return min((time.process_time() - self.begin) / self.total, 1.0)

    @property
    def finished(self) -> bool:
        """Whether it is spent."""
        return self.progress >= 1

    def advance(self) -> None:
        """Nothing to count."""

    def state_dict(self) -> dict[str, Any]:
        """Nothing to keep: these runs are not resumed."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to take up."""


def trained(way: Way, learnt: Scenes, *, judged: Scenes, seconds: float, seed: int) -> Outcome:
    """Train for so many processor seconds on one thread; judge on other scenes."""
    activate(RUNTIME)
    seed_everything(seed)
    task = Segmentation.of(learnt.classes, learnt.masks)
    mean, std = (tuple((measured((0, 1, 2)) / 255).tolist()) for measured in (learnt.images.mean, learnt.images.std))
    scale = {"mean": mean, "std": std}
    loader = _loader(learnt, **scale, batch_size=way.batch_size, seed=seed, shuffle=True, drop_last=True)
    model = build_network(way.network, 3, task.outputs, image_size=max(learnt.masks.shape[1:]), **way.options)
    fit_stem_(model, loader.batch(np.arange(0, len(learnt.names), -(-len(learnt.names) // _STEM_IMAGES))).images)
    task.prepare_(model)
    RUNTIME.place(model)
    facts = DataFacts(task=task.name, labels=task.outputs, size=learnt.masks.shape[1:], mean=mean, std=std)
    update = Update(
        loss=task.loss(**way.loss),
        optimizer=build_optimizer(model, **way.optimizer),
        schedule=_schedule() if way.falling else schedules.constant(),
        transforms=transforms(way.transforms, facts=facts, strength=way.strength),
    )
    pace, samples = ProcessorSeconds(seconds), 0
    for step in train(model, loader, update=update, runtime=RUNTIME, pace=pace):
        samples += step.samples
    spent = time.process_time() - pace.begin
    said = predict(model, _loader(judged, **scale, batch_size=8), runtime=RUNTIME, flip=way.flip, keep=task.evidence)
    evidence = said.outputs.numpy()
    return Outcome(
        score=task.score(evidence, judged.masks),
        loss=float(task.losses(evidence, judged.masks).mean()),
        per_class=tuple(row["iou"] for row in task.details(evidence, judged.masks)["per_class"]),
        parameters=sum(p.numel() for p in model.parameters()),
        epochs=samples / len(learnt.names),
        images_per_second=samples / spent,
    )


def _loader(scenes: Scenes, **settings: Any) -> ArrayLoader:
    return ArrayLoader(scenes.images, scenes.masks, np.arange(len(scenes.names)), **settings)


def _schedule() -> schedules.Schedule:
    return schedules.warmup_then(schedules.linear(end=dense.LAST_FACTOR), share=dense.WARMUP, start=dense.FIRST_FACTOR)
