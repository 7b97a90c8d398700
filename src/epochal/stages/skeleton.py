"""Stage 2: the training skeleton is proven on small experiments before any time is spent on it (K2).

Each experiment has a cap on its seconds; each rule that passes is written down as well as each that fires, and what was
not checked is said.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from epochal.checks.architecture import describe_architecture
from epochal.checks.batch import describe_batch
from epochal.checks.construction import ARCHITECTURE_RULES
from epochal.checks.experiments import dependence, initial_loss, repeat
from epochal.checks.first_loss import RULES as FIRST_LOSS_RULES
from epochal.checks.first_loss import first_loss
from epochal.checks.initial_state import DEPENDENCE_RULES, LOSS_RULES, REPEAT_RULES
from epochal.checks.input import IMAGE_RULES
from epochal.checks.input import RULES as BATCH_RULES
from epochal.checks.learning import FIT_RULES, INPUT_RULES
from epochal.checks.trials import Caps, fit_batch, input_dependence
from epochal.optim.optimizer import build
from epochal.recipe.duration import format_duration
from epochal.stages.artifact import build_network
from epochal.stages.baseline import facts_for
from epochal.stages.choices import initial_loss_for, loss_for
from epochal.stages.middle import middle
from epochal.stages.pictures import Cell, show, unnormalised
from epochal.stages.roles import LARGE, SMALL, network_for
from epochal.stages.session import stop_on
from epochal.tasks.classification import Classification
from epochal.training.environment import seed_everything
from epochal.training.loop import Update, train
from epochal.training.pace import FixedSteps

if TYPE_CHECKING:
    from epochal.data.batch import Batch
    from epochal.data.split import Samples
    from epochal.findings import Finding
    from epochal.recipe.learning import LossRecipe
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session

_SHARE = 0.03  # of the budget for all experiments together
_SHORTEST, _LONGEST = 2.0, 20.0  # seconds; healthy programs need one to five
_BATCH = 256
_BY_HEART = 8  # samples learnt by heart: few, so that a healthy network needs a few dozen steps
_HELD_OUT = 1000
_JUDGES = 2  # held-out samples without which nothing can be said of what seeing the images brings
_TRAINED_ON = 5000
_SHOWN = 32
_FEW, _DENSE_TRAINED_ON, _DENSE_HELD_OUT = 4, 64, 32  # the same of pictures with a mask, which say more each
_DENSE_BATCH = 16
_NOT_CHECKED = (
    "near duplicates and wrong labels among images that differ in pixels",
    "whether a larger network would reach a lower training loss (K2.9)",
    "how well a person does on these images (K2.6)",
)


def check_skeleton(session: Session, inspected: Inspected) -> None:
    """Run the experiments, judge them, and stop on what makes training a waste.

    Raises: CheckFailed on a finding of severity STOP.
    """
    if session.journal.finished("skeleton"):
        return
    if session.left < _SHORTEST:
        left = format_duration(max(session.left, 0.0))
        session.skip("skeleton", reason=f"{left} are left, which the first model needs")
        return
    with session.stage("skeleton", title="Checking the skeleton"):
        seconds = min(max(_SHARE * session.budget, _SHORTEST), _LONGEST)
        batch = _first_batch(session, inspected)
        findings = [*_check_batch(session, inspected, batch=batch)]
        findings += _check_start(session, inspected, batch=batch)
        findings += _check_learning(session, inspected, seconds=seconds)
        session.write("check", not_checked=list(_NOT_CHECKED))
        rules = {finding.rule for finding in findings}
        session.progress.line(f"  {'nothing found' if not rules else 'found: ' + ', '.join(sorted(rules))}")
        stop_on(findings)


def _first_batch(session: Session, inspected: Inspected) -> Batch:
    size = _DENSE_BATCH if inspected.task.dense else _BATCH
    return next(inspected.loader(inspected.train, batch_size=size, seed=session.recipe.seed, shuffle=True).epoch(0))


def _check_batch(session: Session, inspected: Inspected, *, batch: Batch) -> list[Finding]:
    """The batch as the network receives it: facts for the rules, pixels for the eye (K2.10)."""
    known = isinstance(inspected.task, Classification)
    facts = describe_batch(
        batch.images,
        batch.labels if known else torch.zeros(len(batch), dtype=torch.long),
        prior=inspected.task.prior.tolist() if isinstance(inspected.task, Classification) else [1.0],
        pixel_mean=statistics.fmean(inspected.mean),
        pixel_std=statistics.fmean(inspected.std),
    )
    shown = batch.images[:_SHOWN].permute(0, 2, 3, 1).cpu().numpy()
    spoken = inspected.task.spoken(batch.labels[:_SHOWN].cpu().numpy())
    show(
        session,
        unnormalised(shown, mean=inspected.mean, std=inspected.std),
        name="batch",
        caption=(
            f"The first training batch: {tuple(batch.images.shape)}, {str(batch.images.dtype).removeprefix('torch.')}, "
            f"from {facts.low:.2f} to {facts.high:.2f}, mean {facts.mean:.2f}, deviation {facts.std:.2f}"
        ),
        cells=[Cell(label=each) for each in spoken],
    )
    return session.judge(BATCH_RULES if known else IMAGE_RULES, facts)


def _check_start(session: Session, inspected: Inspected, *, batch: Batch) -> list[Finding]:
    """The untrained network: its first loss, what reaches what, and whether a start repeats to the bit."""
    seed_everything(session.recipe.seed)
    model = _network(inspected)
    inspected.task.prepare_(model)
    size = session.recipe.optimizer.batch_size
    few = (middle(batch) if inspected.task.dense else batch).images[:_BY_HEART]
    built = describe_architecture(model, few[:4], batch_size=size)
    findings = session.judge(ARCHITECTURE_RULES, built)
    findings += _check_first_loss(session, inspected, model=model, batch=batch)
    reach = dependence(model, few)
    findings += session.judge(DEPENDENCE_RULES, reach)
    twice = repeat(lambda: _two_steps(session, inspected), start=lambda name: name.startswith("start."))
    return findings + session.judge(REPEAT_RULES, twice)


def _check_first_loss(session: Session, inspected: Inspected, *, model: nn.Module, batch: Batch) -> list[Finding]:
    """The first loss beside what an answer that knows only the labels' distribution costs (K2.4, K2.5)."""
    task, recipe, smoothing = inspected.task, session.recipe, session.recipe.loss.label_smoothing
    if isinstance(task, Classification) and _is_plain(recipe.loss):
        seen = initial_loss(
            model,
            batch.images,
            labels=batch.labels,
            loss=task.loss(smoothing=smoothing),
            prior=task.prior.tolist(),
            smoothing=smoothing,
        )
        _measure_first(session, seen.measured, expected=seen.expected)
        return session.judge(LOSS_RULES, seen)
    found = first_loss(
        model,
        batch.images,
        labels=batch.labels,
        loss=loss_for(recipe, task),
        constant=task.constant(),
        expected=initial_loss_for(recipe, task),
    )
    _measure_first(session, found.measured, expected=found.expected)
    return session.judge(FIRST_LOSS_RULES, found)


def _is_plain(loss: LossRecipe) -> bool:
    """Whether the loss is cross-entropy with nothing added, whose luck and misfit can be told apart."""
    return loss.name in {"auto", "cross-entropy"} and loss.class_weights == "none" and not loss.prior_correction


def _measure_first(session: Session, measured: float, *, expected: float) -> None:
    session.measure("skeleton.initial_loss", round(measured, 4), unit="nats", note=f"{expected:.4f} expected")


def _two_steps(session: Session, inspected: Inspected) -> dict[str, Tensor]:
    """Seed, build and train two steps with the engine, loader and loss of the run (K2.1)."""
    seed_everything(session.recipe.seed)
    model = _network(inspected)
    made = {f"start.{name}": value.detach().clone() for name, value in model.state_dict().items()}
    size = _FEW if inspected.task.dense else 32
    loader = inspected.loader(inspected.train, batch_size=size, seed=session.recipe.seed, shuffle=True)
    update = Update(loss=inspected.task.loss(), optimizer=build(model, lr=0.01))
    for step in train(model, loader, update=update, runtime=inspected.runtime, pace=FixedSteps(2)):
        made[f"loss.{step.number}"] = step.loss
    return {**made, **model.state_dict()}


def _check_learning(session: Session, inspected: Inspected, *, seconds: float) -> list[Finding]:
    """One batch by heart (K2.8), and images against zeros on held-out samples (K2.7)."""
    task, seed = inspected.task, session.recipe.seed
    dense = inspected.task.dense
    some = _drawn(inspected, inspected.train, count=_DENSE_TRAINED_ON if dense else _TRAINED_ON, seed=seed)
    few = slice(0, _FEW if dense else _BY_HEART)
    fitted = fit_batch(
        lambda: _network(inspected),
        some.images[few],
        labels=some.labels[few],
        loss=task.loss(),
        caps=Caps(steps=500, seconds=seconds / 3, seed=seed),
    )
    session.measure(
        "skeleton.overfit_steps", fitted.steps, unit="steps", note=f"loss {fitted.first:.3f} to {fitted.last:.4f}"
    )
    findings = session.judge(FIT_RULES, fitted)
    if len(inspected.val) < _JUDGES:
        return findings
    held = _drawn(inspected, inspected.val, count=_DENSE_HELD_OUT if dense else _HELD_OUT, seed=seed)
    seen = input_dependence(
        lambda: _small_network(inspected),
        train=(some.images, some.labels),
        held=(held.images, held.labels),
        loss=task.loss(),
        caps=Caps(steps=1000, seconds=2 * seconds / 3, seed=seed),
        constant=task.constant(),
    )
    return findings + session.judge(INPUT_RULES, seen)


def _drawn(inspected: Inspected, samples: Samples, *, count: int, seed: int) -> Batch:
    """Some samples at random; of pictures with a mask only the middle, which is enough and costs a fraction."""
    batch = next(inspected.loader(samples, batch_size=count, seed=seed, shuffle=True).epoch(0))
    if not inspected.task.dense:
        return batch
    return middle(batch)


def _small_network(inspected: Inspected) -> nn.Module:
    """A narrow network of the kind of the baseline."""
    facts = facts_for(inspected, network_for(inspected.task, SMALL), width=16)
    return build_network(facts).to(inspected.runtime.device)


def _network(inspected: Inspected) -> nn.Module:
    """The kind of network that the train stage fits, with fresh weights."""
    return inspected.runtime.place(build_network(facts_for(inspected, network_for(inspected.task, LARGE))))
