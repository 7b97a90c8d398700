import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.models.simple import LinearClassifier, SmallConvNet


@pytest.mark.parametrize("size", [4, 8, 15, 16, 32, 65, 224])
@pytest.mark.parametrize("channels", [1, 3])
def test_networks_take_every_size(size: int, channels: int) -> None:
    """Images of 4 to 224 pixels, grey or coloured, become logits; one image alone too, once trained."""
    for kind in (LinearClassifier, SmallConvNet):
        model = kind(channels_in=channels, classes=7, image_size=size)
        assert model(torch.randn(2, channels, size, size)).shape == (2, 7)
        assert model.eval()(torch.randn(1, channels, size, size)).shape == (1, 7)


def test_linear_model_begins_without_an_opinion() -> None:
    """Its first outputs are zero whatever it sees: the prior in the bias is then the whole prediction."""
    model = LinearClassifier(channels_in=1, classes=3, image_size=4)
    assert torch.equal(model(torch.randn(5, 1, 4, 4)), torch.zeros(5, 3))


def test_every_parameter_of_the_small_network_learns() -> None:
    """One backward pass reaches each parameter."""
    model = SmallConvNet(channels_in=3, classes=4, image_size=16, width=8)
    torch.autograd.backward(nn.functional.cross_entropy(model(torch.randn(8, 3, 16, 16)), torch.arange(8) % 4))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("sizes", [{"channels_in": 0}, {"classes": 0}, {"image_size": 3}])
def test_impossible_sizes_are_refused(sizes: dict[str, int]) -> None:
    """No channels, no classes, images of 3 pixels: each is an error that names the numbers."""
    with pytest.raises(SettingError, match=str(next(iter(sizes.values())))):
        SmallConvNet(**({"channels_in": 3, "classes": 2, "image_size": 8} | sizes))
