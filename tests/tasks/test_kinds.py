"""All tasks by name."""

import json

import numpy as np
import pytest

from epochal.errors import SettingError
from epochal.tasks.classification import Classification
from epochal.tasks.kinds import KINDS, task_from
from epochal.tasks.multi_label import MultiLabel
from epochal.tasks.regression import Regression
from epochal.tasks.segmentation import Segmentation
from epochal.tasks.task import Task

EXAMPLES: dict[str, Task] = {
    "classification": Classification(classes=("cat", "dog"), counts=(7, 1)),
    "multi-label": MultiLabel.of(["hat", "coat"], np.array([[1, 0], [1, 1], [0, 0]], np.float32)),
    "regression": Regression.of(
        ["age", "hour"], np.array([[30, 1], [50, 23], [70, 9]], np.float32), periods=[None, 24.0]
    ),
    "segmentation": Segmentation.of(["road", "sky"], np.array([[[0, 0], [1, 255]]], np.uint8)),
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
