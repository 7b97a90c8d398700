"""The main job from Python: the same as the command line, with the same errors as exceptions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from epochal.recipe.config import settle
from epochal.recipe.duration import parse_duration
from epochal.stages.check import check_program, parts_of
from epochal.stages.export import Exported, export_model
from epochal.stages.folder import existing_run
from epochal.stages.predict import predict_files
from epochal.stages.progress import choose_progress
from epochal.stages.report import write_report
from epochal.stages.verdict import Report
from epochal.stages.walk import Outcome, start


def run(
    source: str | Path,
    *,
    budget: str | float | None = None,
    out: str | Path | None = None,
    settings: Mapping[str, Any] | str | Path | None = None,
    fresh: bool = False,
    quiet: bool = False,
) -> Outcome:
    """Take a folder of images through the whole recipe: `epochal run`.

    `settings` sets keys of the recipe, as in `{"seed": 3, "network.width": 64}`, or names a recipe file. Called again
    with the same values it continues an interrupted run, or gives the result of a finished one.

    Units: `budget` in seconds, or as text such as "10m".
    Raises: EpochalError, whose subclasses say whether a setting, the data, a check or the budget was at fault.

    >>> run("no/such/folder", quiet=True)
    Traceback (most recent call last):
    epochal.errors.DataError: ...
    """
    seconds = parse_duration(budget) if isinstance(budget, str) else budget
    options = {} if settings is None or isinstance(settings, str | Path) else settings
    known = settle(
        file=Path(settings) if isinstance(settings, str | Path) else None,
        options={"budget_seconds": seconds, **options},
    )
    return start(
        source, known, out=None if out is None else Path(out), fresh=fresh, progress=choose_progress(quiet=quiet)
    )


def predict(run: str | Path, images: str | Path, *, output: str | Path | None = None) -> list[dict[str, Any]]:
    """What the model says of each image, one row for each file: `epochal predict`.

    Rows hold `file`, the columns of the task and `problem`. Masks are written to the folder `masks` of `output`.

    Raises: RunError if there is no such run, DataError if there are no images, SettingError where masks have no place.
    """
    return predict_files(Path(run), Path(images), output=None if output is None else Path(output))


def check(  # noqa: PLR0913 - the parts of a training program
    model: Any,
    batch: Any = None,
    *,
    loss_fn: Any = None,
    optimizer: Any = None,
    train: Any = None,
    validation: Any = None,
    seconds: float = 10.0,
) -> Report:
    """Check your own training program before its first step; leave all of it as it was: `epochal check`.

    A batch is `(inputs, target)`, or a dict with `labels`, `target` or `y`; loaders give such batches.

    Raises: SettingError if there is nothing to check.

    >>> import torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Softmax(1))
    >>> batch = torch.randn(16, 3), torch.arange(16) % 2
    >>> [each.rule for each in check(network, batch, loss_fn=torch.nn.CrossEntropyLoss()).findings][:1]
    ['double-softmax']
    """
    parts = {
        "model": model, "batch": batch, "loss": loss_fn, "optimizer": optimizer, "train": train,
        "validation": validation,
    }  # fmt: skip
    return check_program(parts_of({name: each for name, each in parts.items() if each is not None}), seconds=seconds)


def export(run: str | Path, *, kind: str = "onnx", output: str | Path | None = None) -> Exported:
    """Write the model for use without epochal, checked against it: `epochal export`.

    Raises: MissingExtra if `kind` is onnx and its packages are not installed.
    """
    return export_model(Path(run), kind=kind, output=None if output is None else Path(output))


def redraw(run: str | Path) -> Path:
    """Draw the report again from the journal alone: `epochal report`. Gives its path."""
    folder = existing_run(Path(run))
    write_report(folder)
    return folder.report
