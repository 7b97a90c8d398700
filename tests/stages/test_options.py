"""Parts of the network that a recipe names reach its builder, its model file, and what is read from that."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from epochal.errors import SettingError
from epochal.layers.image_whitening import ImageWhitening
from epochal.layers.normalization import GroupNorm
from epochal.models.networks import NETWORKS
from epochal.models.resnet import ResNet, resnet
from epochal.recipe.recipe import NetworkRecipe, Recipe, fields_of
from epochal.stages.artifact import Deployed, load_model, save_model
from epochal.stages.baseline import facts_for
from epochal.stages.inspected import Inspected
from epochal.stages.network import make_fit
from epochal.stages.options import PARTS, check_recipe_names, network_options, refuse_misfits
from epochal.stages.plan import plan_training
from epochal.stages.session import Session
from epochal.tasks.classification import Classification
from epochal.tasks.segmentation import Segmentation

TASK = Classification(classes=("cat", "dog"), counts=(1, 1))
CHANGED: dict[str, Any] = {
    "depth": 2, "norm": "group", "activation": "leaky_relu", "initialization": "he", "dropout": 0.1,
    "spatial_dropout": 0.1, "drop_path": 0.1, "separable": True,
}  # fmt: skip


def _recipe(**changes: Any) -> Recipe:
    return Recipe().replace({key.replace("__", "."): value for key, value in changes.items()})


def test_the_default_recipe_says_nothing() -> None:
    """Without a choice the builder gets no option: networks and model files stay what they were."""
    assert network_options(Recipe(), task=TASK, batch_size=256) == {}


@pytest.mark.parametrize("key", PARTS)
def test_each_choice_is_one_option(key: str) -> None:
    """What differs is passed on under its own name, and nothing else; the builder knows it."""
    options = network_options(_recipe(**{f"network__{key}": CHANGED[key]}), task=TASK, batch_size=256)
    assert options == {key: CHANGED[key]}
    assert isinstance(resnet(3, 4, image_size=16, width=8, **options), ResNet)


def test_every_default_is_the_networks_own() -> None:
    """A recipe at its defaults and a builder without options name the same parts."""
    import inspect as python

    builder = python.signature(resnet).parameters
    for key in PARTS:
        assert getattr(NetworkRecipe(), key) == builder[key].default, key
    named = {each.key for each in fields_of(NetworkRecipe)}
    assert set(PARTS) <= named


@pytest.mark.parametrize(("batch_size", "norm"), [(1, "instance"), (4, "group"), (9, "group"), (10, None)])
def test_the_batch_size_may_choose_the_norm(batch_size: int, norm: str | None) -> None:
    """Over the batch where it holds ten images or more, over groups below, over places for one (L1)."""
    options = network_options(_recipe(network__norm="by-batch-size"), task=TASK, batch_size=batch_size)
    assert options.get("norm") == norm


def test_planned_options_reach_the_network_and_its_file(begun: tuple[Session, Inspected], tmp_path: Path) -> None:
    """Sized, built, fitted, saved and read again: the model file rebuilds every part and says the same."""
    session, inspected = begun
    changes = {f"network.{key}": value for key, value in CHANGED.items()} | {"preprocessing.name": "zca"}
    session.recipe = session.recipe.replace(changes)
    planned = plan_training(session, inspected, seconds=5.0)
    assert planned is not None
    assert planned.options == {"width": 16, "whitening": "zca"} | CHANGED
    facts = facts_for(inspected, "resnet", **planned.options)
    fit = make_fit(session, inspected, facts=facts, seconds=5.0)
    for _, step in zip(range(3), fit.steps(), strict=False):
        assert bool(step.loss.isfinite())
    assert session.journal.measured("preprocessing.amplification") > 1
    save_model(tmp_path / "m.safetensors", fit.model, facts=facts)
    model, read = load_model(tmp_path / "m.safetensors")
    assert any(isinstance(layer, GroupNorm) for layer in model.modules())
    assert dict(read.options) == planned.options
    pixels = torch.rand(5, inspected.channels, *inspected.size)
    before = Deployed(fit.model, facts).eval()(pixels)
    # the network that was trained may lie otherwise in memory: the same weights, other roundings
    torch.testing.assert_close(Deployed(model, read).eval()(pixels), before, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in fit.model.state_dict().items())


@pytest.mark.parametrize("name", ["pca-whitening", "zca"])
def test_whitening_is_measured_on_the_training_split_alone(begun: tuple[Session, Inspected], name: str) -> None:
    """Training images come out white; the statistics are those of no other image."""
    session, inspected = begun
    session.recipe = session.recipe.replace({"preprocessing.name": name})
    options = network_options(session.recipe, task=TASK, batch_size=16)
    fit = make_fit(session, inspected, facts=facts_for(inspected, "resnet", width=8, **options), seconds=1.0)
    assert isinstance(fit.model, ResNet)
    layer = fit.model.whitening
    assert isinstance(layer, ImageWhitening)
    images = inspected.loader(inspected.train, batch_size=len(inspected.train)).batch(inspected.train.index).images
    np.testing.assert_allclose(layer.mean.numpy(), images.flatten(1).mean(0).numpy(), atol=1e-5)
    white = layer(images).flatten(1)
    assert float(white.mean(0).abs().max()) < 1e-3
    assert float(white.var(0).max()) < 1.1


def test_unknown_transforms_are_refused_before_anything_is_read() -> None:
    """The names alone suffice to see a slip of the pen."""
    with pytest.raises(SettingError, match="did you mean cutmix"):
        check_recipe_names(_recipe(transforms__names=("cutmx",)))


@pytest.mark.parametrize(("changes", "said"), [
    ({"transforms.names": ("copy-paste",)}, "no masks to paste by"),
    ({"transforms.names": ("rotate", "rotate")}, "rotate stands twice"),
])  # fmt: skip
def test_what_does_not_suit_the_data_is_refused_early(
    begun: tuple[Session, Inspected], changes: dict[str, Any], said: str
) -> None:
    """Before the first network is trained, the user hears what will not work, and why."""
    session, inspected = begun
    refuse_misfits(session, inspected)
    session.recipe = session.recipe.replace(changes)
    with pytest.raises(SettingError, match=said):
        refuse_misfits(session, inspected)


def test_options_of_other_networks_are_refused() -> None:
    """A network that has no such part says so by name."""
    from epochal.models import networks

    assert "encoder-decoder" in NETWORKS
    with pytest.raises(SettingError, match="whitening"):
        networks.build("encoder-decoder", 3, 4, image_size=64, **network_options(
            _recipe(preprocessing__name="zca"), task=TASK, batch_size=8
        ))  # fmt: skip


def test_only_answers_for_pixels_have_a_decoder() -> None:
    """The head is passed on where there is one, and left out elsewhere."""
    recipe = _recipe(network__head="pan")
    masks = Segmentation.of(["road", "sky"], np.array([[[0, 1]]], np.uint8))
    assert network_options(recipe, task=masks, batch_size=8) == {"head": "pan"}
    assert network_options(recipe, task=TASK, batch_size=8) == {}
