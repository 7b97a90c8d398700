"""A start is a run, a file or a library's network; what cannot be begun from is refused with the reason."""

from pathlib import Path
from typing import Any

import pytest
import torch

from epochal.data.table_file import read_csv
from epochal.errors import CheckpointError, SettingError
from epochal.models.adapted import Adapted
from epochal.models.pretrained import OWN
from epochal.stages.artifact import ADAPTED, load_model, save_model
from epochal.stages.baseline import facts_for
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from epochal.stages.starting import cut_at, earlier_samples, load_start
from models.libraries import put_timm
from stages.whole import Whole

Begun = tuple[Session, Inspected]


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_run_is_a_start(as_folder: bool, begun: Begun, finished: Whole) -> None:
    """The weights of a finished run are inside, its stem included, behind a head for the new task."""
    inspected = begun[1]
    place = finished.folder.path if as_folder else finished.folder.model
    model, origin = load_start(str(place), inspected=inspected)
    trained, facts = load_model(finished.folder.model)
    assert (origin.library, origin.name, origin.sight.side) == (OWN, facts.network, facts.image_size)
    known = trained.state_dict()
    same = [name for name, value in known.items() if torch.equal(model.state_dict()[f"network.{name}"], value)]
    assert set(known) - set(same) <= {"head.weight", "head.bias"}
    assert not model.head.weight.any()


def test_pictures_are_seen_as_the_earlier_run_saw_them(begun: Begun, finished: Whole) -> None:
    """Pixels normalised by this run's mean reach the network normalised by that run's."""
    inspected = begun[1]
    model, _ = load_start(str(finished.folder.path), inspected=inspected)
    facts = load_model(finished.folder.model)[1]
    pixels = torch.rand(1, facts.channels, facts.image_size, facts.image_size)
    here, there = (
        (pixels - torch.tensor(each.mean).view(-1, 1, 1)) / torch.tensor(each.std).view(-1, 1, 1)
        for each in (inspected, facts)
    )
    torch.testing.assert_close(model.seen(here), there, rtol=1e-4, atol=1e-5)


def test_a_librarys_network_is_a_start(begun: Begun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of a library is opened with its weights."""
    put_timm(monkeypatch)
    model, origin = load_start("timm:resnet18", inspected=begun[1])
    assert (origin.library, origin.name) == ("timm", "resnet18")
    assert isinstance(model, Adapted)


def _saved(inspected: Inspected, start: str, *, top: Path, cut: str = "") -> Path:
    """A model that began from `start`, as a run would leave it."""
    model, origin = load_start(start, inspected=inspected)
    options: dict[str, Any] = {"origin": origin.describe()}
    if cut:
        model, options["cut"] = cut_at(cut, model, origin=origin, inspected=inspected), cut
    save_model(top / "model.safetensors", model, facts=facts_for(inspected, ADAPTED, **options))
    return top


def test_a_start_may_itself_have_begun_elsewhere(begun: Begun, finished: Whole, tmp_path: Path) -> None:
    """The network inside is taken, with the scale that it first knew: nothing is wrapped twice."""
    inspected = begun[1]
    first, origin = load_start(str(finished.folder.path), inspected=inspected)
    again, same = load_start(str(_saved(inspected, str(finished.folder.path), top=tmp_path)), inspected=inspected)
    assert same == origin
    images = torch.randn(2, inspected.channels, *inspected.size)
    torch.testing.assert_close(again.eval()(images), first.eval()(images))
    assert not isinstance(again.network, Adapted)


def test_a_cut_network_keeps_its_first_stages(begun: Begun, finished: Whole) -> None:
    """Cut at a stage, the features are those of the whole network there."""
    inspected = begun[1]
    model, origin = load_start(str(finished.folder.path), inspected=inspected)
    stage = model.anatomy.stages[0].name
    cut = cut_at(stage, model, origin=origin, inspected=inspected).eval()
    images = torch.randn(2, inspected.channels, *inspected.size)
    torch.testing.assert_close(cut.features(images)["features"], model.eval().features(images)[stage])


def test_a_cut_network_is_no_start(begun: Begun, finished: Whole, tmp_path: Path) -> None:
    """What kept only its first stages cannot be begun from."""
    inspected = begun[1]
    stage = load_start(str(finished.folder.path), inspected=inspected)[0].anatomy.stages[0].name
    place = _saved(inspected, str(finished.folder.path), top=tmp_path, cut=stage)
    assert load_model(place / "model.safetensors")[1].options["cut"] == stage
    with pytest.raises(SettingError, match="first stages"):
        load_start(str(place), inspected=inspected)


def test_the_samples_of_an_earlier_run_are_known(finished: Whole, tmp_path: Path) -> None:
    """They are read from the run's folder, whichever way it is named; elsewhere there are none."""
    table = read_csv(finished.folder.samples)
    for start in (finished.folder.path, finished.folder.model):
        earlier = earlier_samples(str(start))
        assert earlier is not None
        assert list(earlier.keys) == list(table.keys)
    assert earlier_samples("timm:resnet18") is None
    assert earlier_samples(str(tmp_path)) is None


def test_what_is_not_there_is_told(begun: Begun, tmp_path: Path) -> None:
    """A path that leads nowhere is no library's name, and a folder without a model is no run."""
    with pytest.raises(SettingError, match="no such run"):
        load_start("runs/nowhere", inspected=begun[1])
    with pytest.raises(CheckpointError):
        load_start(str(tmp_path), inspected=begun[1])


def test_a_linear_model_is_no_start(begun: Begun, finished: Whole) -> None:
    """A model of pixels has no features to begin from."""
    with pytest.raises(SettingError, match="map of features"):
        load_start(str(finished.folder.baseline("linear")), inspected=begun[1])
