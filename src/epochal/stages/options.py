"""The options of a network in which a recipe differs from the network's own, for its builder and its model file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from epochal.layers.normalization import norm_for_batch
from epochal.models import networks
from epochal.recipe.recipe import NetworkRecipe
from epochal.stages.augmentation import transforms_for
from epochal.stages.roles import LARGE, network_for
from epochal.transforms.by_name import check_names
from epochal.transforms.preprocessing import WHITENINGS

if TYPE_CHECKING:
    from epochal.recipe.recipe import Recipe
    from epochal.stages.inspected import Inspected
    from epochal.stages.session import Session
    from epochal.tasks.task import Task

PARTS = ("depth", "norm", "activation", "initialization", "dropout", "spatial_dropout", "drop_path", "separable")
BY_BATCH_SIZE = "by-batch-size"


def network_options(recipe: Recipe, *, task: Task, batch_size: int) -> dict[str, Any]:
    """What is passed to the network's builder beside its width: only what differs from its defaults.

    >>> from epochal.recipe.recipe import Recipe
    >>> from epochal.tasks.classification import Classification
    >>> task = Classification(classes=("cat", "dog"), counts=(7, 1))
    >>> recipe = Recipe().replace({"network.norm": "by-batch-size", "preprocessing.name": "zca"})
    >>> [network_options(recipe, task=task, batch_size=size) for size in (4, 64)]
    [{'norm': 'group', 'whitening': 'zca'}, {'whitening': 'zca'}]
    """
    chosen, usual = recipe.network, NetworkRecipe()
    parts = (*PARTS, "head") if task.dense else PARTS
    options = {key: getattr(chosen, key) for key in parts if getattr(chosen, key) != getattr(usual, key)}
    if chosen.norm == BY_BATCH_SIZE:
        options["norm"] = norm_for_batch(batch_size)
        if options["norm"] == "batch":  # which is the network's own
            del options["norm"]
    if recipe.preprocessing.name in WHITENINGS:
        options["whitening"] = WHITENINGS[recipe.preprocessing.name]
    return options


def check_recipe_names(recipe: Recipe) -> None:
    """Refuse names that nothing has, before any image is read.

    Raises: SettingError.

    >>> from epochal.recipe.recipe import Recipe
    >>> check_recipe_names(Recipe())
    """
    check_names(recipe.transforms.names)


def refuse_misfits(session: Session, inspected: Inspected) -> None:
    """Refuse what the recipe names and these data do not allow, before anything is trained on them.

    Raises: SettingError for a transform, a part of the network or a preprocessing that does not suit the data.
    """
    transforms_for(session, inspected)
    options = network_options(session.recipe, task=inspected.task, batch_size=session.recipe.optimizer.batch_size)
    if options:
        name, task = network_for(inspected.task, LARGE), inspected.task
        networks.build(name, inspected.channels, task.outputs, image_size=inspected.image_size, **options)
