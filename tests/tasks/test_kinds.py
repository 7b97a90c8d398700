"""All tasks by name."""

import json

import pytest

from epochal.errors import SettingError
from epochal.tasks.classification import Classification
from epochal.tasks.kinds import KINDS, task_from
from epochal.tasks.task import Task

EXAMPLES: dict[str, Task] = {
    "classification": Classification(classes=("cat", "dog"), counts=(7, 1)),
}


def test_every_kind_has_an_example_here() -> None:
    """The facts below are stated for each task."""
    assert EXAMPLES.keys() == KINDS.keys()


@pytest.mark.parametrize("name", KINDS)
def test_a_task_is_made_again_from_its_description(name: str) -> None:
    """Through JSON and back nothing is lost, and each task is listed under its own name."""
    task = EXAMPLES[name]
    again = task_from(json.loads(json.dumps(task.describe(), allow_nan=False)))
    assert task.name == again.name == name
    assert again.describe() == task.describe()


def test_an_unknown_task_is_refused_with_the_nearest_name() -> None:
    """A slip of the pen is answered with what was probably meant."""
    with pytest.raises(SettingError, match="did you mean classification"):
        task_from({"name": "clasification"})
