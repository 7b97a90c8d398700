"""Stage 2: the training skeleton is proven on small experiments before any time is spent on it (K2).

Each experiment has a cap on its seconds; each rule that passes is written down as well as each that fires, and what was
not checked is said.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from torch import Tensor, nn

from epochal.checks.batch import describe_batch
from epochal.checks.experiments import dependence, initial_loss, repeat
from epochal.checks.initial_state import DEPENDENCE_RULES, LOSS_RULES, REPEAT_RULES
from epochal.checks.input import RULES as BATCH_RULES
from epochal.checks.learning import FIT_RULES, INPUT_RULES
from epochal.checks.trials import Caps, fit_batch, input_dependence
from epochal.optim.optimizer import build
from epochal.recipe.duration import format_duration
from epochal.stages.artifact import build_network
from epochal.stages.baseline import SMALL, facts_for
from epochal.stages.pictures import Cell, show, unnormalised
from epochal.stages.session import stop_on
from epochal.training.environment import seed_everything
from epochal.training.loop import Update, train
from epochal.training.pace import FixedSteps

if TYPE_CHECKING:
    from epochal.data.batch import Batch
    from epochal.findings import Finding
    from epochal.stages.inspect import Inspected
    from epochal.stages.session import Session

_SHARE = 0.03  # of the budget for all experiments together
_SHORTEST, _LONGEST = 2.0, 20.0  # seconds; healthy programs need one to five
_BATCH = 256
_BY_HEART = 8  # samples learnt by heart: few, so that a healthy network needs a few dozen steps
_HELD_OUT = 1000
_JUDGES = 2  # held-out samples without which nothing can be said of what seeing the images brings
_TRAINED_ON = 5000
_SHOWN = 32
_NETWORK = "resnet"
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
    loader = inspected.loader(inspected.train, batch_size=_BATCH, seed=session.recipe.seed, shuffle=True)
    return next(loader.epoch(0))


def _check_batch(session: Session, inspected: Inspected, *, batch: Batch) -> list[Finding]:
    """The batch as the network receives it: facts for the rules, pixels for the eye (K2.10)."""
    facts = describe_batch(
        batch.images,
        batch.labels,
        prior=inspected.task.prior.tolist(),
        pixel_mean=statistics.fmean(inspected.mean),
        pixel_std=statistics.fmean(inspected.std),
    )
    shown = batch.images[:_SHOWN].permute(0, 2, 3, 1).cpu().numpy()
    labels = [inspected.classes[label] for label in batch.labels[:_SHOWN].tolist()]
    show(
        session,
        unnormalised(shown, mean=inspected.mean, std=inspected.std),
        name="batch",
        caption=(
            f"The first training batch: {tuple(batch.images.shape)}, {str(batch.images.dtype).removeprefix('torch.')}, "
            f"from {facts.low:.2f} to {facts.high:.2f}, mean {facts.mean:.2f}, deviation {facts.std:.2f}"
        ),
        cells=[Cell(label=label) for label in labels],
    )
    return session.judge(BATCH_RULES, facts)


def _check_start(session: Session, inspected: Inspected, *, batch: Batch) -> list[Finding]:
    """The untrained network: its first loss, what reaches what, and whether a start repeats to the bit."""
    recipe, task = session.recipe, inspected.task
    seed_everything(recipe.seed)
    model = _network(inspected)
    task.prepare_(model)
    smoothing = recipe.loss.label_smoothing
    first = initial_loss(
        model,
        batch.images,
        labels=batch.labels,
        loss=task.loss(smoothing=smoothing),
        prior=task.prior.tolist(),
        smoothing=smoothing,
    )
    session.measure(
        "skeleton.initial_loss", round(first.measured, 4), unit="nats", note=f"{first.expected:.4f} expected"
    )
    findings = session.judge(LOSS_RULES, first)
    reach = dependence(model, batch.images[:_BY_HEART])
    findings += session.judge(DEPENDENCE_RULES, reach)
    twice = repeat(lambda: _two_steps(session, inspected), start=lambda name: name.startswith("start."))
    return findings + session.judge(REPEAT_RULES, twice)


def _two_steps(session: Session, inspected: Inspected) -> dict[str, Tensor]:
    """Seed, build and train two steps with the engine, loader and loss of the run (K2.1)."""
    seed_everything(session.recipe.seed)
    model = _network(inspected)
    made = {f"start.{name}": value.detach().clone() for name, value in model.state_dict().items()}
    loader = inspected.loader(inspected.train, batch_size=32, seed=session.recipe.seed, shuffle=True)
    update = Update(loss=inspected.task.loss(), optimizer=build(model, lr=0.01))
    for step in train(model, loader, update=update, runtime=inspected.runtime, pace=FixedSteps(2)):
        made[f"loss.{step.number}"] = step.loss
    return {**made, **model.state_dict()}


def _check_learning(session: Session, inspected: Inspected, *, seconds: float) -> list[Finding]:
    """One batch by heart (K2.8), and images against zeros on held-out samples (K2.7)."""
    task, seed = inspected.task, session.recipe.seed
    loader = inspected.loader(inspected.train, batch_size=_TRAINED_ON, seed=seed, shuffle=True)
    some = next(loader.epoch(0))
    few = slice(0, _BY_HEART)
    fitted = fit_batch(
        lambda: _network(inspected),
        some.images[few],
        labels=some.labels[few],
        loss=task.loss(),
        caps=Caps(steps=500, seconds=seconds / 3),
        seed=seed,
    )
    session.measure(
        "skeleton.overfit_steps", fitted.steps, unit="steps", note=f"loss {fitted.first:.3f} to {fitted.last:.4f}"
    )
    findings = session.judge(FIT_RULES, fitted)
    if len(inspected.val) < _JUDGES:
        return findings
    held = next(inspected.loader(inspected.val, batch_size=_HELD_OUT, seed=seed, shuffle=True).epoch(0))
    seen = input_dependence(
        lambda: build_network(facts_for(inspected, SMALL, width=16)).to(inspected.runtime.device),
        train=(some.images, some.labels),
        held=(held.images, held.labels),
        loss=task.loss(),
        caps=Caps(steps=1000, seconds=2 * seconds / 3),
        seed=seed,
    )
    return findings + session.judge(INPUT_RULES, seen)


def _network(inspected: Inspected) -> nn.Module:
    """The kind of network that the train stage fits, with fresh weights."""
    return inspected.runtime.place(build_network(facts_for(inspected, _NETWORK)))
