"""Facts about the loss and the decoder of values: against numpy, in half precision, compiled away into ONNX."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.models.head import ScaledLinear
from epochal.stats.circular import Circle
from epochal.tasks.encoding import Decoder, begin_, constant_loss, value_loss
from epochal.tasks.value import Value
from epochal.tasks.value_rows import decoded, encoded

SOURCE = np.random.default_rng(0)
LABELS = np.stack([SOURCE.normal(40, 9, 200), SOURCE.uniform(-180, 180, 200), SOURCE.normal(size=200)], axis=1)
VALUES = (
    Value.of("age", LABELS[:, 0]),
    Value.of("angle", LABELS[:, 1], circle=Circle(period=360.0, origin=-180.0)),
    Value.of("tilt", LABELS[:, 2]),
)
OUTPUTS = torch.from_numpy(SOURCE.normal(size=(200, 4)))


def _smooth(x: np.ndarray, beta: float) -> np.ndarray:
    size = np.abs(x)
    return np.where(size < beta, 0.5 * size**2 / beta if beta else 0.0, size - beta / 2)


@pytest.mark.parametrize(
    ("name", "beta", "twin"),
    [
        ("smooth-l1", 0.3, lambda x: _smooth(x, 0.3)),
        ("huber", 0.3, lambda x: 0.3 * _smooth(x, 0.3)),
        ("squared", 1.0, np.square),
        ("absolute", 1.0, np.abs),
    ],
)
def test_loss_is_the_mean_over_columns_of_a_loss_of_what_is_missing(
    name: str, beta: float, twin: Callable[[np.ndarray], np.ndarray]
) -> None:
    """Standardised differences on lines, lengths of chords on circles, each through the named loss."""
    wanted, said = encoded(VALUES, LABELS), OUTPUTS.numpy()
    away = np.abs(said - wanted)
    chord = np.hypot(away[:, 1], away[:, 2])
    expected = (twin(away[:, 0]) + twin(chord) + twin(away[:, 3])) / 3
    lost = value_loss(VALUES, name=name, beta=beta)(OUTPUTS, torch.from_numpy(LABELS))
    np.testing.assert_allclose(lost, expected, rtol=1e-9)


def test_loss_of_what_is_right_is_nothing() -> None:
    """Encoded labels cost nothing against their own labels, in float32 too."""
    said = torch.from_numpy(encoded(VALUES, LABELS)).float()
    lost = value_loss(VALUES)(said, torch.from_numpy(LABELS).float())
    assert (lost.dtype, lost.shape) == (torch.float32, (200,))
    assert lost.max() < 1e-9


def test_half_precision_outputs_are_judged_in_float32() -> None:
    """Outputs in bfloat16 give a loss in float32 that differs by their own rounding only."""
    given = torch.from_numpy(LABELS).float()
    rough = value_loss(VALUES)(OUTPUTS.bfloat16().float(), given)
    torch.testing.assert_close(rough, value_loss(VALUES)(OUTPUTS.float(), given), rtol=0.05, atol=0.02)


@pytest.mark.parametrize("name", ["smooth-l1", "huber", "squared", "absolute"])
def test_gradients_are_those_of_differences(name: str) -> None:
    """Gradients agree with finite differences."""
    given = torch.from_numpy(LABELS[:5])
    said = OUTPUTS[:5].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: value_loss(VALUES, name=name, beta=0.5)(x, given), said)


def test_an_unknown_loss_is_refused() -> None:
    """A name that is none of the four is an error that lists them."""
    with pytest.raises(SettingError, match="smooth-l1, huber, squared, absolute"):
        value_loss(VALUES, name="focal")


@pytest.mark.parametrize("columns", [VALUES, VALUES[:1], VALUES[1:2]])
def test_decoder_says_what_numpy_says(columns: tuple[Value, ...]) -> None:
    """In float64 the module and numpy agree; in float32 to rounding, by the shorter way."""
    outputs = OUTPUTS[:, : sum(value.outputs for value in columns)]
    expected = decoded(columns, outputs.numpy())
    for dtype, allowed in ((torch.float64, 1e-4), (torch.float32, 1e-3), (torch.bfloat16, 5.0)):
        said = Decoder(columns)(outputs.to(dtype)).double().numpy()
        for k, value in enumerate(columns):
            assert np.abs(value.errors(said[:, k], expected[:, k])).max() < allowed


def test_decoded_places_lie_on_the_scale() -> None:
    """Every direction decodes into one period from the origin on, those around the seam too."""
    angle = torch.linspace(-4, 4, 10_001)
    angle = torch.cat([angle, torch.tensor([torch.pi, -torch.pi, -1e-9, 1e-9])])
    for circle in (Circle(period=10.0), Circle(period=360.0, origin=-180.0), Circle(period=0.1, origin=7.0)):
        column = Value.of("v", np.array([0.0, circle.period / 3]), circle=circle)
        said = Decoder([column])(torch.stack([angle.cos(), angle.sin()], 1))
        end = torch.tensor(circle.origin) + torch.tensor(circle.period)
        assert said.min() >= torch.tensor(circle.origin)
        assert said.max() < end


def test_decoder_exports_to_onnx(tmp_path: Path) -> None:
    """A network that ends in values runs elsewhere, for any number of images, and says the same."""
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), Decoder(VALUES)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.randn(2, 6),),
            tmp_path / "values.onnx",
            input_names=["x"],
            dynamic_shapes={"input": {0: torch.export.Dim("n", min=1)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    x = torch.randn(7, 6)
    (said,) = runtime.InferenceSession(tmp_path / "values.onnx", providers=["CPUExecutionProvider"]).run(
        None, {"x": x.numpy()}
    )
    with torch.no_grad():
        np.testing.assert_allclose(said, model(x).numpy(), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("layer", [nn.Linear(5, 4), ScaledLinear(5, 4, factor=1 / 9)])
def test_a_begun_layer_gives_the_constant(layer: nn.Linear) -> None:
    """Whatever comes in, the constant comes out, the factor of a scaled head taken into account."""
    constant = torch.tensor([0.0, 0.3, -0.2, 1.0])
    begin_(nn.Sequential(nn.Linear(5, 5), layer), constant)
    torch.testing.assert_close(layer(torch.randn(3, 5)), constant.expand(3, 4))


@pytest.mark.parametrize("model", [nn.Linear(5, 3), nn.Linear(5, 4, bias=False)])
def test_a_head_of_another_size_is_refused(model: nn.Module) -> None:
    """A last layer without one bias per output is an error that says what it has."""
    with pytest.raises(SettingError, match="the values need 4"):
        begin_(model, torch.zeros(4))


@pytest.mark.parametrize("name", ["smooth-l1", "squared", "absolute"])
def test_the_constant_costs_what_is_promised(name: str) -> None:
    """On the training labels the constant outputs measure the promised loss, exactly where values repeat."""
    labels = LABELS.round(1)
    columns = [Value.of(v.name, labels[:, k], circle=v.circle) for k, v in enumerate(VALUES)]
    said = torch.from_numpy(np.concatenate([column.constant for column in columns])).expand(len(labels), -1)
    measured = value_loss(columns, name=name)(said, torch.from_numpy(labels)).mean().item()
    assert constant_loss(columns, name=name) == pytest.approx(measured, rel=1e-9)
