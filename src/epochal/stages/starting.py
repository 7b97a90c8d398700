"""The network that `network.start` names: one of an earlier run, of a model file, or of a library."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from epochal.data.table_file import read_csv
from epochal.errors import DataError, SettingError
from epochal.models.adapted import Adapted, Sight
from epochal.models.pretrained import OWN, Origin, adapted, pretrained
from epochal.stages.artifact import ADAPTED, load_model
from epochal.stages.folder import RunFolder

if TYPE_CHECKING:
    from epochal.data.table import SampleTable
    from epochal.stages.artifact import Facts
    from epochal.stages.inspected import Inspected


def load_start(start: str, *, inspected: Inspected) -> tuple[Adapted, Origin]:
    """The network that `start` names, for these pictures and this task: an earlier run's, or a library's.

    Raises: SettingError for a start that names nothing, CheckpointError for a file that is no model of ours,
    MissingExtra or DataError where a library's network cannot be had.
    """
    path = Path(start).expanduser()
    outputs = inspected.task.outputs
    if path.exists():
        trained, facts = load_model(path / "model.safetensors" if path.is_dir() else path)
        origin = _origin_of(facts, start=start)
        inner = trained.network if isinstance(trained, Adapted) else trained
        model = Adapted(inner, sight=origin.sight, channels_in=inspected.channels, outputs=outputs)
    else:
        _refuse_missing(start)
        model, origin = pretrained(start, channels_in=inspected.channels, classes=outputs)
    model.rescale_(inspected.mean, inspected.std)
    return model, origin


def earlier_samples(start: str) -> SampleTable | None:
    """The samples of the run that `start` names; None where it is no run, or its table is gone."""
    path = Path(start).expanduser()
    folder = RunFolder(path if path.is_dir() else path.parent)
    try:
        return read_csv(folder.samples)
    except (OSError, DataError):
        return None


def _refuse_missing(start: str) -> None:
    if ":" not in start:
        raise SettingError(
            f"network.start is {start!r}, and there is no such run or file.",
            expected="a run folder, a model.safetensors, or LIBRARY:NAME of timm, torchvision or transformers.",
            remedy="check the path: it is read from where the program is started.",
        )


def _origin_of(facts: Facts, *, start: str) -> Origin:
    if facts.kind.dense or facts.options.get("cut"):
        kept = "answers for each pixel" if facts.kind.dense else "kept only its first stages"
        raise SettingError(
            f"The model of {start} {kept}.", expected="a whole network with one answer for each picture.",
            remedy="begin from another run.",
        )  # fmt: skip
    if facts.network == ADAPTED:
        return Origin.read(facts.options["origin"])
    sight = Sight(side=facts.image_size, mean=facts.mean, std=facts.std)
    return Origin(library=OWN, name=facts.network, sight=sight, options=facts.options)


def cut_at(stage: str, model: Adapted, *, origin: Origin, inspected: Inspected) -> Adapted:
    """The same network up to `stage`, with a new head on its features."""
    task = inspected.task
    cut = adapted(
        inspected.channels, task.outputs, image_size=inspected.image_size, origin=origin.describe(), cut=stage
    )
    known = model.state_dict()
    cut.load_state_dict({name: value for name, value in known.items() if name in cut.state_dict()}, strict=False)
    return cut
