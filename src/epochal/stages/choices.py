"""From the tables of the recipe to what trains: optimizer, schedule, loss, average and penalties."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from epochal.data.sampling import class_weights
from epochal.ensembles.average import Average, LastWeights, LateMean, PathAverage, WithStatistics
from epochal.ensembles.averaging import EMA
from epochal.errors import SettingError
from epochal.losses.by_name import fitting
from epochal.optim.optimizer import build
from epochal.optim.penalties import Penalties, penalties
from epochal.optim.regularization import sparsity
from epochal.optim.schedule import Schedule, drawn
from epochal.optim.schedule_free import ScheduleFreeAdamW
from epochal.optim.shapes import Shape, shaped
from epochal.recipe.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from epochal.data.split import Samples
    from epochal.stages.session import Session
    from epochal.tasks.task import Task

_AVERAGE_EVERY = 5  # steps: a fifth of the cost, the same time constant
_SECOND_BETA = 0.999  # of the Adam family; momentum is the first

# Keys of the table [loss] beside name and label_smoothing, by the tasks whose losses know them.
_LOSS_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "classification": ("class_weights", "effective_beta", "prior_correction", "gamma"),
    "multi-label": ("class_weights", "gamma"),
    "segmentation": ("class_weights", "gamma"),
    "regression": ("beta",),
}


def optimizer_for(recipe: Recipe, model: nn.Module) -> Optimizer:
    """The optimizer that the recipe names, with its rate, momentum and decay.

    >>> from torch import nn
    >>> recipe = Recipe().replace({"optimizer.name": "adamw", "optimizer.lr": 1e-3, "optimizer.momentum": 0.8})
    >>> optimizer_for(recipe, nn.Linear(2, 1)).defaults["betas"]
    (0.8, 0.999)
    >>> recipe = recipe.replace({"optimizer.name": "muon", "optimizer.other_lr": 0.5, "optimizer.norm_bias_lr": 2.0})
    >>> [group["lr"] for group in optimizer_for(recipe, nn.Linear(2, 1)).param_groups]  # all of it is outermost
    [0.5, 1.0]
    """
    table = recipe.optimizer
    adams = ("adam", "adamw", "nadam", "schedule-free")
    options: dict[str, Any] = {}
    if table.name in {"sgd", "muon"}:
        options = {"momentum": table.momentum, "nesterov": table.momentum > 0}
        if table.name == "muon" and table.other_lr:
            options["other_lr"] = table.other_lr
    elif table.name == "rmsprop":
        options = {"momentum": table.momentum}
    elif table.name in adams:
        options = {"betas": (table.momentum, _SECOND_BETA)}
    return build(
        model,
        name=table.name,
        lr=table.lr,
        weight_decay=table.weight_decay,
        norm_bias_lr=table.norm_bias_lr,
        **options,
    )


def clip_norm(recipe: Recipe) -> float | None:
    """The longest gradient that the recipe allows; None for any.

    >>> clip_norm(Recipe()), clip_norm(Recipe().replace({"optimizer.clip_norm": 1.0}))
    (None, 1.0)
    """
    return recipe.optimizer.clip_norm or None


def schedule_for(recipe: Recipe) -> Schedule:
    """The schedule that the recipe names; one called plateau has to be shown the validation losses.

    >>> schedule_for(Recipe().replace({"schedule.name": "cosine", "schedule.final": 0.0}))(1.0)
    0.0
    """
    table = recipe.schedule
    return shaped(Shape(**{name: getattr(table, name) for name in Shape.__dataclass_fields__}))


def planned_rates(recipe: Recipe, *, points: int = 101) -> tuple[list[float], list[float]]:
    """Shares of the stage, and the learning rate planned at each, before the run (tip K3.4).

    What plateau will see is not known: its plan is that of a run in which nothing stalls.

    >>> planned_rates(Recipe().replace({"schedule.warmup": 0.0, "optimizer.lr": 0.5}), points=2)
    ([0.0, 1.0], [0.5, 0.035])
    """
    curve = drawn(schedule_for(recipe), points=points)
    return [round(at, 6) for at, _ in curve], [float(f"{factor * recipe.optimizer.lr:.6g}") for _, factor in curve]


def write_plan(session: Session) -> None:
    """The planned learning rate as a series of the journal, to be drawn beside the actual one."""
    shares, rates = planned_rates(session.recipe)
    session.write("series", name="train.lr_planned", over="progress", x=shares, y=rates, unit="")


def loss_for(recipe: Recipe, task: Task) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss that the recipe names, as the task computes it: one value per sample.

    Raises: SettingError where tasks of this kind cannot be trained with it, or a key is set that its losses lack.

    >>> from epochal.tasks.classification import Classification
    >>> task = Classification(classes=("cat", "dog"), counts=(7, 1))
    >>> loss_for(Recipe().replace({"loss.name": "huber"}), task)
    Traceback (most recent call last):
    epochal.errors.SettingError: The loss 'huber' is for regression, and the task is classification. Expected: ...
    """
    kind: Any = task  # each takes options of its own, beside those that all share
    found: Callable[[Tensor, Tensor], Tensor] = kind.loss(**_loss_options(recipe, task))
    return found


def initial_loss_for(recipe: Recipe, task: Task) -> float:
    """What that loss should be before the first step (tip K2.4).

    Raises: SettingError as `loss_for`.
    """
    kind: Any = task
    return float(kind.initial_loss(**_loss_options(recipe, task)))


def average_for(
    recipe: Recipe,
    model: nn.Module,
    *,
    optimizer: Optimizer,
    progress: Callable[[], float],
    images: Callable[[], Iterable[Tensor]],
    arithmetic: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Average:
    """What the network is judged and kept by: its running average, its late mean, the optimizer's own, or itself.

    `progress` tells where in the stage the run is; `images` gives a few training batches as the network takes them,
    from which batch-norm statistics are gathered for averages that have none, inside the context `arithmetic`.
    """
    table = recipe.averaging
    if isinstance(optimizer, ScheduleFreeAdamW):
        return WithStatistics(PathAverage(optimizer), images=images, arithmetic=arithmetic)
    if table.name == "swa":
        late = LateMean(model, due=lambda: progress() >= table.start, every=_AVERAGE_EVERY)
        return WithStatistics(late, images=images, arithmetic=arithmetic)
    if table.name == "none" or not table.decay:
        return LastWeights()
    return EMA(model, decay=table.decay, every=_AVERAGE_EVERY)


def penalties_for(recipe: Recipe, model: nn.Module, *, optimizer: Optimizer) -> Penalties:
    """The penalties whose strengths the recipe names: terms of the loss, and callables for after a step."""
    table = recipe.penalty
    return penalties(
        model, optimizer=optimizer, l1=table.l1, l2=table.l2, max_norm=table.max_norm, proximal=table.proximal
    )


def sample_weights(recipe: Recipe, samples: Samples) -> Float64[np.ndarray, " n"] | None:
    """How often each training sample is drawn, by how rare its class is; None where all are drawn alike (tip W9).

    A network taught so answers as if classes were as common as it saw them. Where they are not in use, and
    probabilities matter, `epochal.losses.balancing.corrected_prior` moves its answers to the shares expected there.
    """
    powers = {"balanced": 1.0, "square-root": 0.5}
    power = powers.get(recipe.data.sampling)
    return None if power is None else class_weights(samples.targets, power=power)


def write_sparsity(session: Session, model: nn.Module) -> None:
    """How many weights the L1 penalty made 0, layer by layer; nothing where there was none (tips W6.2, S13)."""
    if not session.recipe.penalty.l1:
        return
    found = sparsity(model)
    weights, zeros = (sum(getattr(each, name) for each in found.values()) for name in ("weights", "zeros"))
    silent = sum(each.silent for each in found.values())
    layers = ", ".join(f"{name} {each.share:.0%}" for name, each in found.items())
    note = f"weights that are 0; {silent} units have nothing else coming in; {layers}"
    session.measure("train.sparsity", round(zeros / max(weights, 1), 4), unit="share", note=note)


def _loss_options(recipe: Recipe, task: Task) -> dict[str, Any]:
    table, usual = recipe.loss, Recipe().loss
    known = _LOSS_OPTIONS[task.name]
    everywhere = {name for names in _LOSS_OPTIONS.values() for name in names}
    for name in sorted(everywhere - set(known)):
        if getattr(table, name) != getattr(usual, name):
            raise SettingError(
                f"loss.{name} is {getattr(table, name)!r}, and the task is {task.name}.",
                expected=f"of the keys of [loss] for this task: name, label_smoothing, {', '.join(known)}.",
                remedy=f"leave loss.{name} out.",
            )
    name = fitting(task.name, table.name)
    return {"smoothing": table.label_smoothing, "name": name, **{each: getattr(table, each) for each in known}}
