"""An exported model says what the model says, for any number of images."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from epochal.errors import MissingExtra, RunError, SettingError
from epochal.stages import export as export_module
from epochal.stages.artifact import Deployed, load_model
from epochal.stages.export import ALLOWED, export_model
from epochal.stages.folder import RunFolder
from stages.models import TASKS, facts_of, run_with
from stages.whole import Whole


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Pixels of five images."""
    return torch.rand(5, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def _wanted(finished: Whole, images: torch.Tensor) -> np.ndarray:
    network, facts = load_model(finished.folder.model)
    with torch.no_grad():
        said: np.ndarray = Deployed(network, facts).eval()(images).numpy()
    return said


@pytest.mark.parametrize("count", [1, 5])
def test_a_torch_program_equals_the_model(finished: Whole, tmp_path: Path, images: torch.Tensor, count: int) -> None:
    """Loaded without any of our classes it gives the same logits, also for a single image."""
    exported = export_model(finished.folder.path, kind="torch", output=tmp_path / "deep" / "model.pt2")
    assert exported.difference <= exported.allowed == ALLOWED
    with torch.no_grad():
        said = torch.export.load(exported.path).module()(images[:count])
    np.testing.assert_allclose(said.numpy(), _wanted(finished, images[:count]), atol=ALLOWED)


def test_an_onnx_file_equals_the_model(finished: Whole, tmp_path: Path, images: torch.Tensor) -> None:
    """ONNX Runtime gives the same logits, for one image and for five; the file needs no other beside it."""
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="the extra 'onnx' is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    exported = export_model(finished.folder.path, kind="onnx", output=tmp_path / "model.onnx")
    assert exported.difference <= ALLOWED
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    session = runtime.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    for count in (1, 5):
        (said,) = session.run(None, {"pixels": images[:count].numpy()})
        np.testing.assert_allclose(said, _wanted(finished, images[:count]), atol=ALLOWED)


def test_the_usual_place_is_in_the_run(finished_copy: RunFolder) -> None:
    """Without a path the file lies beside the model."""
    assert export_model(finished_copy.path, kind="torch").path == finished_copy.path / "model.pt2"


def test_an_export_that_differs_is_removed(finished: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that says something else is not left lying about."""
    monkeypatch.setattr(export_module, "ALLOWED", -1.0)
    with pytest.raises(RunError, match="differs from the model"):
        export_model(finished.folder.path, kind="torch", output=tmp_path / "model.pt2")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused(finished: Whole) -> None:
    """With the formats that there are."""
    with pytest.raises(SettingError, match="tflite") as caught:
        export_model(finished.folder.path, kind="tflite")
    assert "onnx" in caught.value.expected


def test_a_missing_package_is_named_with_its_remedy(
    finished: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the command that brings it, and nothing is written."""
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match="onnx") as caught:
        export_model(finished.folder.path, kind="onnx", output=tmp_path / "model.onnx")
    assert caught.value.remedy == "pip install 'epochal[onnx]'"
    assert list(tmp_path.iterdir()) == []
    importlib.invalidate_caches()


def test_without_a_model_there_is_nothing_to_export(finished_copy: RunFolder) -> None:
    """A run whose model was deleted says so."""
    finished_copy.model.unlink()
    with pytest.raises(RunError, match=r"model\.safetensors"):
        export_model(finished_copy.path, kind="torch")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_exported_with_its_answers(task: str, tmp_path: Path) -> None:
    """Both formats take pictures of the trained height and width, any number of them, and answer as the model does."""
    for package in ("onnx", "onnxscript"):
        pytest.importorskip(package, reason="the extra 'onnx' is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="the extra 'onnx' is not installed")
    facts = facts_of(task)
    run = run_with(tmp_path / "run", facts)
    pixels = torch.rand(3, facts.channels, *facts.size, generator=torch.Generator().manual_seed(2))
    network, _ = load_model(run.model)
    with torch.no_grad():
        wanted = Deployed(network, facts).eval()(pixels).numpy()
        loaded = torch.export.load(export_model(run.path, kind="torch").path).module()(pixels).numpy()
    exported = export_model(run.path, kind="onnx")
    session = runtime.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    (said,) = session.run(None, {"pixels": pixels.numpy()})
    name = "values" if task == "regression" else "logits"
    assert [each.name for each in session.get_outputs()] == [exported.output] == [name]
    assert wanted.shape == (
        (3, 2, *facts.size) if task == "segmentation" else (3, facts.kind.outputs - (name == "values"))
    )
    np.testing.assert_allclose(loaded, wanted, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(said, wanted, rtol=1e-4, atol=1e-3)


def test_values_differ_in_parts_of_their_spread() -> None:
    """A length in hundreds may differ by more than one in hundredths; across the seam of a circle little is little."""
    task = facts_of("regression").kind
    outputs = torch.tensor([[2.0, 0.0, 1.0]])  # on the seam; the vector's length is 2
    wanted = torch.tensor([[0.0, 700.0]])
    spread = float(np.linspace(5, 900, 50).std())
    by_length = export_module._difference(torch.tensor([[0.0, 700.0 + spread]]), wanted, outputs=outputs, task=task)
    by_angle = export_module._difference(torch.tensor([[9.9, 700.0]]), wanted, outputs=outputs, task=task)
    assert by_length == pytest.approx(1.0, rel=1e-5)
    assert by_angle == pytest.approx(2 * 2 * np.pi * 0.1 / 10, rel=1e-4)
