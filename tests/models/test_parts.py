from typing import Any

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.layers.activation import ACTIVATIONS
from epochal.layers.convolution import SeparableConv2d
from epochal.layers.dropout import SpatialDropout, norms_behind_dropout
from epochal.layers.normalization import NORMS
from epochal.layers.scaling import fans, strength, symmetric_units
from epochal.models.parts import INITIALIZATIONS, Norm, Parts
from epochal.models.resnet import Residual, ResNet, Unit, fit_stem_, resnet
from epochal.optim.optimizer import build

OPTIONS: list[dict[str, Any]] = [
    *({"norm": name} for name in NORMS),
    *({"activation": name} for name in ACTIVATIONS),
    *({"initialization": name} for name in INITIALIZATIONS if name != "zeros"),
    {"dropout": 0.2}, {"spatial_dropout": 0.1}, {"drop_path": 0.2}, {"depth": 2}, {"separable": True}, {"pool": "late"},
    {"norm": "group", "activation": "prelu", "drop_path": 0.1, "dropout": 0.1, "separable": True, "depth": 2},
]  # fmt: skip


def _made(*, seed: int = 0, **options: Any) -> ResNet:
    torch.manual_seed(seed)
    return resnet(3, 4, image_size=16, width=16, **options)


def _trained(model: ResNet, *, steps: int = 12) -> list[float]:
    torch.manual_seed(1)
    images, labels = torch.randn(32, 3, 16, 16), torch.arange(32) % 4
    fit_stem_(model, images)
    optimizer = build(model, lr=0.02, momentum=0.85, norm_bias_lr=8)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_learns(options: dict[str, Any]) -> None:
    """With each part in its place, a dozen steps bring the loss of one batch down, and every trained weight moves."""
    model = _made(**options)
    before = {name: p.clone() for name, p in model.named_parameters() if p.requires_grad}
    losses = _trained(model)
    assert losses[-1] < losses[0] - 0.01, losses
    assert [name for name, p in model.named_parameters() if p.requires_grad and torch.equal(p, before[name])] == []


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_is_rebuilt_from_its_name(options: dict[str, Any]) -> None:
    """Weights saved from one network fit another of the same options, which then says the same."""
    model = _made(**options)
    _trained(model, steps=2)
    other = _made(seed=5, **options)
    other.load_state_dict(model.state_dict())
    images = torch.randn(3, 3, 16, 16)
    assert torch.equal(model.eval()(images), other.eval()(images))


def test_the_defaults_are_the_networks_own() -> None:
    """Every option at its default makes the very same weights and outputs as no option at all."""
    named = _made(
        norm="auto", activation="relu", initialization="default", dropout=0.0, spatial_dropout=0.0, drop_path=0.0,
        separable=False, pool="early", whitening="none", depth=1,
    )  # fmt: skip
    plain, images = _made(), torch.randn(4, 3, 16, 16)
    assert list(named.state_dict()) == list(plain.state_dict())
    assert torch.equal(named(images), plain(images))
    assert isinstance(plain.stages[0], Unit)
    assert [type(each) for each in plain.stages[0]] == [nn.Conv2d, nn.MaxPool2d, Norm, nn.ReLU]


@pytest.mark.parametrize("name", [name for name in NORMS if name != "batch"])
def test_norms_over_the_sample_alone_never_see_neighbours(name: str) -> None:
    """In training, too, a sample's logits do not depend on the rest of the batch; over the batch they do."""
    images = torch.randn(6, 3, 16, 16)
    model = _made(norm=name)
    torch.testing.assert_close(model(images)[:2], model(images[:2]), rtol=1e-4, atol=1e-5)
    usual = _made(norm="batch")
    assert not torch.allclose(usual(images)[:2], usual(images[:2]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NORMS)
def test_no_norm_has_a_scale_to_learn(name: str) -> None:
    """The scale stays one, the bias learns: what holds for the network's own holds for all."""
    made = Parts(norm=name).norm_of(8)
    assert [each for each, p in made.named_parameters() if p.requires_grad] == ["bias"]
    assert bool((made.get_parameter("weight") == 1).all())


@pytest.mark.parametrize(("name", "rule"), [
    ("small", "gaussian"), ("calibrated", "calibrated"), ("xavier", "xavier"), ("he", "he"),
])  # fmt: skip
def test_initialisations_have_the_spread_they_are_named_for(name: str, rule: str) -> None:
    """Weights of each convolution deviate as the rule says, within five standard errors."""
    model = resnet(3, 4, image_size=32, width=32, initialization=name)
    for layer in model.stages.modules():
        if isinstance(layer, nn.Conv2d):
            wanted = strength(rule, fans(layer))
            assert abs(float(layer.weight.detach().std()) - wanted) < 5 * wanted / (2 * layer.weight.numel()) ** 0.5


def test_zeros_leave_units_alike() -> None:
    """All-zero weights make every unit of a layer a copy of the others, and no warning is given to who asked."""
    model = _made(initialization="zeros")
    assert set(symmetric_units(model)) >= {"stages.0.0", "stages.1.units.0.0", "head"}
    assert _trained(model, steps=3)[-1] == pytest.approx(1.3863, abs=1e-3)


def test_data_dependent_weights_give_unit_variance() -> None:
    """Once images were seen, every convolution's output deviates by one on them (S12)."""
    model = resnet(3, 4, image_size=16, width=16, initialization="data-dependent", norm="layer")
    images = 7 * torch.randn(64, 3, 16, 16)
    fit_stem_(model, images)
    spreads: list[float] = []
    for layer in model.stages.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _layer, _given, out: spreads.append(float(out.detach().std())))
    model.eval()(images)
    assert spreads == pytest.approx([1.0] * len(spreads), abs=1e-3)
    assert len(spreads) == 4


def test_separable_networks_have_fewer_weights() -> None:
    """Each 3x3 convolution becomes two, of a ninth of the weights or little more, and begins as the identity."""
    whole, parted = (_made(separable=separable) for separable in (False, True))
    convolutions = [layer for layer in parted.stages.modules() if isinstance(layer, SeparableConv2d)]
    assert len(convolutions) == 4
    counts = [sum(p.numel() for p in model.stages.parameters()) for model in (whole, parted)]
    assert counts[1] < counts[0] / 5
    pointwise = convolutions[1].pointwise.weight[:, :, 0, 0]
    assert torch.equal(pointwise, torch.eye(len(pointwise)))


def test_dropped_parts_stand_where_they_are_meant() -> None:
    """Channels drop between stages, features before the head, blocks with a chance that rises to the last."""
    model = _made(dropout=0.3, spatial_dropout=0.2, drop_path=0.4)
    kinds = [type(each) for each in model.stages]
    assert kinds == [Unit, Residual, SpatialDropout, Unit, Residual]
    blocks = [each for each in model.stages if isinstance(each, Residual)]
    assert [block.drop_prob for block in blocks] == pytest.approx([0.2, 0.4])
    assert isinstance(model.dropout, nn.Dropout)
    assert model.dropout.p == 0.3
    images = torch.randn(4, 3, 16, 16)
    assert not torch.equal(model(images), model(images))
    assert torch.equal(model.eval()(images), model(images))


def test_dropout_stands_behind_the_last_norm() -> None:
    """Features are dropped where no running statistics can be upset; channels between stages upset some (S16)."""
    images = torch.randn(1, 3, 16, 16)
    assert norms_behind_dropout(_made(dropout=0.5, drop_path=0.5), images) == ()
    assert norms_behind_dropout(_made(spatial_dropout=0.5), images) != ()
    assert norms_behind_dropout(_made(spatial_dropout=0.5, norm="group"), images) == ()


def test_late_pooling_pools_last() -> None:
    """The textbook's order is one option away, and for monotone parts gives the same after training (L8)."""
    early, late = _made().eval(), _made(pool="late").eval()
    assert isinstance(late.stages[0], Unit)
    assert [type(each) for each in late.stages[0]] == [nn.Conv2d, Norm, nn.ReLU, nn.MaxPool2d]
    for one, other in zip(early.parameters(), late.parameters(), strict=True):
        other.data.copy_(one.data)
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(early(images), late(images))


@pytest.mark.parametrize(("options", "said"), [
    ({"norm": "bach"}, "did you mean batch"), ({"activation": "tan"}, "did you mean tanh"),
    ({"initialization": "kaiming"}, "one of default"), ({"pool": "first"}, "one of early"),
    ({"dropout": 1.0}, "dropout is 1.0"), ({"drop_path": -0.1}, "drop_path is -0.1"),
])  # fmt: skip
def test_names_that_are_none_are_refused(options: dict[str, Any], said: str) -> None:
    """A slip in a name, and a share that leaves nothing, are errors at once."""
    with pytest.raises(SettingError, match=said):
        Parts(**options)


def test_instance_norm_of_single_places_is_refused_early() -> None:
    """On images of 8 pixels the last map is one place, and every value its own mean: said before training."""
    with pytest.raises(SettingError, match="the last map is 1 by 1"):
        resnet(3, 4, image_size=8, norm="instance")


@pytest.mark.parametrize("options", [
    {"norm": "group", "activation": "prelu", "separable": True, "drop_path": 0.1, "dropout": 0.1},
    {"norm": "layer_per_pixel", "activation": "rrelu", "spatial_dropout": 0.1, "whitening": "zca"},
])  # fmt: skip
def test_networks_of_other_parts_export(options: dict[str, Any]) -> None:
    """torch.export writes them for any number of images, and what it wrote says the same."""
    model = resnet(1, 4, image_size=16, width=16, **options).eval()
    many = {"images": {0: torch.export.Dim("n", min=1)}}
    program = torch.export.export(model, (torch.randn(2, 1, 16, 16),), dynamic_shapes=many)
    images = torch.randn(5, 1, 16, 16)
    torch.testing.assert_close(program.module()(images), model(images))
