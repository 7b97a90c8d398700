"""Weights to begin with (W3.1, W3.2, W3.3, W3.4, S15) and the signal they keep (S12)."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from epochal.errors import SettingError
from epochal.layers.scaling import (
    Fans,
    Weighted,
    fans,
    initialize_,
    scale_to_data_,
    strength,
    symmetric_units,
)


def _counted(layer: nn.Module, x: Tensor) -> tuple[float, float]:
    """Fans by looking: with ones for weights, an inner output counts its inputs, an inner gradient its outputs."""
    with torch.no_grad():
        for p in layer.parameters():
            p.fill_(1.0) if p.ndim > 1 else p.zero_()
    x.requires_grad_()
    y = layer(x)
    y.sum().backward()
    assert x.grad is not None
    return y.max().item(), x.grad.max().item()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(5, 7), (5,)),
        (nn.Conv1d(4, 6, 3), (4, 9)),
        (nn.Conv2d(4, 6, (3, 5)), (4, 9, 15)),
        (nn.Conv2d(4, 8, 3, groups=2), (4, 9, 9)),
        (nn.Conv2d(6, 6, 3, groups=6), (6, 9, 9)),
        (nn.Conv3d(2, 3, 2), (2, 5, 5, 5)),
        (nn.ConvTranspose2d(64, 8, 3), (64, 9, 9)),
        (nn.ConvTranspose2d(4, 8, 3, groups=2), (4, 9, 9)),
    ],
)
def test_fans_are_what_is_added_up(layer: Weighted, shape: tuple[int, ...]) -> None:
    """The fans are the numbers an inner output adds up and an inner input is spread to, transposed and grouped too."""
    counted = fans(layer)
    assert (counted.fan_in, counted.fan_out) == _counted(layer, torch.ones(1, *shape))


def test_torch_miscounts_where_we_do_not() -> None:
    """A transposed convolution from 64 to 8 channels adds up 576 numbers; torch counts 72. Depthwise goes to 9."""
    wrong, _ = nn.init._calculate_fan_in_and_fan_out(nn.ConvTranspose2d(64, 8, 3).weight)
    assert (wrong, fans(nn.ConvTranspose2d(64, 8, 3)).fan_in) == (72, 576)
    _, wrong = nn.init._calculate_fan_in_and_fan_out(nn.Conv2d(64, 64, 3, groups=64).weight)
    assert (wrong, fans(nn.Conv2d(64, 64, 3, groups=64)).fan_out) == (576, 9)


def test_strides_thin_out_what_is_spread() -> None:
    """With stride 2, a 4x4 transposed convolution adds up a quarter: with that, its output keeps the variance."""
    layer = nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1, bias=False)
    counted = fans(layer, strided=True)
    assert counted.fan_in == 32 * 16 / 4
    with torch.no_grad():
        layer.weight.normal_(0, strength("calibrated", counted))
    assert layer(torch.randn(8, 32, 16, 16))[..., 2:-2, 2:-2].var().item() == pytest.approx(1, rel=0.1)


@given(st.integers(1, 4096), st.integers(1, 4096), st.sampled_from(["relu", "tanh", "leaky_relu"]))
def test_strengths_equal_the_formulas(fan_in: int, fan_out: int, act: str) -> None:
    """Variances are 1/n, 2/(in+out), gain^2/n and 1e-4, whatever the fans."""
    counted = Fans(fan_in=fan_in, fan_out=fan_out)
    squares = {"relu": 2.0, "tanh": 25 / 9, "leaky_relu": 2 / (1 + 1e-4)}
    assert strength("calibrated", counted) ** 2 == pytest.approx(1 / fan_in)
    assert strength("xavier", counted) ** 2 == pytest.approx(2 / (fan_in + fan_out))
    he = strength("he", counted, activation=act, mode="fan_out")
    assert he**2 == pytest.approx(squares[act] / fan_out)
    assert strength("gaussian", counted) ** 2 == pytest.approx(1e-4)


@pytest.mark.parametrize("name", ["gaussian", "calibrated", "xavier", "he"])
def test_weights_have_the_strength(name: str) -> None:
    """What is filled in is normal with the formula's deviation and mean zero, and biases are zero."""
    model = nn.Sequential(nn.Conv2d(16, 64, 3), nn.BatchNorm2d(64), nn.ConvTranspose2d(64, 16, 3))
    assert initialize_(model, name, generator=torch.Generator().manual_seed(3)) == ("0", "2")
    for layer in (model[0], model[2]):
        assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
        assert layer.weight.std().item() == pytest.approx(strength(name, fans(layer)), rel=0.03)
        assert abs(layer.weight.mean().item()) < 0.05 * strength(name, fans(layer))
        assert layer.bias is not None
        assert not layer.bias.any()
    assert torch.equal(model[1].weight, torch.ones(64))  # type: ignore[arg-type]


def test_same_seed_same_weights() -> None:
    """A generator alone decides the weights."""
    one, other = nn.Linear(5, 5), nn.Linear(5, 5)
    for layer in (one, other):
        initialize_(layer, "he", generator=torch.Generator().manual_seed(1))
    assert torch.equal(one.weight, other.weight)


def test_he_keeps_a_deep_signal_and_small_gaussians_lose_it() -> None:
    """Through thirty rectified layers He's rule keeps the signal's order, N(0, 1e-4) makes it vanish (W3.2, W3.4)."""
    x = torch.randn(64, 256)
    layers = [layer for _ in range(30) for layer in (nn.Linear(256, 256), nn.ReLU())]
    model = nn.Sequential(*layers)
    initialize_(model, "he")
    assert 0.2 < model(x).square().mean() < 5
    initialize_(model, "gaussian")
    assert model(x).square().mean() < 1e-20


def test_zeros_warn_and_never_part() -> None:
    """All-zero weights warn, and after training steps the units of a layer are still copies of one another (W3.1)."""
    model = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid(), nn.Linear(8, 2))
    with pytest.warns(UserWarning, match="stay alike"):
        initialize_(model, "zeros")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(16, 4)), torch.randint(2, (16,))).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert symmetric_units(model)["0"] == 7
    assert any(p.any() for p in model[0].parameters())


@pytest.mark.parametrize(
    "layer", [nn.Linear(3, 6), nn.Conv2d(4, 6, 3, groups=2), nn.ConvTranspose2d(4, 6, 3, groups=2)]
)
def test_random_units_are_no_copies(layer: Weighted) -> None:
    """Random weights have no copies; one made by hand is found, and the same filter in another group is none."""
    assert symmetric_units(layer) == {}
    with torch.no_grad():
        if isinstance(layer, nn.ConvTranspose2d):
            layer.weight[:2, 1], layer.weight[2:, 1] = layer.weight[:2, 0], layer.weight[:2, 0]
        else:
            layer.weight[1], layer.weight[3] = layer.weight[0], layer.weight[0]
        assert layer.bias is not None
        layer.bias.zero_()
    expected = 2 if isinstance(layer, nn.Linear) else 1
    assert symmetric_units(layer) == {"": expected}


def test_shared_weights_are_filled_once() -> None:
    """Layers that share a weight count as one."""
    one, other = nn.Linear(4, 4), nn.Linear(4, 4)
    other.weight = one.weight
    assert initialize_(nn.Sequential(one, other), "he") == ("0",)


@pytest.mark.parametrize("layer", [weight_norm(nn.Linear(3, 3)), nn.LazyLinear(3)])
def test_weights_that_cannot_be_filled_are_refused(layer: nn.Module) -> None:
    """Computed weights and weights that do not exist yet are errors, where filling them would be lost."""
    with pytest.raises(SettingError, match="plain parameter"):
        initialize_(layer, "he")


def test_impossible_rules_are_refused() -> None:
    """Unknown names and spreads that are not above 0 are errors."""
    for name, std in (("lecun", 0.01), ("gaussian", 0.0), ("gaussian", math.nan)):
        with pytest.raises(SettingError):
            initialize_(nn.Linear(2, 2), name, std=std)


def _network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8),
        nn.Sigmoid(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(8 * 36, 16), nn.Tanh(), nn.Linear(16, 4),
    )  # fmt: skip


@pytest.mark.parametrize("orthogonal", [True, False])
def test_every_layer_gives_unit_variance(orthogonal: bool) -> None:
    """Measured anew afterwards, each layer's output has variance 1, though only one pass was made (S12)."""
    model, x = _network(), 7 * torch.randn(32, 3, 6, 6) + 3
    found = scale_to_data_(model, x, orthogonal=orthogonal)
    assert list(found) == ["0", "2", "7", "9"]
    seen = []
    for layer in model:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(lambda _m, _i, out: seen.append(out.std(correction=0).item()))
    model.eval()(x)
    assert seen == pytest.approx([1] * 4, rel=1e-4)


def test_scaling_leaves_no_trace() -> None:
    """Mode, hooks, running statistics and parameters' identity are as before."""
    model = _network()
    model[5].eval()
    before = {k: v.clone() for k, v in model.named_buffers()}
    parameters = list(model.parameters())
    scale_to_data_(model, torch.randn(8, 3, 6, 6))
    assert [layer.training for layer in model] == [True] * 5 + [False] + [True] * 4
    assert all(torch.equal(before[k], v) for k, v in model.named_buffers())
    assert all(a is b for a, b in zip(parameters, model.parameters(), strict=True))
    assert not any(layer._forward_hooks for layer in model)


def test_shared_and_dead_layers_are_left_in_peace() -> None:
    """A layer used twice is scaled where it comes first; a layer that gives zeros stays and tells deviation 0."""
    layer = nn.Linear(8, 8)
    found = scale_to_data_(nn.Sequential(layer, layer), 5 * torch.randn(64, 8))
    assert list(found) == ["0"]
    assert scale_to_data_(nn.Linear(8, 2), torch.zeros(4, 8) * 0, orthogonal=False)[""] >= 0
    dead = nn.Linear(8, 2, bias=False)
    weight = dead.weight.detach().clone()
    assert scale_to_data_(dead, torch.zeros(4, 8), orthogonal=False) == {"": 0.0}
    assert torch.equal(dead.weight, weight)


def test_images_with_nan_are_refused() -> None:
    """A layer whose output is not finite is named."""
    with pytest.raises(SettingError, match="deviates by nan"):
        scale_to_data_(nn.Linear(2, 2), torch.full((4, 2), math.nan))
