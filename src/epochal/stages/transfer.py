"""Beginning from a trained network: measure what it knows of the new task, decide what is trained, and begin there.

network.start → the network, its head replaced → features of some training images → similarity → strategy (W4.4)
                                 linear, svm: a fitted head, finished ┘ last-layers, many-layers: small rates ┘
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32, Num, UInt8

from epochal.checks import heritage
from epochal.errors import SettingError
from epochal.models import finetuning
from epochal.models.adapted import FEATURES, Adapted
from epochal.stages.adoption import consider
from epochal.stages.artifact import ADAPTED, save_model
from epochal.stages.baseline import facts_for
from epochal.stages.choices import optimizer_for
from epochal.stages.scoring import labels_of, looking_batch
from epochal.stages.starting import cut_at, earlier_samples, load_start
from epochal.stats.intervals import Interval
from epochal.stats.linear import LinearMap, block_means, fit_logistic
from epochal.stats.ridge import fit_ridge
from epochal.stats.similarity import Similarity, similarity
from epochal.stats.svm import fit_svm
from epochal.tasks.regression import Regression
from epochal.training.evaluation import predict

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from epochal.recipe.recipe import Recipe
    from epochal.stages.artifact import Facts
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session

STAGE = FITTED = "transfer"  # the stage, and the model with a fitted head on fixed features
_READ, _SHARE = 20_000, 0.1  # images whose last features are read, at most; of the budget that is left
_LEAST = 200  # images that are read however long it takes
_COMPARED = 2000  # images on which stages are compared: an interval of about two points
_SVM_IMAGES = 2000  # and whose earlier features are read: they take more memory
_STEP = 2.5  # times a forward pass, the least that a training step costs: what seconds_to_evaluate assumes
_PIXEL_CELLS = 12  # along each side: as many numbers as the linear baseline keeps of a colour picture
_VALUES_LIKE_CLASSES = 10  # a measured value asks for as many images as so many classes
_BATCHES, _MANY_IMAGES = (32, 128), 2000  # samples a step, below and from so many images


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Begun:
    """A network from elsewhere with its head fitted, and what is to be trained of it."""

    facts: Facts
    strategy: finetuning.Strategy
    _model: Adapted

    def model(self) -> Adapted:
        """A copy of the network as it begins, frozen where the strategy keeps it: each training has its own."""
        return copy.deepcopy(self._model)

    def optimizer(self, recipe: Recipe, model: nn.Module) -> Optimizer:
        """The optimizer that the recipe names for `model`, a copy of this; AdamW with a rate for each stage.

        Raises: SettingError for a rate of 1e-3 or more (L5).
        """
        table = recipe.optimizer
        assert isinstance(model, Adapted)
        if table.name != "adamw":
            return optimizer_for(recipe, model)
        return finetuning.layered_optimizer(model, lr=table.lr, weight_decay=table.weight_decay)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Read:
    """Features of training images, from the first stage to the head, and the labels of those that the head read.

    Shapes: of the earlier stages the first images alone.
    """

    features: Mapping[str, Float32[np.ndarray, "n _"]]
    pixels: Float32[np.ndarray, "n d"]
    targets: Num[np.ndarray, "n ..."]


def begin_from(session: Session, inspected: Inspected) -> Begun:
    """Load what `network.start` names, decide the strategy, and put a model with a fitted head on disk if it is better.

    Decides `network.strategy`, and the rates of fine-tuning where that trains; measures how fast this network trains,
    for all that is planned from there on. Asked again in a run that was resumed, it gives the same.

    Raises: SettingError for a task with an answer for each pixel or a start that names nothing; MissingExtra,
    DataError or CheckpointError where the network cannot be had.
    """
    if inspected.task.dense:
        raise SettingError(
            f"network.start is {session.recipe.network.start!r}, and the task {inspected.task.name}.",
            expected="a task with one answer for each picture.", remedy="leave network.start out.",
        )  # fmt: skip
    start = session.recipe.network.start
    again = session.journal.finished(STAGE)
    with nullcontext() if again else session.stage(STAGE, title=f"Beginning from {start}"):
        begun = _begun(session, inspected)
        if not again:
            earlier = earlier_samples(start)
            if earlier is not None:
                session.judge(heritage.RULES, heritage.Heritage(table=inspected.table, earlier=earlier))
            _keep(session, inspected, begun=begun)
    return begun


def _begun(session: Session, inspected: Inspected) -> Begun:
    model, origin = load_start(session.recipe.network.start, inspected=inspected)
    read = _features(session, inspected, model=model)
    strategy, stage = _decide(session, inspected, read=read)
    options: dict[str, Any] = {"origin": origin.describe()}
    if strategy.kind == "svm":
        options["cut"] = stage
        model = cut_at(stage, model, origin=origin, inspected=inspected)
    seen = read.features[stage]
    head = _fitted(inspected, seen, targets=read.targets[: len(seen)], kind=strategy.kind)
    finetuning.set_head_(model, head)
    finetuning.prepare_(model, strategy.kind)
    if strategy.trains:
        _decide_rates(session, images=len(inspected.train))
    facts = facts_for(inspected, ADAPTED, flip=session.recipe.transforms.flip, **options)
    return Begun(facts=facts, strategy=strategy, _model=model)


@torch.inference_mode()
def _features(session: Session, inspected: Inspected, *, model: Adapted) -> _Read:
    """Read as many training images, drawn at random, as the time allows."""
    runtime, train = inspected.runtime, inspected.train
    runtime.place(model).eval()
    order = np.random.default_rng(session.recipe.seed).permutation(train.index)[:_READ]
    size = min(looking_batch(inspected), 250)
    loader = inspected.loader(train, batch_size=size)
    parts: dict[str, list[np.ndarray]] = {}
    began, allowed, done = time.perf_counter(), _SHARE * max(session.left, 0.0), 0
    with runtime.autocast():
        while done < len(order) and (done < _LEAST or time.perf_counter() - began < allowed):
            images = loader.batch(order[done : done + size]).images
            for name, values in model.features(runtime.layout(images)).items():
                if name == FEATURES or done < _SVM_IMAGES:
                    parts.setdefault(name, []).append(values.float().cpu().numpy())
            done = min(done + size, len(order))
    spent = time.perf_counter() - began
    rows = order[:done]
    last = model.anatomy.stages[-1].name  # the head reads the same
    features = {name: np.concatenate(each) for name, each in parts.items() if name != last}
    targets = train.labels[rows]
    if isinstance(inspected.task, Regression):
        targets = inspected.task.encode(targets)
    session.measure("transfer.images", done, note=f"training images whose features were read, in {spent:.1f} s")
    speed = done / max(spent, 1e-6) / _STEP
    session.measure("train.images_per_second", round(speed, 1), unit="images/s", note="from reading the features")
    return _Read(features=features, pixels=pixel_means(train.images[rows[:_COMPARED]]), targets=targets)


def pixel_means(images: UInt8[np.ndarray, "n h w c"]) -> Float32[np.ndarray, "n d"]:
    """Means of blocks of pixels, at most twelve along each side: what a task can be read from without any network.

    >>> pixel_means(np.full((2, 32, 24, 3), 255, np.uint8)).shape
    (2, 432)
    """
    planes = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    rows, columns = (block_means(side, min(side, _PIXEL_CELLS)) for side in images.shape[1:3])
    return np.ascontiguousarray(np.matmul(np.matmul(rows, planes), columns.T).reshape(len(images), -1))


def _decide(session: Session, inspected: Inspected, *, read: _Read) -> tuple[finetuning.Strategy, str]:
    """The strategy, and the stage whose features its head reads."""
    some = slice(_COMPARED)
    features = {name: each[some] for name, each in read.features.items()}
    found = similarity(features, read.targets[some], pixels=read.pixels)
    chosen = finetuning.strategy_for(samples_per_class=images_for_each(inspected), gain=found.gain)
    kind = session.decide("network.strategy", chosen.kind, reason=chosen.reason, evidence=_evidence(found))
    strategy = chosen if kind == "auto" else finetuning.Strategy(kind=kind, reason=chosen.reason)
    kind = strategy.kind
    session.progress.line(f"  {session.recipe.network.start}: {kind}; {chosen.reason}")
    return strategy, found.stage if kind == "svm" else FEATURES


def images_for_each(inspected: Inspected) -> float:
    """Training images for each thing that is told apart; a measured value counts as ten."""
    task = inspected.task
    things = len(task.names) * (_VALUES_LIKE_CLASSES if task.name == "regression" else 1)
    return max(len(inspected.train) / things, 1.0)


def _evidence(found: Similarity) -> dict[str, Any]:
    def told(each: Interval) -> dict[str, float]:
        return {"value": each.value, "low": each.low, "high": each.high}

    return {
        "last": told(found.last), "earlier": told(found.earlier), "stage": found.stage,
        "pixels": told(found.pixels), "gain": told(found.gain),
    }  # fmt: skip


def _fitted(
    inspected: Inspected, features: Num[np.ndarray, "n d"], *, targets: Num[np.ndarray, "n ..."], kind: str
) -> LinearMap:
    """The head that reads these features best, in the way of the task."""
    task = inspected.task
    if task.name == "regression":
        return fit_ridge(features, targets)
    if task.name == "multi-label":
        return _fit_each(features, targets)
    if kind == "svm":
        return fit_svm(features[:_SVM_IMAGES], targets[:_SVM_IMAGES], classes=task.outputs)
    return fit_logistic(features, targets, classes=task.outputs)


def _fit_each(features: Num[np.ndarray, "n d"], targets: Num[np.ndarray, "n k"]) -> LinearMap:
    """One yes-or-no map for each class: the logit of yes beyond that of no."""
    maps = [fit_logistic(features, column.astype(np.int64), classes=2) for column in targets.T]
    return LinearMap(
        weight=np.stack([each.weight[1] - each.weight[0] for each in maps]),
        bias=np.stack([each.bias[1] - each.bias[0] for each in maps]),
    )


def _decide_rates(session: Session, *, images: int) -> None:
    """What fine-tuning needs of the recipe in place of what training from scratch needs."""
    tuned = "usual for fine-tuning (L5, benchmarks/results/finetuning.md)"
    batch = _BATCHES[images >= _MANY_IMAGES]
    values: dict[str, Any] = {
        "optimizer.name": "adamw",
        "optimizer.batch_size": max(2, min(batch, images // 2)),
        "optimizer.lr": finetuning.RATE,
        "optimizer.momentum": 0.9,
        "optimizer.weight_decay": finetuning.WEIGHT_DECAY,
        "optimizer.norm_bias_lr": 1.0,
        "schedule.warmup": 0.1,
        "schedule.final": 0.02,
        "loss.label_smoothing": 0.1 if session.recipe.loss.name == "auto" else session.recipe.loss.label_smoothing,
    }
    for key, value in values.items():
        session.decide(key, value, reason=tuned)


def _keep(session: Session, inspected: Inspected, *, begun: Begun) -> None:
    """Calibrate the model with the fitted head, and make it the run's model if it is better."""
    kept = begun.model()
    loader = inspected.loader(inspected.val, batch_size=looking_batch(inspected))
    said = predict(kept, loader, runtime=inspected.runtime, keep=inspected.task.evidence).outputs.cpu().numpy()
    found = inspected.task.temperature(said, labels_of(inspected, inspected.val))
    with torch.no_grad():
        for values in kept.head.parameters():
            values.div_(found)
    path = session.folder.baseline(FITTED)
    save_model(path, kept, facts=begun.facts)
    consider(session, inspected, name=FITTED, path=path)
