"""Trained networks by name: sources are parsed, weights loaded where they fit, and the network can be made again."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from epochal.errors import DataError, SettingError
from epochal.models.adapted import Sight
from epochal.models.pretrained import Origin, adapted, load_matching_, pretrained, read_weights
from models.libraries import Small, put_timm, put_transformers, trained


@pytest.fixture(autouse=True)
def _timm(monkeypatch: pytest.MonkeyPatch) -> None:
    put_timm(monkeypatch)


def test_a_name_gives_the_trained_network() -> None:
    """The library's weights are inside, the head is new and of the size asked for."""
    model, origin = pretrained("timm:resnet18.a1_in1k", channels_in=1, classes=5)
    assert torch.equal(model.network.stem.weight, trained()["stem.weight"])  # type: ignore[arg-type, union-attr]
    assert model(torch.zeros(2, 1, 20, 20)).shape == (2, 5)
    assert (origin.library, origin.name, origin.sight.side) == ("timm", "resnet18.a1_in1k", 32)


def test_the_side_can_be_said() -> None:
    """Behind an at sign stands the side at which pictures are shown to the network."""
    model, origin = pretrained("timm:resnet18@48", channels_in=3, classes=2, weights=False)
    assert origin.sight.side == model.sight.side == 48
    assert model.seen(torch.zeros(1, 3, 20, 20)).shape == (1, 3, 48, 48)


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_file_gives_the_weights(as_folder: bool, tmp_path: Path) -> None:
    """Behind an equals sign stands a safetensors file or its folder; names of a wrapped model are unwrapped."""
    other = {f"module.{name}": value + 1 for name, value in trained().items()}
    save_file(other, tmp_path / "model.safetensors")
    place = tmp_path if as_folder else tmp_path / "model.safetensors"
    model, _ = pretrained(f"timm:resnet18={place}", channels_in=3, classes=2)
    assert torch.equal(model.network.stem.weight, trained()["stem.weight"] + 1)  # type: ignore[arg-type, union-attr]


def test_the_same_network_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From plain JSON values and the weights the outputs are the same, without the library's weights."""
    put_transformers(monkeypatch, tmp_path, shown={"size": {"shortest_edge": 24}})
    for source in ("timm:resnet18", "transformers:somebody/resnet"):
        model, origin = pretrained(source, channels_in=3, classes=4)
        nn.init.normal_(model.head.weight)
        said = json.loads(json.dumps(origin.describe()))
        again = adapted(3, 4, image_size=16, origin=said)
        again.load_state_dict(model.state_dict())
        images = torch.randn(2, 3, 16, 16)
        assert torch.equal(again.eval()(images), model.eval()(images))


@pytest.mark.parametrize("source", ["resnet18", "keras:resnet18", "timm:", ":resnet18", "timm:resnet18@big"])
def test_sources_that_name_nothing_are_refused(source: str) -> None:
    """No library, an unknown one, no name, and a side that is no number are told."""
    with pytest.raises(SettingError):
        pretrained(source, channels_in=3, classes=2)


@pytest.mark.parametrize("name", ["weights.pth", "weights.bin", "weights.pkl"])
def test_pickles_are_not_opened(name: str, tmp_path: Path) -> None:
    """A file that could run code when it is read is refused by its name, before a byte is read."""
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (ran,))

    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataError, match="code that runs"):
        read_weights(tmp_path / name)
    assert not ran.exists()


def test_a_pickle_by_another_name_is_no_danger(tmp_path: Path) -> None:
    """Called safetensors, a pickle is still not unpickled: it is no readable file."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(DataError, match="cannot be read"):
        read_weights(tmp_path)


def test_weights_of_another_network_are_refused() -> None:
    """With less than half of the numbers in place the file belongs to something else."""
    few = {name: value for name, value in trained().items() if name.startswith("stem")}
    with pytest.raises(DataError, match="numbers of Small"):
        load_matching_(Small(), few, source="few.safetensors")


def test_matching_goes_by_name_and_shape() -> None:
    """What fits is loaded, what does not stays fresh and is named."""
    network, given = Small(classes=3), trained()
    fresh = network.fc.weight.detach().clone()
    given["layer2.0.bias"] = torch.zeros(99)
    left = load_matching_(network, given, source="file")
    assert set(left) == {"fc.weight", "fc.bias", "layer2.0.bias"}
    assert torch.equal(network.fc.weight, fresh)
    assert torch.equal(network.state_dict()["layer1.0.weight"], given["layer1.0.weight"])


def test_an_origin_survives_json() -> None:
    """What a model's file keeps of the origin reads back equal."""
    sight = Sight(side=32, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    origin = Origin(library="epochal", name="resnet", sight=sight, options={"width": 8})
    assert Origin.read(json.loads(json.dumps(origin.describe()))) == origin
    assert origin.network()(torch.zeros(1, 3, 32, 32)).shape == (1, 2)
