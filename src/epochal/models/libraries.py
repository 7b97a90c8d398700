"""Networks of timm, torchvision and Transformers by name, with their weights where asked for; one shape for all three.

The packages are imported when a name asks for them. A torchvision built for another torch fails with RuntimeError and
takes timm with it: both are told as a missing package. Weights come as safetensors or are read without unpickling.
"""

import difflib
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn

from epochal.errors import DataError, MissingExtra, SettingError
from epochal.models.adapted import Sight

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SIDE = 224  # where a network does not say
_SIDE_WAYS = {"aux_logits", "AuxLogits", "aux1", "aux2"}  # further answers while training, of two old networks
_NEAR = 5  # names that are told


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A network from a library.

    `options` are plain values, from which `open_again` makes the network without asking anybody.
    """

    network: nn.Module
    sight: Sight
    options: Mapping[str, Any] = field(default_factory=dict)


class Answer(nn.Module):
    """A network of Transformers as any other: its logits alone.

    >>> from types import SimpleNamespace
    >>> import torch
    >>> class Speaks(nn.Module):
    ...     def forward(self, pixel_values): return SimpleNamespace(logits=pixel_values.mean((2, 3)))
    >>> Answer(Speaks())(torch.ones(1, 2, 4, 4))
    tensor([[1., 1.]])
    """

    def __init__(self, model: nn.Module) -> None:
        """Wrap `model`."""
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Give the logits."""
        logits: Tensor = self.model(pixel_values=images).logits
        return logits


def open_network(library: str, name: str, *, weights: bool) -> Opened:
    """Make the network `name` of `library`, with the library's weights for it or with fresh ones.

    Weights come from the library's cache on this machine, or from its hub.

    Raises: MissingExtra without the package, SettingError for an unknown library or name, DataError where the weights
    cannot be had.

    >>> open_network("keras", "resnet50", weights=False)
    Traceback (most recent call last):
    ...
    epochal.errors.SettingError: There is no library 'keras'. Expected: timm, torchvision, transformers. ...
    """
    if library not in _OPENERS:
        raise SettingError(
            f"There is no library {library!r}.", expected=f"{', '.join(_OPENERS)}.", remedy="timm:resnet18"
        )
    opened = _OPENERS[library](name, weights)
    for parameter in opened.network.parameters():
        parameter.requires_grad_(True)  # noqa: FBT003  torch's positional flag
    return opened


def open_again(library: str, name: str, *, options: Mapping[str, Any]) -> nn.Module:
    """Make a network that was opened before, with fresh weights and without the net; `options` as it said then.

    Raises: MissingExtra without the package, SettingError for an unknown name.

    >>> open_again("keras", "resnet50", options={})
    Traceback (most recent call last):
    ...
    epochal.errors.SettingError: There is no library 'keras'. Expected: timm, torchvision, transformers. ...
    """
    if library == "transformers" and "config" in options:
        return Answer(_transformer(_module(library), options["config"]))
    return open_network(library, name, weights=False).network


def _module(package: str, *, part: str = "") -> Any:
    try:
        return importlib.import_module(package + part)
    except ImportError as error:
        missing = (error.name or package).partition(".")[0]  # timm needs torchvision
        raise MissingExtra.of(missing, extra=package, needed_for=f"the network {package}:NAME") from error
    except RuntimeError as error:  # torchvision for another torch: its operators are not there
        raise MissingExtra(
            f"The package {package} is installed and does not work beside this torch: {_line(error)}.",
            expected="torch and torchvision built for each other.",
            remedy=f"install torch, torchvision and epochal[{package}] together, from one index.",
        ) from error


def _timm(name: str, weights: bool) -> Opened:  # noqa: FBT001
    timm = _module("timm")
    known = timm.list_pretrained() if "." in name else timm.list_models()
    if ":" not in name and name not in known:  # with a colon it names a place, such as hf-hub:OWNER/NAME
        raise _unknown("timm", name, known=known)
    network = _fetched(lambda: timm.create_model(name, pretrained=weights), source=f"timm:{name}")
    said = network.pretrained_cfg
    sight = Sight(side=int(said["input_size"][-1]), mean=tuple(said["mean"]), std=tuple(said["std"]))
    return Opened(network=network, sight=sight)


def _torchvision(name: str, weights: bool) -> Opened:  # noqa: FBT001
    models = _module("torchvision", part=".models")
    known = models.list_models(module=models)
    if name not in known:
        raise _unknown("torchvision", name, known=known)
    network = models.get_model(name, weights=None)
    best = models.get_model_weights(name).DEFAULT
    shown = best.transforms()
    if weights:
        said = _fetched(lambda: best.get_state_dict(progress=False, weights_only=True), source=f"torchvision:{name}")
        network.load_state_dict(said)
    for side_way in _SIDE_WAYS & set(dir(network)):
        setattr(network, side_way, False if side_way == "aux_logits" else None)
    sight = Sight(side=int(shown.crop_size[0]), mean=tuple(shown.mean), std=tuple(shown.std))
    return Opened(network=network, sight=sight)


def _transformers(name: str, weights: bool) -> Opened:  # noqa: FBT001
    package = _module("transformers")
    config = _fetched(lambda: package.AutoConfig.from_pretrained(name), source=f"transformers:{name}")
    if weights:
        model = _fetched(
            lambda: package.AutoModelForImageClassification.from_pretrained(name, use_safetensors=True),
            source=f"transformers:{name}",
        )
    else:
        model = _transformer(package, config.to_dict())
    shown = _shown(package, name)
    side = shown.get("size", {})
    side = side.get("height", side.get("shortest_edge")) if isinstance(side, Mapping) else side
    side = getattr(config, "image_size", None) or side or _SIDE
    sight = Sight(
        side=int(side if isinstance(side, int) else side[0]),
        mean=tuple(shown.get("image_mean") or _IMAGENET_MEAN),
        std=tuple(shown.get("image_std") or _IMAGENET_STD),
    )
    return Opened(network=Answer(model), sight=sight, options={"config": _plain(config.to_dict())})


def _transformer(package: Any, config: Mapping[str, Any]) -> nn.Module:
    try:
        made = package.AutoConfig.for_model(**config)
        model: nn.Module = package.AutoModelForImageClassification.from_config(made)
    except (ValueError, KeyError) as error:
        raise SettingError(
            f"Transformers has no image classifier for {config.get('model_type')!r}: {_line(error)}.",
            expected="a network that tells images apart.",
            remedy="transformers:microsoft/resnet-18, for example.",
        ) from error
    return model


def _shown(package: Any, name: str) -> dict[str, Any]:
    """What the network's authors say of its inputs; nothing where they do not."""
    import json
    from pathlib import Path

    try:
        file = package.utils.cached_file(name, "preprocessor_config.json")
        found: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))
    except (OSError, TypeError, ValueError):
        return {}
    return found


def _fetched(get: Callable[[], Any], *, source: str) -> Any:
    """What `get` fetches; whatever goes wrong on the way is told as one thing.

    Raises: DataError.
    """
    try:
        return get()
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(
            f"The weights of {source} cannot be had: {_line(error)}.",
            expected="a name that the library's hub knows, and a connection to it, or the weights in its cache.",
            remedy=f"fetch them once where there is a connection, or name a file: {source}=FILE.safetensors",
        ) from error


def _unknown(library: str, name: str, *, known: Iterable[str]) -> SettingError:
    near = difflib.get_close_matches(name, list(known), n=_NEAR, cutoff=0.5)
    return SettingError(
        f"{library} has no network {name!r}.",
        expected=f"a name of {library}'s list" + (f", such as {', '.join(near)}." if near else "."),
        remedy=f"{library}:{near[0]}?" if near else f"look at the list in {library}'s documentation.",
    )


def _plain(values: Any) -> Any:
    """Values that JSON can hold, as it will give them back."""
    import json

    return json.loads(json.dumps(values, default=str))


def _line(error: BaseException) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")


_OPENERS: Mapping[str, Callable[[str, bool], Opened]] = MappingProxyType(
    {"timm": _timm, "torchvision": _torchvision, "transformers": _transformers}
)
LIBRARIES = tuple(_OPENERS)
