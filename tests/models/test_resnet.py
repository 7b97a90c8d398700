from typing import Any

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.models.cost import cost
from epochal.models.parts import Norm
from epochal.models.resnet import Residual, Unit, fit_stem_, resnet, shape_for
from epochal.optim.optimizer import build


@pytest.mark.parametrize("size", [8, 9, 12, 16, 28, 32, 48, 64, 65, 96, 224])
@pytest.mark.parametrize("channels", [1, 3])
def test_network_takes_every_size(size: int, channels: int) -> None:
    """Images of 8 to 224 pixels, grey or coloured, become logits, alone or in a batch."""
    model = resnet(channels, 5, image_size=size, width=8).eval()
    assert model(torch.randn(1, channels, size, size)).shape == (1, 5)


def test_maps_end_neither_too_small_nor_too_large() -> None:
    """For every size from 8 to 512 pixels at least one place is left at the end, and at most 7 by 7."""
    for size in range(8, 513):
        shape = shape_for(3, 10, image_size=size)
        side = (size - shape.stem_kernel) // shape.stem_stride + 1
        for _ in shape.widths:
            side //= 2
        assert 1 <= side <= 7, size


def test_width_and_depth_cost_what_they_say() -> None:
    """Twice the width is nearly four times the operations; a second convolution in each block adds some."""
    narrow, wide = (cost(resnet(3, 10, image_size=32, width=w), (3, 32, 32)).forward_flops for w in (64, 128))
    assert 3.5 < wide / narrow < 4
    deep = cost(resnet(3, 10, image_size=32, depth=2), (3, 32, 32)).forward_flops
    assert narrow < deep < 2 * narrow


def test_signal_survives_the_depth() -> None:
    """At the start no stage's output vanishes or explodes: spreads stay within a factor of ten of one another."""
    torch.manual_seed(0)
    model = resnet(3, 10, image_size=32)
    images = torch.randn(64, 3, 32, 32)
    fit_stem_(model, images)
    x, spreads = model.rectify(model.stem(images)), []
    for stage in model.stages:
        x = stage(x)
        spreads.append(x.std().item())
    assert max(spreads) < 10 * min(spreads)


def test_all_but_the_frozen_parts_learn() -> None:
    """One backward pass reaches every parameter that is trained; the stem and the norms' scales are not."""
    model = resnet(3, 4, image_size=16, width=8)
    torch.autograd.backward(nn.functional.cross_entropy(model(torch.randn(8, 3, 16, 16)), torch.arange(8) % 4))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
        else:
            assert parameter.grad is None, name
            assert name == "stem.weight" or name.endswith((".1.weight", ".2.weight")), name


def test_residual_adds_to_its_input() -> None:
    """The block's output is its input plus what its units make of it."""
    unit = Unit(4, 4).eval()
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(Residual(unit).eval()(x), x + unit(x))


def test_pooling_first_changes_nothing_after_training() -> None:
    """With a scale of one, norm and ReLU are monotone: pooling before them equals pooling after them (L8)."""
    unit = Unit(3, 6, pool=True).eval()
    convolution, pool, norm, relu = unit
    assert isinstance(norm, Norm)
    assert norm.running_mean is not None
    norm.running_mean.normal_()
    norm.bias.data.normal_()
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(unit(x), pool(relu(norm(convolution(x)))))


def test_norm_has_no_scale_to_learn() -> None:
    """The scale stays one under an optimizer step, the bias moves."""
    norm = Norm(3)
    optimizer = build(norm, lr=0.1)
    torch.autograd.backward((norm(torch.randn(4, 3, 2, 2)) ** 3).sum())
    optimizer.step()
    assert torch.equal(norm.weight, torch.ones(3))
    assert norm.bias.abs().sum() > 0


def test_samples_do_not_see_one_another_in_use() -> None:
    """In evaluation a sample's logits do not depend on its neighbours."""
    torch.manual_seed(0)
    model = resnet(3, 4, image_size=16, width=8).eval()
    images = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(model(images)[:1], model(images[:1]), rtol=1e-4, atol=1e-5)


def test_network_learns_a_batch_by_heart() -> None:
    """Sixty steps fit 32 random labels: capacity and gradients are sound (K2.8)."""
    torch.manual_seed(0)
    images, labels = torch.randn(32, 1, 8, 8), torch.arange(32) % 4
    model = resnet(1, 4, image_size=8, width=16)
    fit_stem_(model, images)
    optimizer = build(model, lr=0.05, momentum=0.85, norm_bias_lr=64)
    for _ in range(60):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(model(images), labels))
        optimizer.step()
    assert (model(images).argmax(1) == labels).double().mean() > 0.95


@pytest.mark.parametrize("sizes", [{"image_size": 7}, {"width": 3}, {"width": 2}, {"depth": 0}])
def test_impossible_sizes_are_refused(sizes: dict[str, Any]) -> None:
    """Images of 7 pixels, odd or tiny widths, no depth: each is an error at once."""
    with pytest.raises(SettingError):
        resnet(3, 10, **({"image_size": 32} | sizes))
