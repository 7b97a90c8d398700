"""Which network plays which part, by task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from epochal.tasks.task import Task

LINEAR, SMALL, LARGE = "linear", "small", "large"

_PLAIN: Mapping[str, str] = {LINEAR: "linear", SMALL: "small", LARGE: "resnet"}
_DENSE: Mapping[str, str] = {LINEAR: "linear-pixels", SMALL: "small-dense", LARGE: "encoder-decoder"}


def network_for(task: Task, role: str) -> str:
    """The network of the linear baseline, of the small one, or of the train stage (`large`).

    >>> from epochal.tasks.classification import Classification
    >>> network_for(Classification(classes=("cat", "dog"), counts=(7, 1)), LARGE)
    'resnet'
    """
    return (_DENSE if task.dense else _PLAIN)[role]
