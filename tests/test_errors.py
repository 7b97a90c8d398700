"""Errors carry three parts and an exit code."""

import pickle

import pytest

from epochal import errors


def subclasses(kind: type[errors.EpochalError]) -> list[type[errors.EpochalError]]:
    found = [kind]
    for each in kind.__subclasses__():
        found += subclasses(each)
    return found


@pytest.mark.parametrize("kind", subclasses(errors.EpochalError))
def test_the_three_parts_survive_pickling(kind: type[errors.EpochalError]) -> None:
    """An error raised in a worker process arrives whole in its parent."""
    error = kind("It broke.", expected="whole.", remedy="mend it.")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is kind
    assert (copy.happened, copy.expected, copy.remedy) == ("It broke.", "whole.", "mend it.")
    assert str(copy) == "It broke. Expected: whole. What to do: mend it."


def test_exit_codes_follow_the_promise() -> None:
    """2 for usage, 3 when a check stopped the run, 4 when the budget ended."""
    assert errors.SettingError.exit_code == errors.DataError.exit_code == errors.RunError.exit_code == 2
    assert errors.CheckFailed.exit_code == 3
    assert errors.BudgetError.exit_code == 4


def test_the_tree_in_the_docstring_names_every_error() -> None:
    """The drawing at the top of the module is the tree that the code has."""
    for kind in subclasses(errors.EpochalError):
        assert kind.__name__ in (errors.__doc__ or "")


def test_an_unknown_name_is_told_the_nearest() -> None:
    """A slip of the keyboard is mended by the message; where nothing is near, all names are there to choose from."""
    near = errors.SettingError.unknown("schedule", "cosin", known=["linear", "cosine"])
    assert near.remedy == "did you mean cosine?"
    far = errors.SettingError.unknown("schedule", "zzz", known=["linear", "cosine"])
    assert "linear, cosine" in far.expected
    assert "did you mean" not in far.remedy
