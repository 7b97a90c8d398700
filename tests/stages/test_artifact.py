"""The model file: weights and facts together, and nothing in it is ever run."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from epochal.errors import CheckpointError
from epochal.stages.artifact import Deployed, Facts, build_network, is_sound, load_model, save_model
from epochal.tasks.classification import Classification
from stages.trap import Trap

TASK = Classification(classes=("Käse", "Brot", "tea"), counts=(5, 4, 1))
FACTS = Facts(
    task=TASK.describe(),
    size=(12, 12),
    channels=3,
    mean=(0.4, 0.5, 0.6),
    std=(0.2, 0.25, 0.3),
    network="small",
    options={"width": 8},
    flip=True,
)


@pytest.mark.parametrize(("network", "options"), [("linear", {}), ("small", {"width": 8}), ("resnet", {"width": 8})])
def test_a_saved_model_says_the_same(tmp_path: Path, network: str, options: dict[str, int]) -> None:
    """Weights, buffers and facts come back as they were, in evaluation mode."""
    facts, path = replace(FACTS, network=network, options=options), tmp_path / "model.safetensors"
    model = build_network(facts).eval()
    save_model(path, model, facts=facts)
    loaded, known = load_model(path)
    images = torch.randn(4, 3, 12, 12)
    assert known == facts
    assert not loaded.training
    torch.testing.assert_close(loaded(images), model(images), rtol=0, atol=0)


def test_deployed_takes_pixels() -> None:
    """Normalisation and the mirror image are inside: `(f(x) + f(flipped x)) / 2` of normalised pixels."""
    network = build_network(FACTS).eval()
    pixels = torch.rand(5, 3, 12, 12)
    mean, std = (torch.tensor(each)[None, :, None, None] for each in (FACTS.mean, FACTS.std))
    straight = network((pixels - mean) / std)
    mirrored = network((pixels.flip(3) - mean) / std)
    torch.testing.assert_close(Deployed(network, FACTS)(pixels), (straight + mirrored) / 2)
    torch.testing.assert_close(Deployed(network, replace(FACTS, flip=False))(pixels), straight)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _flipped_header(path: Path) -> None:
    path.write_bytes(b"\xff" * 16 + path.read_bytes()[16:])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _foreign(path: Path) -> None:
    save_file({"weight": torch.ones(2)}, path, metadata={"format": "pt"})


def _other_weights(path: Path) -> None:
    save_file({"weight": torch.ones(2)}, path, metadata=FACTS.to_metadata())


def _unknown_network(path: Path) -> None:
    save_file({"weight": torch.ones(2)}, path, metadata=replace(FACTS, network="oracle").to_metadata())


def _unknown_task(path: Path) -> None:
    save_file({"weight": torch.ones(2)}, path, metadata=replace(FACTS, task={"name": "oracle"}).to_metadata())


def _broken_facts(path: Path) -> None:
    save_file({"weight": torch.ones(2)}, path, metadata={"format": "2", "epochal": "{"})


def _missing_facts(path: Path) -> None:
    save_file({"weight": torch.ones(2)}, path, metadata={"format": "2", "epochal": json.dumps({"task": "x"})})


@pytest.mark.parametrize(
    "damage",
    [
        _cut,
        _flipped_header,
        _empty,
        _foreign,
        _other_weights,
        _unknown_network,
        _unknown_task,
        _broken_facts,
        _missing_facts,
        Path.unlink,
    ],
)
def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path, damage: object) -> None:
    """Whatever is wrong with it, the error says that this file cannot be used."""
    path = tmp_path / "model.safetensors"
    save_model(path, build_network(FACTS), facts=FACTS)
    assert is_sound(path)
    assert callable(damage)
    damage(path)
    with pytest.raises(CheckpointError, match=r"model\.safetensors") as caught:
        load_model(path)
    assert caught.value.remedy
    assert not is_sound(path)


def test_a_pickle_in_its_place_is_never_unpickled(tmp_path: Path) -> None:
    """Neither a bare pickle nor one as torch writes it gets to run."""
    mark, path = tmp_path / "ran", tmp_path / "model.safetensors"
    for write in (lambda: path.write_bytes(pickle.dumps(Trap(mark))), lambda: torch.save({"w": Trap(mark)}, path)):
        write()
        with pytest.raises(CheckpointError):
            load_model(path)
    assert not mark.exists()


def test_facts_of_another_version_are_refused() -> None:
    """A file of a later format is not half understood."""
    metadata = {**FACTS.to_metadata(), "format": "3"}
    with pytest.raises(CheckpointError, match="format '3'"):
        Facts.from_metadata(metadata, where=Path("x"))


def test_deployed_is_a_plain_module() -> None:
    """Its buffers travel with it, as any module's do."""
    assert {name for name, _ in Deployed(nn.Identity(), FACTS).named_buffers()} == {"mean", "std"}
