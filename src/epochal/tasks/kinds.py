"""All tasks by name: the one list of them."""

from collections.abc import Callable, Mapping
from typing import Any

from epochal.errors import SettingError
from epochal.tasks.classification import Classification
from epochal.tasks.multi_label import MultiLabel
from epochal.tasks.regression import Regression
from epochal.tasks.segmentation import Segmentation
from epochal.tasks.task import Task

KINDS: Mapping[str, Callable[[Mapping[str, Any]], Task]] = {
    "classification": Classification.from_description,
    "multi-label": MultiLabel.from_description,
    "regression": Regression.from_description,
    "segmentation": Segmentation.from_description,
}


def task_from(description: Mapping[str, Any]) -> Task:
    """Make a task again from what its `describe` gave, as a saved model keeps it.

    Raises: SettingError for a name that is none of the tasks.

    >>> task_from({"name": "classification", "classes": ["cat", "dog"], "counts": [7, 1]}).outputs
    2
    """
    name = str(description.get("name"))
    if name not in KINDS:
        raise SettingError.unknown("task", name, known=KINDS)
    return KINDS[name](description)
