"""Stage 3: the simplest things that could work, each measured before the next (K2.2, K3.1, K3.2, K3.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from epochal.models.sizing import mirror_keeps_labels
from epochal.optim.optimizer import build
from epochal.stages.adoption import consider
from epochal.stages.artifact import Facts, build_network, is_sound, load_model, save_model
from epochal.stages.linear import LINEAR, linear_model
from epochal.training.environment import seed_everything
from epochal.training.evaluation import predict
from epochal.training.loop import Update, train
from epochal.training.pace import TimedSteps

if TYPE_CHECKING:
    from epochal.stages.inspect import Inspected
    from epochal.stages.session import Session

PRIOR, SMALL = "prior", "small"
_LINEAR_SAMPLES, _LINEAR_SAMPLES_PER_SECOND = 20_000, 100  # in all; of budget
_BATCH = 500
_ENOUGH_EPOCHS = 30  # at a constant 3e-4 a small net has long levelled off; a larger budget is better spent later


def fit_baselines(session: Session, inspected: Inspected) -> None:
    """Prior, linear model and small network, none with augmentation; the best of them is on disk afterwards."""
    kept = (session.folder.baseline(LINEAR), session.folder.baseline(SMALL))
    if session.journal.finished("baseline") and all(is_sound(path) for path in kept):
        return
    with session.stage("baseline", title="Baselines: prior, linear model, small network"):
        guessed = inspected.task.trivial(inspected.val.targets)["majority"]
        session.measure("baseline.prior", guessed.value, unit="share", note="always the most common class of train")
        _fit_linear(session, inspected)
        _fit_small(session, inspected)
        _decide_flip(session, inspected)


def facts_for(inspected: Inspected, network: str, *, flip: bool = False, **options: object) -> Facts:
    """The facts of a network trained on these data."""
    return Facts(
        task="classification",
        classes=inspected.classes,
        image_size=inspected.image_size,
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
        facts = facts_for(inspected, LINEAR)
        some = np.random.default_rng(session.recipe.seed).permutation(inspected.train.index)[
            : _linear_samples(session.budget)
        ]
        some.sort()  # in the order in which they lie on the disk
        model, _ = linear_model(inspected.train.images[some], inspected.train.labels[some], facts=facts)
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
        facts = facts_for(inspected, SMALL)
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
    loader = inspected.loader(inspected.train, batch_size=recipe.batch_size, seed=session.recipe.seed, shuffle=True)
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
    """Mirroring is a sound augmentation where a network that never saw a mirror image recognises it all the same.

    Digits and letters fail this, animals and landscapes pass (tips W1.1, L6).
    """
    model, facts = load_model(session.folder.baseline(SMALL))
    straight = predict(model, inspected.loader(inspected.val, batch_size=_BATCH), runtime=inspected.runtime).accuracy()
    mirrored = predict(
        _Mirrored(model), inspected.loader(inspected.val, batch_size=_BATCH), runtime=inspected.runtime
    ).accuracy()
    floor = inspected.task.trivial(inspected.val.targets)["majority"].value
    session.decide(
        "transforms.flip",
        mirror_keeps_labels(straight, mirrored, chance=floor),
        reason=f"the small network is right on {straight:.1%} of images and {mirrored:.1%} of their mirror images",
        evidence={"straight": straight, "mirrored": mirrored, "majority": floor, "network": facts.network},
    )


class _Mirrored(nn.Module):
    """A network that sees every image in a mirror."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        said: Tensor = self.model(images.flip(3))
        return said
