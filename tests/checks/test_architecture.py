"""Facts about describing a network: what follows what, by looking at it once, without a trace."""

import pytest
import torch
from torch import Tensor, nn

from checks.standard import HEALTHY, Basic, Gated, lenet, vgg
from epochal.checks.architecture import Architecture, FlatHead, describe_architecture
from epochal.layers.dropout import SpatialDropout
from epochal.layers.scaling import initialize_
from epochal.optim.optimizer import build


def _seen(model: nn.Module, *, batch_size: int = 64, images: Tensor | None = None) -> Architecture:
    torch.manual_seed(0)
    images = torch.randn(4, 3, 32, 32) if images is None else images
    return describe_architecture(model, images, batch_size=batch_size)


@pytest.mark.parametrize("name", HEALTHY)
def test_a_network_is_left_as_it_was(name: str) -> None:
    """Weights, statistics, gradients, modes and random numbers are those of before, hooks are gone."""
    model = HEALTHY[name]().train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    torch.manual_seed(7)
    state = torch.get_rng_state()
    describe_architecture(model, torch.randn(2, 3, 32, 32, generator=torch.Generator()), batch_size=8)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(each.training for each in model.modules())
    assert all(
        each.grad is None and each.requires_grad == (each is not _frozen(model, each)) for each in model.parameters()
    )
    assert not any(each._forward_hooks for each in model.modules())


def _frozen(model: nn.Module, weight: nn.Parameter) -> nn.Parameter | None:
    """The weight itself where its network was made with it frozen."""
    return weight if not weight.requires_grad and "epochal" in type(model).__module__ else None


def test_every_weight_is_counted() -> None:
    """Parameters are those of torch's own list."""
    model = vgg()
    assert _seen(model).parameters == sum(each.numel() for each in model.parameters())


def test_layers_on_activations_are_seen_through_pools_and_flattening() -> None:
    """LeNet's two sigmoids are hidden; its convolutions and the layer behind its last map are as written."""
    seen = _seen(lenet())
    assert (seen.sigmoids, seen.tanhs) == (("1", "4"), ())
    assert [(each.name, each.window, each.weights, each.first) for each in seen.kernels] == [
        ("0", (5, 5), 450, True),
        ("3", (5, 5), 2400, False),
    ]
    assert seen.head == FlatHead(name="7", weights=48_000, channels=16, places=(5, 5))


def test_gates_and_last_activations_are_not_hidden() -> None:
    """A sigmoid that multiplies, and one that answers, stand between no layers with weights."""
    model = nn.Sequential(nn.Conv2d(3, 8, 1), Gated(8), nn.Conv2d(8, 1, 1), nn.Sigmoid())
    assert _seen(model).sigmoids == ()


def test_an_activation_used_many_times_counts_each_time() -> None:
    """One module may stand for many layers."""
    tanh = nn.Tanh()
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 8), tanh, nn.Linear(8, 8), tanh, nn.Linear(8, 8))
    assert len(_seen(model).tanhs) == 2


def test_activations_behind_a_normalisation_are_left_out() -> None:
    """Normalised inputs keep an activation from saturating, pooled or not."""
    model = nn.Sequential(
        *(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Tanh()),
        *(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.MaxPool2d(2), nn.Tanh(), nn.Conv2d(4, 4, 1)),
    )
    assert _seen(model).tanhs == ()


def test_a_pooled_map_is_no_flat_head() -> None:
    """One value a channel is left, by a layer or by a function."""

    class Averaged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 2)

        def forward(self, x: Tensor) -> Tensor:
            answer: Tensor = self.head(self.conv(x).mean((2, 3)))
            return answer

    assert _seen(Averaged()).head is None
    assert _seen(vgg()).head is None


def test_pixels_straight_into_a_linear_layer_are_no_flat_head() -> None:
    """Without a convolution before it, there is nothing to pool."""
    assert _seen(nn.Sequential(nn.Identity(), nn.Flatten(), nn.Linear(3072, 10))).head is None


@pytest.mark.parametrize("functional", [False, True])
def test_flattening_is_seen_in_any_layout(*, functional: bool) -> None:
    """Also where the map lies channels last and is copied to be flattened."""

    class Flattened(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(7200, 2)

        def forward(self, x: Tensor) -> Tensor:
            maps = torch.relu(self.conv(x)) if functional else self.conv(x)
            answer: Tensor = self.head(maps.flatten(1))
            return answer

    images = torch.randn(1, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    seen = _seen(Flattened().to(memory_format=torch.channels_last), images=images)  # type: ignore[call-overload]
    assert seen.head == FlatHead(name="head", weights=14_400, channels=8, places=(30, 30))


def test_biases_that_a_normalisation_removes() -> None:
    """Right before it or with a maximum between: not before a norm over groups, nor behind an activation."""
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True)),
        *(nn.Conv2d(8, 8, 3), nn.MaxPool2d(2), nn.InstanceNorm2d(8)),
        *(nn.Conv2d(8, 8, 3), nn.ReLU(inplace=True), nn.BatchNorm2d(8)),
        *(nn.Conv2d(8, 8, 3), nn.GroupNorm(2, 8), nn.Conv2d(8, 8, 3, bias=False), nn.BatchNorm2d(8)),
    )
    assert _seen(model).wasted_biases == (("0", "1"), ("3", "5"))


def test_a_removed_bias_changes_nothing() -> None:
    """The outputs of training are the same without each bias that is called wasted."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.MaxPool2d(2), nn.BatchNorm2d(8)).double().train()
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    ((layer, _),) = _seen(model, images=images).wasted_biases
    before = model(images)
    bias = model.get_submodule(layer).bias
    assert isinstance(bias, Tensor)
    nn.init.zeros_(bias)
    torch.testing.assert_close(model(images), before)


def test_dropouts_before_norms_are_named_with_their_kind() -> None:
    """Those of whole channels are told apart."""
    model = nn.Sequential(nn.Dropout(0.1), SpatialDropout(0.1), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    seen = _seen(model)
    assert (seen.dropout_first, seen.channel_dropouts) == ((("3", "1"),), ("1",))


def test_frozen_statistics_are_no_statistics_of_the_batch() -> None:
    """A layer that is kept in evaluation while the rest trains uses what it once learnt."""
    model = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    model[0].eval()
    assert _seen(model).norms_over_batch == ("2",)


@pytest.mark.parametrize("kind", [nn.ReLU, nn.Sigmoid, nn.Tanh])
def test_zeros_stay_alike(kind: type[nn.Module]) -> None:
    """Whatever the activation, units that begin at zero before another layer of zeros stay copies."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 8), kind(), nn.Linear(8, 4))
    with pytest.warns(UserWarning, match="zero"):
        initialize_(model, "zeros")
    assert dict(_seen(model).alike)["1"] == 7


def test_equal_weights_stay_alike() -> None:
    """Constants other than zero are no better."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 8), nn.ReLU(), nn.Linear(8, 4))
    for weight in model.parameters():
        nn.init.constant_(weight, 0.01)
    assert dict(_seen(model).alike)["1"] == 7


def test_zeros_at_the_end_part() -> None:
    """A head of zeros and a residual branch that ends in zeros are told apart by what lies behind and before."""
    model = nn.Sequential(Basic(3, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    block, head = model[0], model[3]
    assert isinstance(block, Basic)
    assert isinstance(head, nn.Linear)
    nn.init.zeros_(block.conv2.weight)
    nn.init.ones_(block.norm2.weight)
    nn.init.zeros_(head.weight)
    assert _seen(model).alike == ()


def test_what_decays_is_read_from_the_optimizer() -> None:
    """One group of all pulls norms and biases, two groups pull weights alone."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.PReLU())
    images = torch.randn(1, 3, 4, 4)
    one = torch.optim.AdamW(model.parameters())
    seen = describe_architecture(model, images, batch_size=64, optimizer=one)
    assert seen.decayed == ("0.bias", "1.weight", "1.bias", "2.weight")
    two = build(model, lr=0.1, weight_decay=0.1)
    assert describe_architecture(model, images, batch_size=64, optimizer=two).decayed == ()


def test_a_network_without_layers_of_its_own_is_described() -> None:
    """Functions alone leave nothing to say."""

    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((2, 3))

    assert _seen(Mean()) == Architecture(batch_size=64, parameters=0)


def test_an_answer_without_gradient_is_described() -> None:
    """Zeros that nothing reaches are copies for ever."""

    class Detached(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002  torch's own name
            return super().forward(input.flatten(1)).detach()

    model = Detached(3072, 4)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    assert dict(_seen(model).alike) == {"": 3}


def test_weights_computed_from_others_are_passed_over() -> None:
    """A parametrised layer has no plain weights to compare."""
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(3072, 4))
    assert _seen(nn.Sequential(nn.Flatten(), layer)).alike == ()
