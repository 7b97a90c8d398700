"""TOML becomes a recipe, and a recipe TOML; mistakes are named with the nearest key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.errors import SettingError
from epochal.recipe.config import KEYS, settle, write
from epochal.recipe.recipe import Recipe


@given(
    changes=st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 99),
            "optimizer.lr": st.floats(1e-6, 10),
            "schedule.name": st.sampled_from(["linear", "cosine"]),
            "transforms.flip": st.booleans(),
        },
    )
)
def test_a_written_recipe_reads_back_the_same(
    changes: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Every value survives the file, and all keys of a file count as chosen by the user."""
    recipe = Recipe().replace(changes)
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(write(recipe, {}), encoding="utf-8")
    settings = settle(file=path)
    assert settings.recipe == recipe
    assert settings.chosen == set(KEYS)


def test_each_line_says_where_its_value_comes_from() -> None:
    """A reason stands behind its value; without one the value is a default and says what it is."""
    text = write(Recipe(), {"network.width": "measured: room for 11 epochs"})
    assert "width = 64 # measured: room for 11 epochs" in text
    assert "seed = 0 # default: all randomness follows from it (K2.1)" in text


def test_later_sources_win(tmp_path: Path) -> None:
    """File, then --set, then options of the command line."""
    path = tmp_path / "r.toml"
    path.write_text("seed = 1\n[network]\nwidth = 16\n[schedule]\nwarmup = 0.1\n")
    settings = settle(
        file=path, overrides=["network.width=24", "schedule.name = cosine"], options={"seed": 3, "task": None}
    )
    assert settings.recipe.seed == 3
    assert settings.recipe.network.width == 24
    assert settings.recipe.schedule.name == "cosine"
    assert settings.chosen == {"seed", "network.width", "schedule.warmup", "schedule.name"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[network]\nwidht = 3", "did you mean network.width"),
        ("nonsense = 3", "which no recipe has"),
        ("[network.deep]\nwidth = 3", "network.deep"),
        ('seed = "3"', "seed is '3'"),
        ("[schedule]\nwarmup = 2", "less than 1"),
        ("[schedule]\nname = 'sine'", "'linear', 'cosine'"),
        ("network = 3", "network"),
        ("= 3", "is not TOML"),
    ],
)
def test_mistakes_in_a_file_are_named(text: str, said: str, tmp_path: Path) -> None:
    """What is wrong, where, and what would be right."""
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(SettingError) as caught:
        settle(file=path)
    assert said in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The path that could not be read is in the message."""
    with pytest.raises(SettingError, match=r"absent\.toml cannot be read"):
        settle(file=tmp_path / "absent.toml")


def test_an_override_needs_an_equals_sign() -> None:
    """The message shows how an override is written."""
    with pytest.raises(SettingError, match=r"--set network.width=64"):
        settle(overrides=["network.width"])
