"""Run folders that hold a model of each task, made without training: enough for what only reads the model file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from epochal.stages.artifact import Facts, build_network, save_model
from epochal.stages.folder import RunFolder
from epochal.tasks.classification import Classification
from epochal.tasks.multi_label import MultiLabel
from epochal.tasks.regression import Regression
from epochal.tasks.segmentation import Segmentation
from epochal.tasks.task import Task

TASKS: Mapping[str, Callable[[], Task]] = {
    "classification": lambda: Classification(classes=("cat", "dog", "owl"), counts=(5, 3, 2)),
    "multi-label": lambda: MultiLabel(classes=("sea", "sky"), counts=(5, 3), samples=10),
    "regression": lambda: Regression.of(
        ["angle", "length"], np.stack([np.linspace(0, 9.9, 50), np.linspace(5, 900, 50)], axis=1), periods=[10.0, None]
    ),
    "segmentation": lambda: Segmentation.of(
        ["road", "sky"], np.tile(np.array([[[0, 1], [0, 0]]], np.uint8), (2, 1, 1))
    ),
}
NETWORKS = {"segmentation": "small-dense"}


def facts_of(task: str, **changes: Any) -> Facts:
    """Facts of a small network of this task."""
    known: dict[str, Any] = {
        "task": TASKS[task]().describe(),
        "size": (32, 64) if task == "segmentation" else (16, 16),
        "channels": 3,
        "mean": (0.4, 0.5, 0.6),
        "std": (0.2, 0.25, 0.3),
        "network": NETWORKS.get(task, "small"),
        "options": {"width": 4},
        "flip": True,
    }
    return Facts(**known | changes)


def run_with(folder: Path, facts: Facts, network: nn.Module | None = None) -> RunFolder:
    """A run whose model is `network`, or one with weights that were drawn."""
    torch.manual_seed(0)
    run = RunFolder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run.journal.touch()
    save_model(run.model, network or build_network(facts), facts=facts)
    return run
