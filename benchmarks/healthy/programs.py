"""Healthy programs on which thresholds are measured: real data, usual networks, and a table that is written down."""

import io
import os
import platform
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn

from epochal.models.resnet import resnet
from epochal.models.simple import LinearClassifier, SmallConvNet

HERE = Path(__file__).resolve().parent
SHARED = Path(os.environ.get("EPOCHAL_SHARED_DATA", HERE.parents[2] / "shared" / "data"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Pixels of 0 to 1 in a fixed random order, with labels 0 to 9."""

    name: str
    pixels: Tensor
    labels: Tensor

    @property
    def side(self) -> int:
        """Pixels along an edge."""
        return self.pixels.shape[2]

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self.pixels.shape[1]

    @cached_property
    def mean(self) -> Tensor:
        """Per channel."""
        return self.pixels.mean((0, 2, 3), keepdim=True)

    @cached_property
    def std(self) -> Tensor:
        """Per channel."""
        return self.pixels.std((0, 2, 3), keepdim=True)

    @cached_property
    def images(self) -> Tensor:
        """As a network gets them."""
        return (self.pixels - self.mean) / self.std


def digits() -> Data:
    """scikit-learn's 1,797 digits of 8x8."""
    bundled = load_digits()
    return _shuffled("digits", torch.tensor(bundled.images, dtype=torch.float32)[:, None] / 16, labels=bundled.target)


def cifar(count: int = 5000, *, split: str = "train") -> Data:
    """Evenly many images of each class of the shared CIFAR-10, in a fixed order."""
    with zipfile.ZipFile(SHARED / "cifar10.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.startswith(f"{split}/") and name.endswith(".jpg"))
        classes = sorted({name.split("/")[1] for name in names})
        names = names[:: max(1, len(names) // count)]
        images = [np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB")) for name in names]
    labels = np.array([classes.index(name.split("/")[1]) for name in names])
    return _shuffled("cifar10", torch.tensor(np.stack(images)).permute(0, 3, 1, 2).float() / 255, labels=labels)


def networks(data: Data, *, classes: int = 10) -> dict[str, Callable[[], nn.Module]]:
    """The networks that epochal trains, for these data."""
    shape = {"channels_in": data.channels, "classes": classes, "image_size": data.side}
    return {
        "linear": partial(LinearClassifier, **shape),
        "small, width 8": partial(SmallConvNet, **shape, width=8),
        "small, width 32": partial(SmallConvNet, **shape),
        "resnet, width 16": partial(resnet, data.channels, classes, image_size=data.side, width=16),
    }


def write(name: str, *, title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str) -> None:
    """Print a table and write it beside the script, with the machine it was measured on."""
    machine = (
        f"{platform.system()} {platform.machine()}, torch {torch.__version__}, {torch.get_num_threads()} thread(s)"
    )
    lines = [f"# {title}", "", note, "", f"Measured on {machine}.", "", f"| {' | '.join(columns)} |"]
    lines += ["|" + "---|" * len(columns), *(f"| {' | '.join(map(_told, row))} |" for row in rows)]
    text = "\n".join(lines) + "\n"
    print(text)
    (HERE / f"{name}.md").write_text(text)


def _told(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _shuffled(name: str, pixels: Tensor, *, labels: np.ndarray) -> Data:
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(0))
    return Data(name=name, pixels=pixels[order], labels=torch.tensor(labels).long()[order])
