"""Trained networks by name: of timm, torchvision, Transformers, or of an earlier run, ready for another task.

    timm:resnet18.a1_in1k     torchvision:resnet18@128     transformers:microsoft/resnet-18     timm:resnet18=FILE

`@128` says at which side pictures are shown to it, if not at the side it was trained for; `=FILE` takes the weights
from a safetensors file, or from a folder that holds `model.safetensors`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from epochal.errors import DataError, SettingError
from epochal.models import networks
from epochal.models.adapted import Adapted, Sight
from epochal.models.head import find
from epochal.models.libraries import LIBRARIES, open_again, open_network
from epochal.models.simple import check_sizes

OWN = "epochal"  # the library of networks that an earlier run trained
_ENOUGH = 0.5  # of a network's numbers must be in a file that is called its weights
_PICKLES = {".pth", ".pt", ".bin", ".ckpt", ".pkl", ".tar", ".h5", ".npz"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a network comes from: enough to build it again without its weights and without the net.

    >>> origin = Origin(library="epochal", name="small", sight=Sight(side=8, mean=(0.5,), std=(0.2,)))
    >>> Origin.read(origin.describe()) == origin
    True
    """

    library: str
    name: str
    sight: Sight
    options: Mapping[str, Any] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """Plain JSON values, for the file of a model."""
        return asdict(self)

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Origin":
        """Read back what `describe` wrote.

        Raises: KeyError or TypeError where something else wrote it.
        """
        sight = said["sight"]
        seen = Sight(side=int(sight["side"]), mean=tuple(sight["mean"]), std=tuple(sight["std"]))
        return cls(library=said["library"], name=said["name"], sight=seen, options=dict(said["options"]))

    def network(self) -> nn.Module:
        """The network with fresh weights and a head of no consequence."""
        if self.library != OWN:
            return open_again(self.library, self.name, options=self.options)
        return networks.build(self.name, self.sight.channels, 2, image_size=self.sight.side, **self.options)


def adapted(channels_in: int, classes: int, *, image_size: int, origin: Mapping[str, Any], cut: str = "") -> Adapted:
    """Build a network that was adapted before, with fresh weights: how a saved model is made again.

    Pictures of any size are brought to the side that the network knows; `image_size` is there for all builders alike.

    Raises: MissingExtra without the library, SettingError for sizes that cannot work.

    >>> origin = Origin(library="epochal", name="small", sight=Sight(side=16, mean=(0.5,), std=(0.2,)))
    >>> adapted(1, 3, image_size=16, origin=origin.describe())(torch.zeros(2, 1, 16, 16)).shape
    torch.Size([2, 3])
    """
    check_sizes(channels_in=channels_in, classes=classes, image_size=image_size)
    known = Origin.read(origin)
    return Adapted(known.network(), sight=known.sight, channels_in=channels_in, outputs=classes, cut=cut)


def pretrained(source: str, *, channels_in: int, classes: int, weights: bool = True) -> tuple[Adapted, Origin]:
    """The network that `source` names, with its weights, a new head of `classes` outputs, and where it comes from.

    Without `weights` they are fresh. Call `rescale_` with the mean and deviation of your own pictures.

    Raises: MissingExtra without the library, SettingError for a source that names nothing, DataError where the weights
    cannot be had, or are those of another network.

    >>> pretrained("resnet18", channels_in=3, classes=10)
    Traceback (most recent call last):
    ...
    epochal.errors.SettingError: 'resnet18' names no library. Expected: LIBRARY:NAME with timm, torchvision...
    """
    library, name, side, file = _parts(source)
    opened = open_network(library, name, weights=weights and file is None)
    if file is not None:
        load_matching_(opened.network, read_weights(file), source=str(file))
    sight = opened.sight if side is None else replace(opened.sight, side=side)
    origin = Origin(library=library, name=name, sight=sight, options=opened.options)
    return Adapted(opened.network, sight=sight, channels_in=channels_in, outputs=classes), origin


@torch.no_grad()
def load_matching_(network: nn.Module, tensors: Mapping[str, Tensor], *, source: str) -> list[str]:
    """Fill what has the same name and shape in both; gives the names that stayed fresh, the head's among them.

    Raises: DataError if less than half of the network's numbers, its head left out, are there.

    >>> new, old = (nn.Sequential(nn.Linear(4, 4), nn.Linear(4, k)) for k in (2, 3))
    >>> load_matching_(new, old.state_dict(), source="old")
    ['1.weight', '1.bias']
    """
    own = network.state_dict()
    plain = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    same = {name for name, tensor in own.items() if name in plain and plain[name].shape == tensor.shape}
    last = next(name for name, module in network.named_modules() if module is find(network))
    head = {f"{last}.weight", f"{last}.bias"}
    wanted = sum(value.numel() for name, value in own.items() if name not in head)
    given = sum(own[name].numel() for name in same - head)
    if given < _ENOUGH * wanted:
        raise DataError(
            f"{source} holds {given:,} of the {wanted:,} numbers of {type(network).__name__}.",
            expected="the weights of this network: the same names and shapes, but for the head.",
            remedy="check that network and file belong together.",
        )
    network.load_state_dict({name: plain[name] for name in same}, strict=False)
    return [name for name in own if name not in same]


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file, or the one in a folder.

    Raises: DataError for another format: unpickling a stranger's file would run a stranger's code.

    >>> read_weights(Path("weights.pth"))
    Traceback (most recent call last):
    ...
    epochal.errors.DataError: weights.pth may hold code that runs when it is read. Expected: a safetensors file. ...
    """
    file = path / "model.safetensors" if path.is_dir() else path
    if file.suffix in _PICKLES:
        raise DataError(
            f"{file} may hold code that runs when it is read.",
            expected="a safetensors file.",
            remedy="convert it where it was made: safetensors.torch.save_file(model.state_dict(), FILE)",
        )
    try:
        return load_file(file)
    except (OSError, SafetensorError) as error:
        raise DataError(
            f"{file} cannot be read as weights: {error}.",
            expected="a safetensors file.",
            remedy="check the path, and that the file is whole.",
        ) from error


def _parts(source: str) -> tuple[str, str, int | None, Path | None]:
    named, _, file = source.partition("=")
    library, colon, rest = named.partition(":")
    name, _, side = rest.partition("@")
    if not colon or library not in LIBRARIES or not name:
        raise SettingError(
            f"{source!r} names no library.",
            expected=f"LIBRARY:NAME with {', '.join(LIBRARIES)}.",
            remedy="timm:resnet18, for example.",
        )
    if side and not (side.isdigit() and int(side) > 0):
        raise SettingError(f"The side in {source!r} is {side!r}.", expected="pixels.", remedy=f"{library}:{name}@128")
    return library, name, int(side) if side else None, Path(file).expanduser() if file else None
