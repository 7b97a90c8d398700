"""Stage 4: a residual network sized to the images and to the time that is left, kept only if it beats the baselines."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Num

from epochal.errors import CheckpointError
from epochal.models.head import find
from epochal.recipe.duration import format_duration
from epochal.stages.adoption import consider
from epochal.stages.artifact import Facts, save_model
from epochal.stages.baseline import facts_for
from epochal.stages.choices import write_plan, write_sparsity
from epochal.stages.evaluate import seconds_to_evaluate
from epochal.stages.fit import Fit
from epochal.stages.interruption import Interruption
from epochal.stages.network import make_fit
from epochal.stages.plan import Planned, plan_training
from epochal.stages.roles import LARGE, network_for
from epochal.stages.scoring import labels_of
from epochal.stages.speed import images_per_second
from epochal.stages.transfer import Begun, begin_from
from epochal.stages.watching import Watcher, show_filters
from epochal.tasks.multi_label import MultiLabel
from epochal.training.checkpoint import previous
from epochal.training.governor import ThreadGovernor

if TYPE_CHECKING:
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session

_ATTEMPTS = 3
_LEAST_SECONDS = 0.5
_TO_FINISH = 1.0  # for a training that was interrupted when little time was left
_LATE = 0.95  # of the schedule: weights that are best there were still getting better
_SLOWER = 4.0  # by how much the rate is divided after a divergence (W4.3 names 2 to 5)


def train_network(session: Session, inspected: Inspected) -> bool:
    """Train, and put the network on disk if it beats what is there; False if there was no time for it."""
    if session.journal.finished("train"):
        return True
    begun = begin_from(session, inspected) if session.recipe.network.start else None
    speed = images_per_second(session, inspected)
    reserved = seconds_to_evaluate(session, inspected, images_per_second=speed)
    seconds = session.left - reserved
    if session.folder.checkpoint.exists():
        seconds = max(seconds, _TO_FINISH)  # what was learnt before an interruption is not thrown away
    planned = plan_training(session, inspected, seconds=seconds)
    if planned is None:
        left = format_duration(max(session.left - reserved, 0.0))
        session.skip("train", reason=f"{left} are left, too little to train a network")
        return False
    title = planned.sentence if begun is None else f"{begun.strategy.kind} of {session.recipe.network.start}"
    with session.stage("train", title=f"Training: {title}"):
        if begun is None or begun.strategy.trains:  # else its head is fitted, and the model is on disk
            facts = _facts(session, inspected, planned=planned) if begun is None else begun.facts
            fit = _trained(session, inspected, facts=facts, planned=planned, reserved=reserved, begun=begun)
            _keep(session, inspected, fit=fit, facts=facts)
    return True


def _facts(session: Session, inspected: Inspected, *, planned: Planned) -> Facts:
    name = network_for(inspected.task, LARGE)
    return facts_for(inspected, name, flip=session.recipe.transforms.flip, **planned.options)


def _keep(session: Session, inspected: Inspected, *, fit: Fit, facts: Facts) -> None:
    """Restore the best weights, calibrate them, and make them the run's model if they are better."""
    for act in fit.update.after_update:
        if isinstance(act, ThreadGovernor) and act.switches:
            session.measure("train.thread_switches", act.switches, note="step and threads from there on")
    best = fit.best.look
    if best is None:
        session.progress.line("  training did not succeed at any rate tried: the baseline stays")
        return
    late = best.progress >= _LATE
    note = "still improving at the end: more time may bring more (K6.3)" if late else "later weights were no better"
    session.measure("train.best_at", round(best.progress, 3), unit="share of the schedule", note=note)
    fit.restore_best()
    show_filters(session, fit.model)
    write_sparsity(session, fit.model)
    said = _calibrate(session, inspected, fit=fit)
    path = session.folder.baseline(facts.network)
    save_model(path, fit.model, facts=_with_thresholds(inspected, facts=facts, evidence=said))
    consider(session, inspected, name=facts.network, path=path, said=said)
    previous(session.folder.checkpoint).unlink(missing_ok=True)


def _with_thresholds(inspected: Inspected, *, facts: Facts, evidence: Num[np.ndarray, "n e"]) -> Facts:
    """Where an image may have several labels, from which probability on each is named: chosen in validation."""
    if not isinstance(inspected.task, MultiLabel):
        return facts
    task = inspected.task.with_thresholds(evidence, labels_of(inspected, inspected.val))
    return replace(facts, task=task.describe())


def _trained(
    session: Session,
    inspected: Inspected,
    *,
    facts: Facts,
    planned: Planned,
    reserved: float,
    begun: Begun | None = None,
) -> Fit:
    """Train to the end; after a divergence again from the beginning, slower, in the time that is left."""
    fit = make_fit(session, inspected, facts=facts, seconds=planned.seconds, begun=begun)
    if not _resume(session, fit, seconds=planned.seconds):
        fit = make_fit(session, inspected, facts=facts, seconds=planned.seconds, begun=begun)
    for _ in range(_ATTEMPTS):
        if _run(session, inspected, fit=fit):
            break
        lr = session.recipe.optimizer.lr
        reason = f"the loss diverged at {lr:g}; a {_SLOWER:g}th of it"
        session.revise("optimizer.lr", lr / _SLOWER, reason=reason)
        for stale in (session.folder.checkpoint, previous(session.folder.checkpoint)):
            stale.unlink(missing_ok=True)
        seconds = min(session.left - reserved, planned.seconds)
        fit = make_fit(session, inspected, facts=facts, seconds=max(seconds, _LEAST_SECONDS), begun=begun)
    return fit


def _resume(session: Session, fit: Fit, *, seconds: float) -> bool:
    """Go on from the last checkpoint, if there is one, in the time that is left; False if none of them is sound."""
    newest = session.folder.checkpoint
    try:
        used = fit.resume(newest)
    except CheckpointError as error:
        session.measure("train.damaged_checkpoint", str(error), note="training begins anew in the time that is left")
        session.progress.line(f"  {error.happened} Training begins anew.")
        return False
    if used is not None:
        fit.pace.extend(seconds - fit.pace.seconds_left)
        session.measure("train.resumed_at", fit.position.step, unit="steps", note=used.name)
        instead = "" if used == newest else f", from {used.name}: {newest.name} is lost or damaged"
        session.progress.line(f"  going on after step {fit.position.step:,}, epoch {fit.epochs:.1f}{instead}")
    return True


def _run(session: Session, inspected: Inspected, *, fit: Fit) -> bool:
    """Iterate the steps: order is the order of these lines. False if the loss diverged."""
    if fit.position.step == 0:
        write_plan(session)
    with Interruption() as interruption, closing(Watcher(session, inspected, fit=fit)) as watcher:
        for step in fit.steps():
            watcher.saw(step)
            if watcher.look_is_due(step) and not watcher.look():
                return False
            if watcher.save_is_due(step) or interruption.asked:
                fit.save(session.folder.checkpoint)
            if interruption.asked:  # after a whole step: a polite end loses nothing at all
                raise KeyboardInterrupt
            if watcher.hopeless():
                break
    return True


def _calibrate(session: Session, inspected: Inspected, *, fit: Fit) -> Num[np.ndarray, "n e"]:
    """Give the probabilities their meaning back: label smoothing leaves them too modest. Gives the new evidence.

    The outputs are divided by one temperature, fitted on the validation split and folded into the last layer; no
    prediction changes. Source: Guo et al. 2017, section 4.2.
    """
    task, evidence, labels = inspected.task, fit.best.evidence.numpy(), labels_of(inspected, inspected.val)
    found = task.temperature(evidence, labels)
    if found == 1:
        return evidence
    with torch.no_grad():
        for values in find(fit.model).parameters():
            values.div_(found)
    cooled: Num[np.ndarray, "n e"] = evidence / found
    before, after = (float(task.losses(each, labels).mean()) for each in (evidence, cooled))
    note = f"validation loss {before:.3f} before, {after:.3f} after"
    session.measure("train.temperature", round(found, 4), note=note)
    return cooled
