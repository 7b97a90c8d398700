"""Penalties against their formulas, true zeros, and the length of what comes into a unit."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.optim.regularization import (
    MaxNorm,
    ProximalL1,
    Sparsity,
    elastic_net,
    incoming_norms,
    l1_penalty,
    l2_penalty,
    sparsity,
    weights,
)


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.PReLU(4), nn.LayerNorm([4, 5, 5]),
        nn.ConvTranspose2d(4, 6, 3, groups=2), nn.Flatten(), nn.Linear(6 * 49, 3),
    )  # fmt: skip


def test_only_weights_are_penalised() -> None:
    """Biases, norms (those with three axes too) and PReLU are spared, shared weights counted once, frozen ones not."""
    model = _network()
    assert list(weights(model)) == ["0.weight", "4.weight", "6.weight"]
    model[0].weight.requires_grad = False
    assert list(weights(model)) == ["4.weight", "6.weight"]
    twice = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    twice[1].weight = twice[0].weight
    assert list(weights(twice)) == ["0.weight"]


@given(st.floats(0, 3), st.floats(0, 1))
def test_penalties_equal_their_formulas(strength: float, share: float) -> None:
    """`strength (a sum |w| + (1 - a) / 2 sum w^2)`, summed by numpy (W6.1, W6.2, S13)."""
    model = _network()
    values = np.concatenate([w.detach().numpy().astype(np.float64).ravel() for w in weights(model).values()])
    l1, l2 = np.abs(values).sum(), 0.5 * (values**2).sum()
    assert l1_penalty(model, strength=strength).item() == pytest.approx(strength * l1, rel=1e-5)
    assert l2_penalty(model, strength=strength).item() == pytest.approx(strength * l2, rel=1e-5)
    both = elastic_net(model, strength=strength, l1_share=share).item()
    assert both == pytest.approx(strength * (share * l1 + (1 - share) * l2), rel=1e-5)


def test_gradients_are_right() -> None:
    """They pass torch's check by differences, and l1 has none at 0."""
    layer = nn.Linear(3, 2).double()
    assert torch.autograd.gradcheck(lambda w: _through(layer, w, 0.3), (layer.weight,))
    with torch.no_grad():
        layer.weight.zero_()
    l1_penalty(layer, strength=1.0).backward()  # type: ignore[no-untyped-call]
    assert layer.weight.grad is not None
    assert not layer.weight.grad.any()


def _through(layer: nn.Linear, weight: torch.Tensor, share: float) -> torch.Tensor:
    layer.weight = weight
    return elastic_net(layer, strength=0.7, l1_share=share)


@pytest.mark.parametrize(("kind", "same"), [(torch.optim.SGD, True), (torch.optim.AdamW, False)])
def test_l2_is_the_weight_decay_of_sgd(kind: type, same: bool) -> None:
    """Coupled and decoupled decay are one thing for SGD and two for Adam (W6.1, K4.8)."""
    ends = []
    for coupled in (True, False):
        torch.manual_seed(1)
        layer = nn.Linear(4, 2, bias=False).double()
        optimizer = kind(layer.parameters(), lr=0.1, weight_decay=0.0 if coupled else 0.2)
        for _ in range(3):
            optimizer.zero_grad()
            loss = layer(torch.ones(1, 4).double()).square().sum()
            (loss + l2_penalty(layer, strength=0.2) if coupled else loss).backward()
            optimizer.step()
        ends.append(layer.weight.detach().clone())
    assert torch.allclose(ends[0], ends[1], rtol=1e-12) is same


def test_a_model_without_weights_costs_nothing() -> None:
    """Nothing to penalise is 0, not an error."""
    assert elastic_net(nn.ReLU(), strength=1.0).item() == 0
    assert sparsity(nn.ReLU()) == {}


def test_half_precision_is_summed_wide() -> None:
    """A million small weights are added up in float32."""
    layer = nn.Linear(1000, 1000).to(torch.bfloat16)
    with torch.no_grad():
        layer.weight.fill_(0.125)
    assert l1_penalty(layer, strength=1.0).item() == pytest.approx(125_000)


def test_proximal_steps_solve_the_lasso() -> None:
    """Gradient step and shrinking reach the closed form of orthogonal data: soft thresholding, with true zeros."""
    torch.manual_seed(0)
    design = torch.linalg.qr(torch.randn(8, 4, dtype=torch.float64)).Q
    target = torch.randn(8, 1, dtype=torch.float64)
    layer = nn.Linear(4, 1, bias=False).double()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    shrink = ProximalL1(strength=0.7, optimizer=optimizer)
    for _ in range(200):
        optimizer.zero_grad()
        (0.5 * (layer(design) - target).square().sum()).backward()
        optimizer.step()
        shrink(layer)
    plain = (design.T @ target)[:, 0].numpy()
    wanted = np.sign(plain) * np.maximum(np.abs(plain) - 0.7, 0)
    np.testing.assert_allclose(layer.weight.detach().numpy()[0], wanted, atol=1e-9)
    assert (wanted == 0).any()
    assert sparsity(nn.Sequential(layer))["0.weight"].zeros == (wanted == 0).sum()


def test_shrinking_follows_the_schedule() -> None:
    """The rate is the one the optimizer has now, per group; what it does not move is not shrunk."""
    one, other = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        one.weight.fill_(-1.0)
        other.weight.fill_(1.0)
    optimizer = torch.optim.SGD(one.parameters(), lr=1.0)
    shrink = ProximalL1(strength=0.5, optimizer=optimizer)
    optimizer.param_groups[0]["lr"] = 0.5
    shrink(nn.Sequential(one, other))
    assert (one.weight.item(), other.weight.item()) == (-0.75, 1.0)


def test_sparsity_counts_units_of_every_layer() -> None:
    """Zeros, and units into which nothing comes, of transposed and grouped convolutions too."""
    model = _network()
    with torch.no_grad():
        weights(model)["4.weight"][:2, 1] = 0  # unit 1 of the first group
        weights(model)["6.weight"][0] = 1e-9
    found = sparsity(model)
    assert found["4.weight"] == Sparsity(weights=108, zeros=18, units=6, silent=1)
    assert found["4.weight"].share == pytest.approx(1 / 6)
    assert found["6.weight"].zeros == 0
    assert sparsity(model, threshold=1e-8)["6.weight"].silent == 1


def _twin(model: nn.Module, limit: float) -> dict[str, torch.Tensor]:
    """Each unit's incoming weights, found by asking which of them its output depends on."""
    bound = {}
    for name, layer in model.named_modules():
        weight = getattr(layer, "weight", None)
        if not isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) or weight is None:
            continue
        out = weight.detach().clone()
        shape = (1, layer.in_features) if isinstance(layer, nn.Linear) else (1, layer.in_channels, 9, 9)
        units = layer(torch.ones(shape)).transpose(0, 1).flatten(1).sum(1)
        for unit in units:
            (dependence,) = torch.autograd.grad(unit, weight, retain_graph=True)
            mask = dependence != 0
            length = float(out[mask].square().sum().sqrt())
            out[mask] *= min(1.0, limit / length)
        bound[f"{name}.weight"] = out
    return bound


@pytest.mark.parametrize("limit", [0.3, 0.8, 100.0])
def test_max_norm_bounds_what_comes_into_each_unit(limit: float) -> None:
    """Rows, filters, and the second axis of transposed convolutions in each group (W6.3)."""
    model, lengths = _network(), incoming_norms(_network())
    wanted = _twin(model, limit)
    assert set(wanted) == set(lengths)
    before = copy.deepcopy(model.state_dict())
    MaxNorm(limit)(model)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, wanted.get(name, before[name]))
    for name, length in incoming_norms(model).items():
        assert bool((length <= limit * (1 + 1e-6)).all())
        torch.testing.assert_close(length, lengths[name].clamp(max=limit))


def test_max_norm_equals_torch_renorm() -> None:
    """For rows it is `torch.renorm`, zeros stay zeros, and no gradient is recorded."""
    layer = nn.Linear(5, 4)
    with torch.no_grad():
        layer.weight[0] = 0
    wanted = torch.renorm(layer.weight.detach(), p=2, dim=0, maxnorm=0.4)
    MaxNorm(0.4)(layer)
    torch.testing.assert_close(layer.weight.detach(), wanted)
    assert layer.weight.is_leaf


def test_max_norm_leaves_embeddings_alone() -> None:
    """A word is no unit."""
    table = nn.Embedding(3, 4)
    before = table.weight.detach().clone()
    MaxNorm(0.01)(table)
    assert torch.equal(table.weight, before)


def test_impossible_settings_are_refused() -> None:
    """Each is told in three parts."""
    layer = nn.Linear(1, 1)
    for strength in (-1.0, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="strength"):
            elastic_net(layer, strength=strength)
        with pytest.raises(SettingError, match="strength"):
            ProximalL1(strength=strength, optimizer=torch.optim.SGD(layer.parameters(), lr=0.1))
    with pytest.raises(SettingError, match="share"):
        elastic_net(layer, strength=1.0, l1_share=1.5)
    for limit in (0.0, -1.0, float("nan")):
        with pytest.raises(SettingError, match="limit"):
            MaxNorm(limit)
    with pytest.raises(SettingError, match="threshold"):
        sparsity(layer, threshold=-1.0)
