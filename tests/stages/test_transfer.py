"""A run begins from trained weights: what they know is measured, the strategy follows, a model is on disk at once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from epochal.data.loader import ArrayLoader
from epochal.errors import SettingError
from epochal.models.adapted import FEATURES, Adapted
from epochal.models.finetuning import MANY, RATE, SHRINK
from epochal.stages import network, transfer
from epochal.stages.artifact import ADAPTED, load_model
from epochal.stages.baseline import fit_baselines
from epochal.stages.folder import RunFolder
from epochal.stages.inspected import Inspected
from epochal.stages.session import Session
from epochal.stages.starting import load_start
from epochal.stages.train import train_network
from epochal.stages.transfer import begin_from, images_for_each, pixel_means
from epochal.training.evaluation import predict
from stages.conftest import Prepared
from stages.counted import Counted
from stages.striped import striped_folder
from stages.targets import folder_with
from stages.whole import Whole, copied, inspected_on


def _ready(prepared: Prepared, finished: Whole, top: Path, **more: object) -> tuple[Session, Inspected]:
    """The data are inspected, and the run shall begin from the finished one."""
    start = str(finished.folder.path)
    return inspected_on(prepared.data, copied(prepared.folder, top / "run"), network__start=start, **more)


def test_a_model_is_on_disk_before_any_step(prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """The fitted head on the earlier run's features tells stripes apart at once, and so does the file."""
    session, inspected = _ready(prepared, finished, tmp_path)
    begun = begin_from(session, inspected)
    model, facts = load_model(session.folder.model)
    loader = inspected.loader(inspected.val, batch_size=40)
    said = predict(model, loader, runtime=inspected.runtime)
    assert inspected.task.score(said.outputs.numpy(), inspected.val.targets).value > 0.9
    assert begun.facts.network == facts.network == ADAPTED
    assert session.journal.measured("train.images_per_second") > 0
    assert session.journal.last("model", name=transfer.FITTED)["adopted"]  # type: ignore[index]


def test_the_decision_is_in_the_journal_with_its_evidence(prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """The strategy, its reason and what each stage knew can be read afterwards."""
    session, inspected = _ready(prepared, finished, tmp_path)
    begun = begin_from(session, inspected)
    told = session.journal.last("decision", key="network.strategy")
    assert told is not None
    assert told["value"] == begun.strategy.kind == session.recipe.network.strategy
    assert "beyond the best earlier one" in told["reason"]
    assert set(told["evidence"]) == {"last", "earlier", "stage", "pixels", "gain"}
    assert 0.2 < told["evidence"]["last"]["value"] <= 1


@pytest.mark.parametrize("kind", ["linear", "svm", "last-layers", "many-layers"])
def test_each_strategy_trains_what_it_says(kind: str, prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """The head alone, the last stage as well, or all but the first: the rest is frozen and stays in evaluation mode."""
    session, inspected = _ready(prepared, finished, tmp_path, network__strategy=kind)
    begun = begin_from(session, inspected)
    model = begun.model().train()
    deepest = len(model.anatomy.stages)
    depths = {model.depth(name) for name, p in model.named_parameters() if p.requires_grad}
    expected = {"last-layers": {deepest - 1, deepest}, "many-layers": set(range(1, deepest + 1))}.get(kind, {deepest})
    assert begun.strategy.kind == kind
    assert depths == expected
    assert begun.strategy.trains == (kind in {"last-layers", "many-layers"})
    assert bool(model.cut) == (kind == "svm")
    assert not model.network.get_submodule("stem").training
    assert model.head.training


def test_rates_are_those_of_fine_tuning(prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """A network that is trained on gets AdamW below 1e-3, at the benchmark's rates for its stages."""
    session, inspected = _ready(prepared, finished, tmp_path, network__strategy="many-layers")
    begun = begin_from(session, inspected)
    optimizer = begun.optimizer(session.recipe, begun.model())
    assert session.recipe.optimizer.name == "adamw"
    assert session.recipe.optimizer.lr == RATE < 1e-3
    assert {group["lr"] for group in optimizer.param_groups} == {
        RATE * SHRINK**behind for behind in range(len(begun.model().anatomy.stages))
    }


def test_what_the_user_chose_stays(prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """A chosen optimizer and rate are used as they are, for all that learns."""
    chosen = {"optimizer__name": "sgd", "optimizer__lr": 0.01}
    session, inspected = _ready(prepared, finished, tmp_path, network__strategy="last-layers", **chosen)
    begun = begin_from(session, inspected)
    optimizer = begun.optimizer(session.recipe, begun.model())
    assert isinstance(optimizer, torch.optim.SGD)
    assert optimizer.param_groups[0]["lr"] == 0.01


@pytest.mark.parametrize("alike", [True, False])
def test_images_that_the_start_has_seen_are_found(alike: bool, finished: Whole, tmp_path: Path) -> None:
    """Where the earlier run was taught what this one holds back, the rule says so; split alike, it passes."""
    data = finished.data if alike else striped_folder(tmp_path / "flat", splits=())
    start = {"network__start": str(finished.folder.path), "network__strategy": "linear"}
    session, inspected = inspected_on(data, RunFolder(tmp_path / "run"), **start)
    begin_from(session, inspected)
    check = session.journal.last("check", rule="start-saw-held-out")
    assert check is not None
    assert check["passed"] is alike


def test_a_second_start_gives_the_same(prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """Asked again, as in a run that is resumed, the weights are the same and nothing is decided anew."""
    session, inspected = _ready(prepared, finished, tmp_path)
    first = begin_from(session, inspected).model().state_dict()
    decisions, models = (len(list(session.journal.select(kind))) for kind in ("decision", "model"))
    second = begin_from(session, inspected).model().state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert (decisions, models) == tuple(len(list(session.journal.select(kind))) for kind in ("decision", "model"))


def test_every_training_has_its_own_copy(prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """What one attempt does to the weights leaves the next one's untouched."""
    session, inspected = _ready(prepared, finished, tmp_path)
    begun = begin_from(session, inspected)
    begun.model().head.weight.data.fill_(7.0)
    assert not (begun.model().head.weight == 7.0).any()


def test_similarity_rests_on_training_images_alone(
    prepared: Prepared, finished: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features are read of training images only: validation and test have no say in the strategy."""
    session, inspected = _ready(prepared, finished, tmp_path)
    seen: list[np.ndarray] = []
    whole = ArrayLoader.batch

    def batch(self: ArrayLoader, rows: np.ndarray, *, epoch: int = 0) -> object:
        seen.append(rows)
        return whole(self, rows, epoch=epoch)

    model, _ = load_start(session.recipe.network.start, inspected=inspected)
    monkeypatch.setattr(ArrayLoader, "batch", batch)
    read = transfer._features(session, inspected, model=model)
    assert set(np.concatenate(seen).tolist()) <= set(inspected.train.index.tolist())
    assert list(read.features)[-1] == FEATURES
    assert len(read.targets) == len(read.features[FEATURES])


@pytest.mark.parametrize("kind", ["multi-label", "regression"])
@pytest.mark.parametrize("strategy", ["linear", "svm", "last-layers"])
def test_other_tasks_begin_so_too(kind: str, strategy: str, finished: Whole, tmp_path: Path) -> None:
    """Several labels and values on a circle are read from the features of a network that learnt stripes.

    Its head beats what needs no image, on the validation split, before any step.
    """
    data = folder_with(kind, tmp_path / "data")
    start = {"network__start": str(finished.folder.path), "network__strategy": strategy}
    session, inspected = inspected_on(data, RunFolder(tmp_path / "run"), **start)
    begun = begin_from(session, inspected)
    task, loader = inspected.task, inspected.loader(inspected.val, batch_size=40)
    said = predict(begun.model(), loader, runtime=inspected.runtime, keep=task.evidence).outputs.numpy()
    trivial = next(iter(task.trivial(inspected.val.targets).values())).value
    assert task.metric.better(task.score(said, inspected.val.targets).value, than=trivial)


def test_masks_are_refused(prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """A task with an answer for each pixel cannot begin so, and is told before anything is loaded."""
    session, inspected = _ready(prepared, finished, tmp_path)

    class Dense:
        dense, name = True, "segmentation"

    with pytest.raises(SettingError, match="segmentation"):
        begin_from(session, replace(inspected, task=Dense()))  # type: ignore[arg-type]


def test_images_are_counted_for_each_class(prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """Forty pictures of two classes are twenty for each, far from many."""
    _, inspected = _ready(prepared, finished, tmp_path)
    assert images_for_each(inspected) == len(inspected.train) / len(inspected.task.names) < MANY


def test_pixels_are_averaged_in_blocks() -> None:
    """Each number is the mean of its block, channel by channel."""
    images = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 2), dtype=np.uint8)
    got = pixel_means(images).reshape(3, 2, 12, 12)
    assert got[1, 1, 2, 3] == pytest.approx(images[1, 4:6, 6:8, 1].mean() / 255, rel=1e-5)


def test_the_start_may_be_a_network_of_another_size(prepared: Prepared, finished: Whole, tmp_path: Path) -> None:
    """Pictures are brought to the side that the earlier network knows."""
    session, inspected = _ready(prepared, finished, tmp_path, data__image_size=24)
    model, origin = load_start(session.recipe.network.start, inspected=inspected)
    assert isinstance(model, Adapted)
    assert origin.sight.side == load_model(finished.folder.model)[1].image_size
    assert model(torch.zeros(1, 3, 24, 24)).shape == (1, len(inspected.task.names))


@pytest.mark.parametrize("kind", ["svm", "last-layers"])
def test_a_run_begins_from_an_earlier_one(
    kind: str, prepared: Prepared, finished: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `network.start` the train stage takes that run's network: its head alone, or trained on for its steps."""
    monkeypatch.setattr(network, "TimedSteps", lambda _seconds: Counted(10))
    session, inspected = _ready(prepared, finished, tmp_path, network__strategy=kind)
    fit_baselines(session, inspected)
    assert train_network(session, inspected)
    tried = [event["name"] for event in session.journal.select("model")]
    assert tried[-1] == (ADAPTED if kind == "last-layers" else transfer.FITTED)
    assert load_model(session.folder.model)[1].network == ADAPTED
    assert train_network(session, inspected)  # finished: nothing happens again
    assert len(list(session.journal.select("model"))) == len(tried)
