"""Stage 3: the simplest things that could work, each measured before the next (K2.2, K3.1, K3.2, K3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from epochal.models.sizing import mirror_keeps_labels
from epochal.optim.optimizer import build
from epochal.stages.adoption import consider
from epochal.stages.artifact import Facts, build_network, is_sound, load_model, save_model
from epochal.stages.linear import linear_model
from epochal.stages.roles import LINEAR, SMALL, network_for
from epochal.stages.scoring import evidence_of, labels_of, looking_batch
from epochal.training.environment import seed_everything
from epochal.training.evaluation import predict
from epochal.training.loop import Update, train
from epochal.training.pace import TimedSteps

if TYPE_CHECKING:
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session
    from epochal.stats.intervals import Interval
    from epochal.tasks.task import Task

PRIOR = "prior"
_LINEAR_SAMPLES, _LINEAR_SAMPLES_PER_SECOND = 20_000, 100  # in all; of budget
_DENSE_BATCH = 8  # pictures with a mask teach thousands of times in each step
_LEARNT = 0.05  # of the trivial answer's score: a baseline nearer to it than that has nothing to say
_ENOUGH_EPOCHS = 30  # at a constant 3e-4 a small net has long levelled off; a larger budget is better spent later


def fit_baselines(session: Session, inspected: Inspected) -> None:
    """Prior, linear model and small network, none with augmentation; the best of them is on disk afterwards."""
    kept = (session.folder.baseline(LINEAR), session.folder.baseline(SMALL))
    if session.journal.finished("baseline") and all(is_sound(path) for path in kept):
        return
    with session.stage("baseline", title="Baselines: prior, linear model, small network"):
        name, guessed = trivial_answer(inspected.task, inspected.val.targets)
        session.measure("baseline.prior", guessed.value, unit=inspected.task.metric.unit, note=f"always {name}")
        _fit_linear(session, inspected)
        _fit_small(session, inspected)
        _decide_flip(session, inspected)


def trivial_answer(task: Task, labels: np.ndarray) -> tuple[str, Interval]:
    """The best answer that needs no image, by name, and its score.

    >>> from epochal.tasks.classification import Classification
    >>> trivial_answer(Classification(classes=("cat", "dog"), counts=(7, 1)), np.array([0, 1]))[0]
    'majority'
    """
    return next(iter(task.trivial(labels).items()))


def facts_for(inspected: Inspected, network: str, *, flip: bool = False, **options: object) -> Facts:
    """The facts of a network trained on these data."""
    return Facts(
        task=inspected.task.describe(),
        size=inspected.size,
        channels=inspected.channels,
        mean=inspected.mean,
        std=inspected.std,
        network=network,
        options=options,
        flip=flip,
    )


def _fit_linear(session: Session, inspected: Inspected) -> None:
    path = session.folder.baseline(LINEAR)
    if not is_sound(path):
        facts = facts_for(inspected, network_for(inspected.task, LINEAR))
        some = np.random.default_rng(session.recipe.seed).permutation(inspected.train.index)[
            : _linear_samples(session.budget)
        ]
        some.sort()  # in the order in which they lie on the disk
        model = linear_model(inspected.train.images[some], inspected.train.labels[some], facts=facts)
        save_model(path, model, facts=facts)
    consider(session, inspected, name=LINEAR, path=path)


def _linear_samples(budget: float) -> int:
    """More change the closed-form fit by less than its interval, and cost seconds that a short budget does not have.

    >>> _linear_samples(60.0), _linear_samples(600.0)
    (6000, 20000)
    """
    return min(_LINEAR_SAMPLES, max(1000, round(_LINEAR_SAMPLES_PER_SECOND * budget)))


def _fit_small(session: Session, inspected: Inspected) -> None:
    """A small proven network: Adam 3e-4, constant rate, no augmentation, for a fixed share of the budget."""
    path = session.folder.baseline(SMALL)
    if not is_sound(path):
        facts = facts_for(inspected, network_for(inspected.task, SMALL))
        seed_everything(session.recipe.seed)
        model = build_network(facts)
        inspected.task.prepare_(model)
        epochs = _train_small(session, inspected, model=model)
        session.measure("baseline.small.epochs", round(epochs, 2), unit="epochs")
        save_model(path, model, facts=facts)
    consider(session, inspected, name=SMALL, path=path)


def _train_small(session: Session, inspected: Inspected, *, model: nn.Module) -> float:
    """Train in place; gives the epochs done."""
    recipe = session.recipe.baseline
    size = recipe.batch_size
    if inspected.task.dense and "baseline.batch_size" not in session.chosen:
        size = min(size, _DENSE_BATCH)
    loader = inspected.loader(inspected.train, batch_size=size, seed=session.recipe.seed, shuffle=True)
    update = Update(loss=inspected.task.loss(), optimizer=build(model, name="adam", lr=recipe.lr))
    pace = TimedSteps(max(recipe.budget_share * session.budget, 0.1))
    epochs = 0.0
    for step in train(model, loader, update=update, runtime=inspected.runtime, pace=pace):
        epochs = step.number / len(loader)
        session.progress.update(f"small network, epoch {epochs:.1f}", done=step.progress)
        if epochs >= _ENOUGH_EPOCHS:
            break
    return epochs


def _decide_flip(session: Session, inspected: Inspected) -> None:
    """Mirroring is a sound augmentation where a model that never saw a mirror image knows it all the same.

    Digits and dials fail this, animals and landscapes pass (tips W1.1, L6). Asked of the best baseline; where even that
    has learnt nothing, masks may be mirrored, for they move with the image, and nothing else.
    """
    task = inspected.task
    model, facts = load_model(session.folder.model)
    if session.present_evidence is None:  # after a resumption
        session.present_evidence = evidence_of(session.folder.model, inspected, samples=inspected.val)
    straight = task.score(session.present_evidence, labels_of(inspected, inspected.val)).value
    mirrored = _score(inspected, _Mirrored(model, dense=task.dense))
    floor, sign = trivial_answer(task, inspected.val.targets)[1].value, 1 if task.metric.higher_is_better else -1
    learnt = sign * (straight - floor) > _LEARNT * abs(floor)
    shown = task.metric.show
    sound = mirror_keeps_labels(sign * straight, sign * mirrored, chance=sign * floor) if learnt else task.dense
    reason = f"{task.metric.name} of the best baseline: {shown(straight)}, on mirror images {shown(mirrored)}"
    session.decide(
        "transforms.flip",
        sound,
        reason=reason if learnt else f"{reason}: too little was learnt to tell",
        evidence={"straight": straight, "mirrored": mirrored, "trivial": floor, "network": facts.network},
    )


def _score(inspected: Inspected, model: nn.Module) -> float:
    """The metric of a network on the validation split."""
    loader = inspected.loader(inspected.val, batch_size=looking_batch(inspected))
    said = predict(model, loader, runtime=inspected.runtime, keep=inspected.task.evidence)
    return inspected.task.score(said.outputs.cpu().numpy(), labels_of(inspected, inspected.val)).value


class _Mirrored(nn.Module):
    """A network that sees every image in a mirror, and whose answers for pixels are turned back."""

    def __init__(self, model: nn.Module, *, dense: bool) -> None:
        super().__init__()
        self.model = model
        self.dense = dense

    def forward(self, images: Tensor) -> Tensor:
        said: Tensor = self.model(images.flip(3))
        return said.flip(3) if self.dense else said
