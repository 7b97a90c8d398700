"""All tasks by name: the one list of them."""

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from epochal.errors import SettingError
from epochal.tasks.classification import Classification
from epochal.tasks.task import Task

KINDS: Mapping[str, Callable[[Mapping[str, Any]], Task]] = {
    "classification": Classification.from_description,
}


def task_from(description: Mapping[str, Any]) -> Task:
    """Make a task again from what its `describe` gave, as a saved model keeps it.

    Raises: SettingError for a name that is none of the tasks.

    >>> task_from({"name": "classification", "classes": ["cat", "dog"], "counts": [7, 1]}).outputs
    2
    """
    name = str(description.get("name"))
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, n=1)
        raise SettingError(
            f"The task is {name!r}.",
            expected=f"one of {', '.join(KINDS)}.",
            remedy=f"did you mean {near[0]}?" if near else "leave the task out: it follows from the data.",
        )
    return KINDS[name](description)
