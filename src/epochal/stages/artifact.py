"""The model that a run leaves behind: one safetensors file with the weights and all that prediction needs to know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from epochal.errors import CheckpointError, SettingError
from epochal.models import networks
from epochal.models.pretrained import adapted
from epochal.tasks.kinds import task_from
from epochal.tasks.task import Task
from epochal.training.checkpoint import load_weights, save_weights

FORMAT = "2"
ADAPTED = "adapted"  # a network that began from trained weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a stranger must know to use the weights as they were trained.

    `task` is what `Task.describe` gave, `size` the height and width of the images that the network was trained on.

    Units: `mean` and `std` per channel, of pixels in [0, 1].
    """

    task: Mapping[str, Any]
    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    network: str
    options: Mapping[str, Any]
    flip: bool  # outputs are averaged over the image and its mirror image

    @property
    def kind(self) -> Task:
        """The task itself.

        Raises: SettingError for one that this version does not know.
        """
        return task_from(self.task)

    @property
    def image_size(self) -> int:
        """The longer side."""
        return max(self.size)

    def to_metadata(self) -> dict[str, str]:
        """As the string map that a safetensors file can hold."""
        return {"format": FORMAT, "epochal": json.dumps(asdict(self), ensure_ascii=False)}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], *, where: Path) -> Facts:
        """Read back what `to_metadata` wrote.

        Raises: CheckpointError if it was not written by epochal, or by a version that this one cannot read.
        """
        if metadata.get("format") != FORMAT or "epochal" not in metadata:
            raise CheckpointError(
                f"{where} is not a model of this version of epochal: format {metadata.get('format')!r}.",
                expected=f"a file that `epochal run` wrote, format {FORMAT}.",
                remedy="use the version that wrote it, or run again.",
            )
        known = json.loads(metadata["epochal"])
        values: dict[str, Any] = {each.name: known[each.name] for each in fields(cls)}
        return cls(**values | {name: tuple(values[name]) for name in ("size", "mean", "std")})


class Deployed(nn.Module):
    """A network with its normalisation inside: pixels in, answers out, nothing left to get wrong.

    Shapes: n images of c channels, of the size that the network was trained with, to what the task's decoder makes of
    its outputs: (n, classes) logits, (n, values), or (n, classes, h, w) logits.  Units: pixels in [0, 1].
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, facts: Facts) -> None:
        """Wrap `network`."""
        super().__init__()
        self.network = network
        self.flip = facts.flip
        self.dense = facts.kind.dense
        self.decoder = facts.kind.decoder()
        self.register_buffer("mean", torch.tensor(facts.mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(facts.std).view(1, -1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """The answers for `pixels`, averaged over the mirror image where training did so."""
        images = (pixels - self.mean) / self.std
        outputs: Tensor = self.network(images)
        if self.flip:
            mirrored: Tensor = self.network(images.flip(3))
            outputs = (outputs + (mirrored.flip(3) if self.dense else mirrored)) / 2
        answers: Tensor = self.decoder(outputs)
        return answers


def build_network(facts: Facts) -> nn.Module:
    """The network that `facts` name, with fresh weights."""
    sizes = (facts.channels, facts.kind.outputs)
    if facts.network == ADAPTED:
        return adapted(*sizes, image_size=facts.image_size, **facts.options)
    return networks.build(facts.network, *sizes, image_size=facts.image_size, **facts.options)


def save_model(path: Path, model: nn.Module, *, facts: Facts) -> None:
    """Write weights and facts to `path`, atomically."""
    save_weights(path, model, metadata=facts.to_metadata())


def is_sound(path: Path) -> bool:
    """Whether there is a model at `path` that can be used."""
    try:
        load_model(path)
    except CheckpointError:
        return False
    return True


def load_model(path: Path) -> tuple[nn.Module, Facts]:
    """The model at `path`, in evaluation mode on the CPU. Nothing is unpickled.

    Raises: CheckpointError if the file is missing, damaged, or not ours.
    """
    tensors, metadata = load_weights(path)
    try:
        facts = Facts.from_metadata(metadata, where=path)
        model = build_network(facts)
        model.load_state_dict(tensors)
    except (RuntimeError, ValueError, KeyError, TypeError, SettingError) as error:
        raise CheckpointError(
            f"The weights in {path} do not fit the network that it names ({type(error).__name__}).",
            expected="a model.safetensors that `epochal run` wrote.",
            remedy="repeat the run's command to make it again.",
        ) from error
    return model.eval(), facts
