"""Keys of the recipe that follow from other keys: what an optimizer, a schedule or a loss usually needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from epochal.errors import SettingError
from epochal.optim.scaling import scaled_lr
from epochal.optim.usual import usual
from epochal.stages.choices import loss_for

if TYPE_CHECKING:
    from epochal.stages.session import Session
    from epochal.tasks.task import Task

_LONG_RISES = frozenset({"linear", "cosine", "polynomial", "one-cycle"})  # their fall is as long as the run
_SHORT_WARMUP = 0.05


def check_learning(session: Session, task: Task) -> None:
    """Stop at settings of learning that contradict each other or the task, before any time is spent on them.

    Raises: SettingError.
    """
    _refuse(session, task)
    recipe = session.recipe
    if "loss.label_smoothing" not in session.chosen:  # what stands there now may still be settled otherwise
        recipe = recipe.replace({"loss.label_smoothing": 0.0})
    loss_for(recipe, task)


def settle_learning(session: Session, task: Task) -> None:
    """Settle momentum, decay, warm-up, average and label smoothing by the names in the recipe; sgd is the default.

    What the user set stays. Asking again changes nothing, so every stage that needs these keys may ask.

    Raises: SettingError where what the user chose cannot go together.
    """
    check_learning(session, task)
    _settle_loss(session, task)
    _settle_optimizer(session, task)
    _settle_schedule(session)
    _settle_average(session)


def settle_rate(session: Session, *, sgd_lr: float, batch_size: int) -> None:
    """Settle the peak rate for this batch size: by the linear rule from `sgd_lr` for sgd, else by the optimizer's own.

    Units: `sgd_lr` is the rate of sgd at this batch size.
    """
    name = session.recipe.optimizer.name
    if name == "sgd":
        session.decide("optimizer.lr", sgd_lr, reason=f"in proportion to the batch of {batch_size}")
        return
    known = usual(name)
    lr, how = known.lr, "whatever the batch"
    if known.rule is not None:
        lr = scaled_lr(known.lr, batch_size=batch_size, tuned_at=known.batch_size, rule=known.rule)
        how = f"{known.lr:g} at batches of {known.batch_size}, by the root of {batch_size} / {known.batch_size}"
    session.decide("optimizer.lr", float(f"{lr:.4g}"), reason=f"usual for {name} ({known.source}), {how}")


def _refuse(session: Session, task: Task) -> None:
    """Stop at settings that contradict each other, before time is spent on them."""
    recipe, chosen = session.recipe, session.chosen
    name = recipe.optimizer.name
    if "optimizer.momentum" in chosen and usual(name).momentum is None:
        raise _contradiction(
            f"optimizer.momentum is {recipe.optimizer.momentum} and the optimizer {name}, which has none.",
            remedy="leave optimizer.momentum out, or take rmsprop.",
        )
    if name == "schedule-free" and "averaging.name" in chosen and recipe.averaging.name != "none":
        raise _contradiction(
            f"averaging.name is {recipe.averaging.name} and the optimizer schedule-free, which averages by itself.",
            remedy="leave averaging.name out.",
        )
    ways = {
        "data.sampling": recipe.data.sampling != "none",
        "loss.class_weights": recipe.loss.class_weights != "none",
        "loss.prior_correction": recipe.loss.prior_correction > 0,
    }
    used = [key for key, on in ways.items() if on]
    if len(used) > 1:
        raise _contradiction(
            f"{' and '.join(f'{key} is {recipe[key]}' for key in used)}: each mends the same fault of unequal classes.",
            remedy=f"keep {used[0]} and leave the rest out.",
        )
    if recipe.data.sampling != "none" and task.name != "classification":
        raise _contradiction(
            f"data.sampling is {recipe.data.sampling} and the task {task.name}, whose samples have no single class.",
            remedy="leave data.sampling out; loss.class_weights reaches classes inside of samples.",
        )


def _settle_loss(session: Session, task: Task) -> None:
    name = session.recipe.loss.name
    if name in {"focal", "dice"}:
        session.decide(
            "loss.label_smoothing", 0.0, reason=f"{name} decides by itself which samples matter; its paper smooths none"
        )
    elif task.name != "classification":
        session.decide(
            "loss.label_smoothing",
            0.0,
            reason=f"0.2 was found for classes that exclude each other, not for {task.name}",
        )


def _settle_optimizer(session: Session, task: Task) -> None:
    name = session.recipe.optimizer.name
    if name == "sgd" and not task.dense:
        return  # the recipe's own settings were found for sgd and the residual network
    known = usual(name)
    reason = f"usual for {name} ({known.source})"
    session.decide("optimizer.momentum", known.momentum or 0.0, reason=reason)
    session.decide("optimizer.weight_decay", known.weight_decay, reason=reason)
    reason = "the larger rate of norms and biases was found for sgd and the residual network"
    session.decide("optimizer.norm_bias_lr", 1.0, reason=reason)


def _settle_schedule(session: Session) -> None:
    if session.recipe.optimizer.name == "schedule-free":
        reason = "schedule-free replaces the fall of the rate by an average"
        session.decide("schedule.name", "constant", reason=reason)
    name = session.recipe.schedule.name
    if name not in _LONG_RISES:
        reason = f"{name} needs the peak rate for most of the run; 5 of 90 epochs in Goyal et al. 2017"
        session.decide("schedule.warmup", _SHORT_WARMUP, reason=reason)


def _settle_average(session: Session) -> None:
    if session.recipe.optimizer.name == "schedule-free":
        reason = "schedule-free averages its own path: a second average of it would lag behind"
        session.decide("averaging.name", "none", reason=reason)
    elif session.recipe.penalty.l1 and session.recipe.penalty.proximal:
        reason = "the mean of a weight that is 0 now and one that was not yet is not 0: no weight would stay away"
        session.decide("averaging.name", "none", reason=reason)


def _contradiction(happened: str, *, remedy: str) -> SettingError:
    return SettingError(happened, expected="settings that go together.", remedy=remedy)
