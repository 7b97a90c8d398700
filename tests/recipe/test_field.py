"""A field carries its documentation."""

import dataclasses

from epochal.recipe.field import CLOSED, about


def test_a_field_carries_its_default_and_its_line() -> None:
    """What the docs quote is part of the value's definition."""
    made = dataclasses.make_dataclass("Made", [("width", int, about(64, "channels of the first stage"))])
    assert made().width == 64
    assert dataclasses.fields(made)[0].metadata["about"] == "channels of the first stage"


def test_unknown_keys_are_forbidden() -> None:
    """A slip of the keyboard in a file is an error, never ignored."""
    assert CLOSED == {"extra": "forbid"}
