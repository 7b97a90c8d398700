"""Conversion of all normalisations of a model (L1, S14): what is kept, what is refused and why."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from epochal.errors import SettingError
from epochal.layers.norm_conversion import NormConversion, convert_normalization
from epochal.layers.normalization import NORMS, BatchNorm2d, GroupNorm, LayerNormPerPixel


class FrozenNorm(nn.BatchNorm2d):
    """A subclass that does something else."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002
        """Not what its parent does."""
        return input * self.weight[:, None, None]


class Tuned(nn.BatchNorm2d):
    """A subclass that only begins otherwise."""


def _model(norm: Callable[[], nn.Module] = lambda: nn.BatchNorm2d(8, eps=1e-3)) -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), norm(), nn.ReLU(), nn.Sequential(nn.Conv2d(8, 8, 3), norm()))
    for name, p in model.named_parameters():
        if p.ndim == 1 and "0" not in name:
            nn.init.normal_(p)
    return model


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize(
    "norm", [lambda: nn.BatchNorm2d(8, eps=1e-3), lambda: nn.GroupNorm(4, 8, eps=1e-3),
             lambda: nn.InstanceNorm2d(8, eps=1e-3, affine=True), lambda: LayerNormPerPixel(8, eps=1e-3)],
)  # fmt: skip
def test_every_kind_becomes_every_other(norm: Callable[[], nn.Module], name: str) -> None:
    """The new layer computes the new kind with the old scale, bias and eps; the parameters are the very same."""
    model = _model(norm)
    held = dict(model.named_parameters())
    scale, bias = held["1.weight"], held["1.bias"]
    done = convert_normalization(model, name)
    assert (done.model, done.refused) == (model, {})
    assert len(done.converted) + len(done.unchanged) == 2
    assert all(p is held[k] for k, p in model.named_parameters())
    x = torch.randn(4, 8, 5, 5)
    axes = {"batch": (0, 2, 3), "layer": (1, 2, 3), "layer_per_pixel": (1,), "instance": (2, 3)}
    parts, over = (x.view(4, 4, 2, 5, 5), (2, 3, 4)) if name == "group" else (x, axes[name])
    mean, var = parts.mean(over, keepdim=True), parts.var(over, keepdim=True, correction=0)
    expected = ((parts - mean) / (var + 1e-3).sqrt()).view_as(x) * scale[:, None, None] + bias[:, None, None]
    torch.testing.assert_close(model[1](x), expected, rtol=1e-4, atol=1e-4)


def test_an_optimizer_goes_on_working() -> None:
    """An optimizer that was made before the conversion moves the converted network's scales."""
    model = _model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    convert_normalization(model, "group")
    before = model.get_parameter("1.weight").detach().clone()
    model(torch.randn(2, 3, 8, 8)).square().sum().backward()
    optimizer.step()
    assert not torch.equal(model.get_parameter("1.weight"), before)


def test_running_statistics_are_told_to_be_dropped() -> None:
    """Batch normalisation's running statistics have no place in the others: outputs change, and it is said."""
    done = convert_normalization(_model(), "group")
    assert (done.dropped, done.exact) == (("1", "3.1"), False)
    assert not any("running" in key for key in done.model.state_dict())


def test_instance_norm_becomes_fast_without_change() -> None:
    """nn.InstanceNorm2d becomes group normalisation with equal outputs, and is called exact."""
    model, x = _model(lambda: nn.InstanceNorm2d(8, affine=True)), torch.randn(2, 3, 9, 9)
    expected = model(x)
    done = convert_normalization(model, "instance", example=x)
    assert done.exact
    assert isinstance(model[1], GroupNorm)
    torch.testing.assert_close(model(x), expected)


def test_what_is_right_already_stays() -> None:
    """Layers of the kind asked for are left alone, and counted as such; once converted, nothing is left to do."""
    model = _model()
    assert convert_normalization(model, "batch").unchanged == ("1", "3.1")
    convert_normalization(model, "group")
    again = convert_normalization(model, "group")
    assert (again.converted, again.unchanged, again.exact) == ((), ("1", "3.1"), True)


def test_a_shared_layer_becomes_one_shared_layer() -> None:
    """A normalisation used in two places is converted once and stays shared."""
    shared = nn.BatchNorm2d(4)
    model = nn.Sequential(shared, nn.Conv2d(4, 4, 1), nn.Sequential(shared))
    done = convert_normalization(model, "group")
    assert done.converted == ("0",)
    assert model[0] is model.get_submodule("2.0")
    assert isinstance(model[0], GroupNorm)


def test_a_model_that_is_one_layer() -> None:
    """A bare normalisation cannot be replaced in place, so the new one is returned."""
    done = convert_normalization(nn.BatchNorm2d(4), "layer")
    assert isinstance(done.model, GroupNorm)


def test_settings_travel() -> None:
    """Mode, dtype, frozen parameters and absent ones are as they were."""
    model = nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.BatchNorm2d(4)).double()
    model[0].eval()
    model[2].requires_grad_(requires_grad=False)
    convert_normalization(model, "group")
    assert [layer.training for layer in model] == [False, True, True]
    assert [each.dtype for each in model.parameters()] == [torch.float64] * 4
    assert [each.requires_grad for each in model.parameters()] == [True, True, False, False]
    assert dict(model[1].named_parameters()) == {}
    back = convert_normalization(model, "batch").model
    assert back.get_buffer("0.running_mean").dtype == torch.float64


def test_state_dict_round_trip() -> None:
    """What a converted model saves, another converted model loads."""
    one, other = (convert_normalization(_model(), "group").model for _ in range(2))
    nn.init.normal_(one.get_parameter("1.weight"))
    other.load_state_dict(one.state_dict())
    x = torch.randn(1, 3, 8, 8)
    torch.testing.assert_close(one(x), other(x))


def test_synchronised_batch_norm_keeps_its_statistics() -> None:
    """SyncBatchNorm becomes BatchNorm2d with the same running statistics and momentum."""
    layer = nn.SyncBatchNorm(4, momentum=0.3)
    assert layer.running_mean is not None
    layer.running_mean.fill_(2.0)
    new = convert_normalization(nn.Sequential(layer), "batch").model[0]  # type: ignore[index]
    assert isinstance(new, BatchNorm2d)
    assert new.running_mean is not None
    assert (new.running_mean.tolist(), new.momentum) == ([2.0] * 4, 0.3)


def _reason(layer: nn.Module, name: str = "group", **more: object) -> str:
    done: NormConversion = convert_normalization(nn.Sequential(layer), name, **more)  # type: ignore[arg-type]
    assert done.converted == ()
    assert done.model[0] is layer  # type: ignore[index]
    return done.refused["0"]


def test_refusals() -> None:
    """What cannot be kept is refused with its reason, and left as it was."""
    assert "scale for each element" in _reason(nn.LayerNorm((4, 3, 3)))
    assert "last axis" in _reason(nn.LayerNorm(4))
    assert "more than normalise" in _reason(FrozenNorm(4))
    assert "lazy" in _reason(nn.LazyBatchNorm2d())
    assert "computed from others" in _reason(weight_norm(nn.GroupNorm(1, 4)))
    assert "groups do not divide" in _reason(nn.BatchNorm2d(6), groups=4)
    assert "vectors" in _reason(nn.BatchNorm1d(4), "instance")
    hooked = nn.BatchNorm2d(4)
    hooked.register_forward_hook(lambda *_: None)
    assert "hooks" in _reason(hooked)


def test_an_example_shows_small_maps() -> None:
    """A map of one place is found out by an example: instance normalisation of it would give zeros."""
    x = torch.randn(2, 4, 1, 1)
    assert "one value" in _reason(nn.BatchNorm2d(4), "instance", example=x)
    assert "one value" in _reason(nn.BatchNorm1d(4), "instance", example=x.flatten(1))
    assert convert_normalization(nn.Sequential(nn.BatchNorm2d(4)), "group", example=x).converted == ("0",)
    sequences = torch.randn(2, 4, 5)
    assert convert_normalization(nn.Sequential(nn.BatchNorm1d(4)), "instance", example=sequences).converted == ("0",)
    assert "maps (n, c, h, w)" in _reason(nn.GroupNorm(2, 4), "batch", example=sequences)
    assert "no batch axis" in _reason(nn.InstanceNorm2d(4), example=torch.randn(4, 3, 3))


def test_harmless_subclasses_are_converted() -> None:
    """A subclass that does not change what is computed is converted like its parent."""
    assert convert_normalization(nn.Sequential(Tuned(4)), "group").converted == ("0",)


def test_example_leaves_no_trace() -> None:
    """Measuring shapes changes neither mode nor buffers nor hooks."""
    model = _model()
    twin = copy.deepcopy(model)
    convert_normalization(model, "batch", example=torch.randn(2, 3, 8, 8))
    assert all(torch.equal(a, b) for a, b in zip(model.buffers(), twin.buffers(), strict=True))
    assert all(layer.training and not layer._forward_pre_hooks for layer in model.modules())


@pytest.mark.parametrize(("name", "groups"), [("batchnorm", None), ("batch", 4)])
def test_impossible_wishes_are_refused(name: str, groups: int | None) -> None:
    """Unknown names, and groups for kinds without, are errors before anything is changed."""
    with pytest.raises(SettingError):
        convert_normalization(_model(), name, groups=groups)
