"""The tables on learning name what the rooms below can build, and nothing else."""

import dataclasses
import typing
from pathlib import Path
from typing import Any

import pytest

from epochal.errors import SettingError
from epochal.optim import optimizer, shapes
from epochal.recipe import learning
from epochal.recipe.config import settle, write


def names(table: type, field: str = "name") -> tuple[str, ...]:
    """The names that a key of a table may have."""
    return typing.get_args(typing.get_type_hints(table, include_extras=True)[field])


def test_the_recipe_names_every_optimizer() -> None:
    """What can be built can be asked for, and the other way round (L4)."""
    assert names(learning.OptimizerRecipe) == optimizer.NAMES


def test_the_recipe_names_every_schedule() -> None:
    """What can be built can be asked for, and the other way round (S10)."""
    assert set(names(learning.ScheduleRecipe)) == set(shapes.NAMES)


def test_every_figure_of_a_shape_is_a_key() -> None:
    """A schedule's figures are those of its table, so that each can be set."""
    shape = {each.name for each in dataclasses.fields(shapes.Shape)}
    assert shape == {each.name for each in dataclasses.fields(learning.ScheduleRecipe)}


CHOICES = [
    ("optimizer.name", names(learning.OptimizerRecipe)),
    ("schedule.name", names(learning.ScheduleRecipe)),
    ("averaging.name", names(learning.AveragingRecipe)),
    ("loss.name", names(learning.LossRecipe)),
    ("loss.class_weights", names(learning.LossRecipe, "class_weights")),
]


@pytest.mark.parametrize(("key", "value"), [(key, name) for key, known in CHOICES for name in known])
def test_every_name_survives_the_way_through_a_file(tmp_path: Path, key: str, value: str) -> None:
    """Set on the command line, written to recipe.toml and read again, it is the same recipe."""
    recipe = settle(overrides=[f"{key}={value}"]).recipe
    assert recipe[key] == value
    file = tmp_path / "recipe.toml"
    file.write_text(write(recipe, {}), encoding="utf-8")
    assert settle(file=file).recipe == recipe


def test_points_of_a_schedule_are_a_list(tmp_path: Path) -> None:
    """`--set schedule.at=[0.2,0.4]` reaches the recipe, and the file."""
    recipe = settle(overrides=["schedule.at=[0.2, 0.4]"]).recipe
    assert recipe.schedule.at == (0.2, 0.4)
    file = tmp_path / "recipe.toml"
    file.write_text(write(recipe, {}), encoding="utf-8")
    assert settle(file=file).recipe == recipe


@pytest.mark.parametrize(
    ("override", "near"),
    [
        ("optimizer.name=adamm", "adam"),
        ("schedule.name=one_cycle", "one-cycle"),
        ("averaging.name=sva", "swa"),
        ("loss.name=focall", "focal"),
        ("optimizer.clip=1", "optimizer.clip_norm"),
    ],
)
def test_a_slip_is_told_the_nearest(override: str, near: str) -> None:
    """Keys and names alike: the message names what was probably meant."""
    with pytest.raises(SettingError, match=f"did you mean {near}"):
        settle(overrides=[override])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schedule.divide_by", 1.0),
        ("schedule.at", [0.5, 1.5]),
        ("schedule.patience", -1),
        ("optimizer.clip_norm", -1.0),
        ("averaging.start", 1.0),
        ("penalty.l1", -0.1),
        ("loss.effective_beta", 1.0),
    ],
)
def test_figures_out_of_range_are_refused(key: str, value: Any) -> None:
    """Told in three parts before anything is read."""
    with pytest.raises(SettingError, match=key):
        settle(options={key: value})
