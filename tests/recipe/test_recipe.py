"""The recipe is a frozen value with dotted keys."""

import dataclasses

import pytest

from epochal.recipe.recipe import Recipe, fields_of


def test_every_key_can_be_read_and_replaced() -> None:
    """Dotted keys reach each field, and replacing one changes no other."""
    before = dict(Recipe().items())
    for each in fields_of(Recipe):
        after = dict(Recipe().replace({each.key: "changed"}).items())
        assert after.pop(each.key) == "changed"
        assert after == {key: value for key, value in before.items() if key != each.key}


def test_every_field_says_what_it_is_about() -> None:
    """Documentation is part of the field: the docs and recipe.toml quote it."""
    assert all(len(each.about) > 10 for each in fields_of(Recipe))


def test_a_recipe_cannot_be_changed_in_place() -> None:
    """A stage that wants another recipe has to say so."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().seed = 1  # type: ignore[misc]
