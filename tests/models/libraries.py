"""Stand-ins for timm, torchvision and Transformers: small, with the parts of their interfaces that are used."""

import json
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn


class Small(nn.Module):
    """A network of three stages and a head."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.layer1 = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.fc = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures in, logits out."""
        out: Tensor = self.fc(self.layer2(self.layer1(self.stem(x))).mean((2, 3)))
        return out


def trained() -> dict[str, Tensor]:
    """The weights that each of the libraries gives."""
    torch.manual_seed(7)
    return Small().state_dict()


def put_timm(monkeypatch: pytest.MonkeyPatch, *, reachable: bool = True) -> None:
    """Let `import timm` find the stand-in."""

    def create_model(name: str, *, pretrained: bool) -> nn.Module:
        if pretrained and not reachable:
            raise OSError("We couldn't connect to the hub\nand more lines")
        network = Small()
        if pretrained:
            network.load_state_dict(trained())
        network.pretrained_cfg = {"input_size": (3, 32, 32), "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}  # type: ignore[assignment]
        return network

    module: Any = types.ModuleType("timm")
    module.create_model = create_model
    module.list_models = lambda: ["resnet18", "resnet34"]
    module.list_pretrained = lambda: ["resnet18.a1_in1k", "resnet34.a1_in1k"]
    monkeypatch.setitem(sys.modules, "timm", module)


def put_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `import torchvision.models` find the stand-in."""

    def transforms() -> SimpleNamespace:
        return SimpleNamespace(crop_size=[32], mean=[0.1, 0.2, 0.3], std=[0.4, 0.5, 0.6])

    def get_state_dict(*, progress: bool, weights_only: bool) -> dict[str, Tensor]:
        assert weights_only
        assert not progress
        return trained()

    module: Any = types.ModuleType("torchvision.models")
    module.list_models = lambda *, module: ["resnet18", "resnet34"]
    module.get_model = lambda name, *, weights: Small()
    default = SimpleNamespace(transforms=transforms, get_state_dict=get_state_dict)
    module.get_model_weights = lambda name: SimpleNamespace(DEFAULT=default)
    package: Any = types.ModuleType("torchvision")
    package.models = module
    monkeypatch.setitem(sys.modules, "torchvision", package)
    monkeypatch.setitem(sys.modules, "torchvision.models", module)


class _Config:
    def __init__(self, **values: Any) -> None:
        self.values = values

    def to_dict(self) -> dict[str, Any]:
        return dict(self.values)


class _Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inside = Small()

    def forward(self, pixel_values: Tensor) -> SimpleNamespace:
        return SimpleNamespace(logits=self.inside(pixel_values))


def put_transformers(monkeypatch: pytest.MonkeyPatch, folder: Path, *, shown: Mapping[str, Any] | None) -> None:
    """Let `import transformers` find the stand-in; `shown` is its file about the inputs, None for no file."""

    def from_config(config: _Config) -> nn.Module:
        if config.values["model_type"] == "speech":
            raise ValueError("Unrecognized configuration class")
        return _Classifier()

    def from_pretrained(name: str, *, use_safetensors: bool) -> nn.Module:
        assert use_safetensors
        model = _Classifier()
        model.inside.load_state_dict(trained())
        return model

    def cached_file(name: str, file: str) -> str:
        if shown is None:
            raise OSError("no such file")
        path = folder / file
        path.write_text(json.dumps(shown), encoding="utf-8")
        return str(path)

    module: Any = types.ModuleType("transformers")
    kind = {"model_type": "speech" if shown == {} else "resnet"}
    module.AutoConfig = SimpleNamespace(from_pretrained=lambda name: _Config(**kind), for_model=_Config)
    module.AutoModelForImageClassification = SimpleNamespace(from_config=from_config, from_pretrained=from_pretrained)
    module.utils = SimpleNamespace(cached_file=cached_file)
    monkeypatch.setitem(sys.modules, "transformers", module)
