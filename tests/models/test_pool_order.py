"""Pool before ReLU (L8): bit for bit the same, or refused with the reason."""

import copy
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from epochal.models.pool_order import pool_before_relu
from epochal.models.rewrite import differences

IMAGES = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def _sequence(*middle: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3), *middle, nn.Conv2d(8, 2, 1))


def _order(model: nn.Module) -> list[str]:
    assert isinstance(model, fx.GraphModule)
    calls = (node for node in model.graph.nodes if node.op == "call_module")
    return [type(model.get_submodule(str(node.target))).__name__ for node in calls]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "middle",
    [
        (nn.ReLU(), nn.MaxPool2d(2)),
        (nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, padding=1)),
        (nn.ReLU6(), nn.MaxPool2d(3, stride=1, dilation=2)),
        (nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(3, stride=2, ceil_mode=True)),
        (nn.ReLU(), nn.AdaptiveMaxPool2d(3)),
    ],
)
def test_outputs_and_gradients_are_the_same_bits(
    middle: tuple[nn.Module, ...], training: bool, memory_format: torch.memory_format
) -> None:
    """Written out with autograd, outputs and all gradients equal the original's bit for bit, in both modes."""
    model = copy.deepcopy(_sequence(*middle)).train(training)
    images = IMAGES.contiguous(memory_format=memory_format)
    done = pool_before_relu(model, images)
    assert (done.exact, done.refused, len(done.changed)) == (True, {}, 1)
    order = _order(done.model)
    assert order.index(type(middle[-1]).__name__) < order.index(type(middle[-2]).__name__)
    assert done.model.training == training
    results = []
    for each in (model, done.model):
        x = images.clone(memory_format=torch.preserve_format).requires_grad_()
        out = each(x)
        upstream = torch.sin(torch.arange(out.numel(), dtype=torch.float32)).view_as(out)
        results.append([out, *torch.autograd.grad(out, [x, *model.parameters()], upstream)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("rectifier", [nn.ReLU(), nn.ReLU6()])
def test_odd_numbers_are_the_same_bits(rectifier: nn.Module) -> None:
    """Ties, signed zeros, NaN, infinities, huge and subnormal numbers come out alike, and their gradients too."""
    odd = torch.tensor([0.0, -0.0, torch.nan, torch.inf, -torch.inf, 1e38, -1e38, 1e-42, -1e-42, 6.0, 7.0, 1.0, 1.0])
    g = torch.Generator().manual_seed(0)
    x = odd[torch.randint(len(odd), (8, 4, 12, 12), generator=g)]
    model = nn.Sequential(rectifier, nn.MaxPool2d(3, stride=2, padding=1))
    swapped = nn.Sequential(model[1], model[0])
    assert differences(model, swapped, images=x) == (0.0, 0.0)


def test_several_in_a_row_and_functions() -> None:
    """Functional forms and methods are found; of relu, pool, pool both poolings move up."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            x = F.max_pool2d(F.max_pool2d(F.relu(self.conv(x)), 2), 2)
            return torch.max_pool2d((x - 0.1).relu(), 2)

    done = pool_before_relu(Net(), IMAGES)
    assert len(done.changed) == 3
    assert isinstance(done.model, fx.GraphModule)
    called = [getattr(node.target, "__name__", node.target) for node in done.model.graph.nodes]
    assert called[2:] == ["max_pool2d", "max_pool2d", "relu", "sub", "max_pool2d", "relu", "output"]


def test_parameters_are_shared() -> None:
    """The rewritten network has the same state dict, the very same parameters, and trains with an old optimizer."""
    model = _sequence(nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
    new = pool_before_relu(model, IMAGES).model
    assert set(new.state_dict()) == set(model.state_dict())
    assert {id(p) for p in new.parameters()} == {id(p) for p in model.parameters()}
    statistics = model.get_buffer("1.running_mean").clone()
    pool_before_relu(model, IMAGES)
    assert torch.equal(model.get_buffer("1.running_mean"), statistics)


def test_modules_that_are_not_called_stay() -> None:
    """What the forward pass does not use (a head for another task) keeps its place in the state dict."""
    model = _sequence(nn.ReLU(), nn.MaxPool2d(2))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.spare = model, nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.body(x)
            return out

    net = Net()
    done = pool_before_relu(net, IMAGES)
    assert done.changed == ("body.2",)
    assert set(done.model.state_dict()) == set(net.state_dict())


class _Net(nn.Module):
    """A network with some layers and any forward pass."""

    conv: nn.Module
    relu: nn.Module
    pool: nn.Module
    other: nn.Module

    def __init__(self, call: Callable[["_Net", Tensor], Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.call = call
        usual = {"conv": nn.Conv2d(3, 4, 3), "relu": nn.ReLU(), "pool": nn.MaxPool2d(2), "other": nn.MaxPool2d(2)}
        for name, layer in {**usual, **layers}.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Do as told."""
        return self.call(self, x)


def _hooked(layer: nn.Module) -> nn.Module:
    layer.register_forward_hook(lambda *_: None)
    return layer


def _two_users(m: _Net, x: Tensor) -> Tensor:
    y = m.relu(m.conv(x))
    return m.pool(y).sum() + y.sum()  # type: ignore[no-any-return]


def _functional_indices(m: _Net, x: Tensor) -> Tensor:
    y: Tensor = m.relu(m.conv(x))
    return F.max_pool2d(y, 2, return_indices=True)[0]


def _alias(m: _Net, x: Tensor) -> Tensor:
    y = m.conv(x)
    return m.pool(m.relu(y)).sum() + y.sum()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (_sequence(nn.ReLU(), nn.AvgPool2d(2)), "averages"),
        (_sequence(nn.ReLU(), nn.LPPool2d(2, 2)), "averages"),
        (_Net(lambda m, x: m.pool(m.relu(m.conv(x)))[0], pool=nn.MaxPool2d(2, return_indices=True)), "indices"),
        (_Net(_functional_indices), "indices"),
        (_Net(_two_users), "another user"),
        (_Net(_alias, relu=nn.ReLU(inplace=True)), "in place"),
        (_Net(lambda m, x: m.pool(m.relu(x)), relu=nn.ReLU(inplace=True)), "in place"),
        (_Net(lambda m, x: m.pool(m.relu(m.conv(x))), relu=_hooked(nn.ReLU())), "hook hangs on its ReLU"),
        (_Net(lambda m, x: m.pool(m.relu(m.conv(x))), pool=_hooked(nn.MaxPool2d(2))), "hook hangs on its MaxPool"),
        (_Net(lambda m, x: m.relu(m.pool(m.relu(m.conv(x))))), "ReLU is used in 2 places"),
        (_sequence(nn.ReLU(), nn.Dropout(0.5), nn.MaxPool2d(2)), "Dropout stands between"),
        *[
            (_sequence(layer, nn.MaxPool2d(2)), "same bits")
            for layer in (nn.LeakyReLU(), nn.LeakyReLU(-0.1), nn.Sigmoid(), nn.Tanh(), nn.ELU(), nn.GELU(), nn.SiLU(),
                          nn.Hardswish(), nn.RReLU(), nn.Softplus())
        ],
    ],
)  # fmt: skip
def test_refusals(model: nn.Module, why: str) -> None:
    """Each reason not to swap is found, told, and leaves the very network that was given."""
    done = pool_before_relu(model, IMAGES)
    assert done.model is model
    assert done.changed == ()
    assert any(why in reason for reason in done.refused.values()), done.refused


class _Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        """Look at values, which a traced network cannot."""
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (_Branching(), "cannot be traced"),
        (_Net(lambda m, x: F.dropout(m.pool(m.relu(m.conv(x))), 0.5, training=m.training)), "different ways"),
        (_hooked(_sequence(nn.ReLU(), nn.MaxPool2d(2))), "whole network"),
    ],
)
def test_networks_that_cannot_be_traced(model: nn.Module, why: str) -> None:
    """Networks that look at values, take other ways in evaluation, or carry hooks come back with the reason."""
    done = pool_before_relu(model, IMAGES)
    assert done.model is model
    assert why in done.refused[""]


def test_nothing_to_do() -> None:
    """A network without a rectifier before a pooling comes back as it is, with nothing refused."""
    model = _sequence(nn.MaxPool2d(2), nn.ReLU())
    done = pool_before_relu(model, IMAGES)
    assert (done.model, done.changed, done.refused) == (model, (), {})


def test_the_pooling_comes_where_the_rectifier_was() -> None:
    """Where the rectifier's input is overwritten afterwards, the pooling must see it before that."""

    def forward(m: _Net, x: Tensor) -> Tensor:
        y = m.conv(x)
        z = m.relu(y)
        y += 1
        return m.pool(z) + m.other(y)  # type: ignore[no-any-return]

    model = _Net(forward)
    with torch.no_grad():
        expected = model(IMAGES)
        done = pool_before_relu(model, IMAGES)
        assert done.changed == ("pool",)
        assert torch.equal(done.model(IMAGES), expected)


def test_random_state_and_buffers_stay() -> None:
    """The proof draws no number from the user's generator."""
    model = _sequence(nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5))
    state = torch.get_rng_state()
    assert pool_before_relu(model, IMAGES).changed == ("2",)
    assert torch.equal(torch.get_rng_state(), state)
