"""Networks of three libraries open alike, with what they say of their inputs; what is missing is told.

Stand-ins show what is asked of each library; where a library is installed, it is asked itself.
"""

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import torch

from epochal.errors import DataError, MissingExtra, SettingError
from epochal.models.adapted import Sight
from epochal.models.libraries import LIBRARIES, Answer, open_again, open_network
from models.libraries import Small, put_timm, put_torchvision, put_transformers, trained

SIGHT = Sight(side=32, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Each library's name, its stand-in in place."""
    shown = {"size": {"height": 32}, "image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    put_timm(monkeypatch)
    put_torchvision(monkeypatch)
    put_transformers(monkeypatch, tmp_path, shown=shown)
    name: str = request.param
    return name


def test_weights_are_the_librarys(library: str) -> None:
    """With weights each parameter is the library's, and all of them may learn."""
    opened = open_network(library, "resnet18", weights=True)
    inside = opened.network.model.inside if isinstance(opened.network, Answer) else opened.network
    for name, value in trained().items():
        assert torch.equal(inside.state_dict()[name], value)  # type: ignore[union-attr]
    assert all(p.requires_grad for p in opened.network.parameters())
    assert opened.sight == SIGHT


def test_fresh_weights_ask_nobody(library: str) -> None:
    """Without weights the same network comes fresh, and again from what was said of it."""
    opened = open_network(library, "resnet18", weights=False)
    again = open_again(library, "resnet18", options=opened.options)
    assert [tuple(p.shape) for p in opened.network.parameters()] == [tuple(p.shape) for p in again.parameters()]
    assert opened.network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize("package", ["timm", "torchvision"])
def test_unknown_names_get_near_ones(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that the library does not list is told with those that are near."""
    put_timm(monkeypatch)
    put_torchvision(monkeypatch)
    with pytest.raises(SettingError, match="'resnet81'") as told:
        open_network(package, "resnet81", weights=True)
    assert "resnet18" in told.value.expected
    assert told.value.remedy.startswith(f"{package}:resnet")


def test_a_tag_must_be_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network without the tag asked for is unknown, and the tags that there are get told."""
    put_timm(monkeypatch)
    assert open_network("timm", "resnet18.a1_in1k", weights=True).sight == SIGHT
    with pytest.raises(SettingError, match="a9_in1k") as told:
        open_network("timm", "resnet18.a9_in1k", weights=True)
    assert "resnet18.a1_in1k" in told.value.expected


def test_no_connection_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that cannot be fetched are an error of the data, with the way round."""
    put_timm(monkeypatch, reachable=False)
    with pytest.raises(DataError, match="couldn't connect") as told:
        open_network("timm", "resnet18", weights=True)
    assert "more lines" not in str(told.value)
    assert "timm:resnet18=FILE.safetensors" in told.value.remedy


@pytest.mark.parametrize("package", LIBRARIES)
def test_a_missing_package_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package the extra that brings it is told."""
    for name in (package, f"{package}.models"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=package) as told:
        open_network(package, "resnet18", weights=False)
    assert told.value.remedy == f"pip install 'epochal[{package}]'"


@pytest.mark.parametrize("package", ["timm", "torchvision"])
def test_a_broken_torchvision_is_no_crash(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trap: torchvision built for another torch raises RuntimeError when it is imported, and timm with it."""

    class Broken:
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == package:
                raise RuntimeError("operator torchvision::nms does not exist")

    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(MissingExtra, match="nms does not exist") as told:
        open_network(package, "resnet18", weights=False)
    assert "together" in told.value.remedy


def test_inputs_that_are_not_described_are_imagenets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A network of Transformers without a file about its inputs gets the usual ones."""
    put_transformers(monkeypatch, tmp_path, shown=None)
    sight = open_network("transformers", "somebody/resnet", weights=True).sight
    assert sight == Sight(side=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def test_a_network_for_something_else_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What Transformers cannot make an image classifier of is told."""
    put_transformers(monkeypatch, tmp_path, shown={})
    with pytest.raises(SettingError, match="speech"):
        open_network("transformers", "somebody/listener", weights=False)


def test_side_ways_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The further answers that two old networks give while training are switched off."""

    class Old(Small):
        def __init__(self) -> None:
            super().__init__()
            self.aux_logits, self.aux1 = True, torch.nn.Linear(1, 1)

    put_torchvision(monkeypatch)
    monkeypatch.setattr(sys.modules["torchvision.models"], "get_model", lambda name, *, weights: Old())
    network: Any = open_network("torchvision", "resnet18", weights=False).network
    assert network.aux1 is None
    assert network.aux_logits is False


@pytest.mark.parametrize(
    ("package", "name"),
    [("timm", "resnet18"), ("timm", "vit_tiny_patch16_224"), ("torchvision", "resnet18"), ("torchvision", "vit_b_32")],
)
def test_the_library_itself_answers(package: str, name: str) -> None:
    """The installed library, where it works beside this torch, gives the network with its side, mean and deviation."""
    _installed(package)
    opened = open_network(package, name, weights=False)
    assert opened.sight.side == 224
    assert opened.sight.channels == 3
    assert opened.network.eval()(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)


def test_transformers_itself_answers(tmp_path: Path) -> None:
    """The installed Transformers opens a folder of its own, weights included, and again from the plain description."""
    transformers = _installed("transformers")
    config = transformers.AutoConfig.for_model(
        "resnet", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=3
    )
    model = transformers.AutoModelForImageClassification.from_config(config).eval()
    model.save_pretrained(tmp_path)
    opened = open_network("transformers", str(tmp_path), weights=True)
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(opened.network.eval()(images), model(images).logits)
    again = open_again("transformers", str(tmp_path), options=opened.options)
    again.load_state_dict(opened.network.state_dict())
    assert torch.equal(again.eval()(images), opened.network(images))


def _installed(package: str) -> Any:
    try:
        module: types.ModuleType = importlib.import_module(package)
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"{package} does not work here: {str(error).partition(chr(10))[0]}")
    return module
