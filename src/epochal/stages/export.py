"""Write the model for use without epochal, and check that it still says the same."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from epochal.errors import MissingExtra, RunError, SettingError
from epochal.stages.artifact import Deployed, Facts, load_model
from epochal.stages.folder import existing_run
from epochal.tasks.regression import Regression

if TYPE_CHECKING:
    from torch import Tensor

    from epochal.tasks.task import Task

ALLOWED = 1e-3  # of a number that the network gives: float32 convolutions of two runtimes differ by less than 1e-4
_SAMPLES = 7  # not the batch size that the export is traced with, so that a frozen batch size shows
_SUFFIX = {"onnx": ".onnx", "torch": ".pt2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """An exported file, and how far its outputs were from the model's on the same images.

    `difference` is the largest one of a logit, or of a value as the network gives it, standardised.
    """

    path: Path
    samples: int
    difference: float
    allowed: float = ALLOWED
    output: str = "logits"


def export_model(run: Path, *, kind: str = "onnx", output: Path | None = None) -> Exported:
    """Write the run's model as ONNX or as a torch.export program; inputs are pixels in [0, 1], any batch size.

    Its output is called `logits`, for each image or for each of its pixels, or `values` in the units of the labels.

    Raises: RunError if there is no model or the outputs differ, MissingExtra for onnx without its packages,
    SettingError for another kind.
    """
    if kind not in _SUFFIX:
        raise SettingError(f"The format is {kind!r}.", expected="onnx or torch.", remedy="--format onnx")
    folder = existing_run(run)
    network, facts = load_model(folder.model)
    model = Deployed(network, facts).eval()
    path = output or folder.path / f"model{_SUFFIX[kind]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    images = torch.rand(_SAMPLES, facts.channels, *facts.size, generator=torch.Generator().manual_seed(0))
    outputs, wanted = _both(model, images)
    given = (
        _through_onnx(model, path, facts=facts, images=images)
        if kind == "onnx"
        else _through_torch(model, path, facts=facts, images=images)
    )
    name = output_name(facts)
    difference = _difference(given, wanted, outputs=outputs, task=facts.kind)
    if not difference <= ALLOWED:
        path.unlink()
        raise RunError(
            f"The exported model differs from the model by {difference:.2g} in a {name.removesuffix('s')}.",
            expected=f"{ALLOWED:g} at most; the file was removed.",
            remedy="try the other --format, and please report this.",
        )
    return Exported(path=path, samples=_SAMPLES, difference=difference, output=name)


@torch.no_grad()
def _both(model: Deployed, images: Tensor) -> tuple[Tensor, Tensor]:
    """What the network gives, and what the model makes of it."""
    decoder, model.decoder = model.decoder, nn.Identity()
    outputs: Tensor = model(images)
    model.decoder = decoder
    return outputs, decoder(outputs)


def output_name(facts: Facts) -> str:
    """What the exported model gives: `values` where it measures, else `logits`."""
    return "values" if facts.kind.name == "regression" else "logits"


def _difference(given: Tensor, wanted: Tensor, *, outputs: Tensor, task: Task) -> float:
    """The largest difference of a logit; of values as the network gives them, before they got their units.

    On a circle that is the angle between the two times the length of the network's vector: where that is short, its
    direction says little, and a rounding of its ends turns it far.

    Shapes: given and wanted as the model gives them, outputs as its network does.
    """
    away = (given.double() - wanted.double()).abs()
    if not isinstance(task, Regression):
        return float(away.max())
    columns, begin = [], 0
    for value, column in zip(task.values, away.T, strict=True):
        raw = outputs[:, begin : begin + value.outputs].double()
        begin += value.outputs
        if value.circle is None:
            columns.append(column / value.deviation)
        else:
            turned = torch.minimum(column, (value.circle.period - column).abs())
            columns.append(turned * (2 * torch.pi / value.circle.period) * raw.norm(dim=1))
    return float(torch.stack(columns).max())


def _through_torch(model: Deployed, path: Path, *, facts: Facts, images: Tensor) -> Tensor:
    program = torch.export.export(
        model, (_example(facts),), dynamic_shapes={"pixels": {0: torch.export.Dim("n", min=1)}}
    )
    torch.export.save(program, path)
    with torch.no_grad():
        outputs: Tensor = torch.export.load(path).module()(images)
    return outputs


def _through_onnx(model: Deployed, path: Path, *, facts: Facts, images: Tensor) -> Tensor:
    runtime = _onnx_runtime()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it complains of packages that are not needed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter talks about its own insides
        torch.onnx.export(
            model,
            (_example(facts),),
            path,
            input_names=["pixels"],
            output_names=[output_name(facts)],
            dynamic_shapes={"pixels": {0: torch.export.Dim("n", min=1)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"pixels": images.numpy()})[0])


def _example(facts: Facts) -> Tensor:
    return torch.rand(2, facts.channels, *facts.size)


def _onnx_runtime() -> Any:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            import_module(package)
        except (ImportError, RuntimeError) as error:
            raise MissingExtra.of(package, extra="onnx", needed_for="the ONNX export") from error
    return import_module("onnxruntime")
