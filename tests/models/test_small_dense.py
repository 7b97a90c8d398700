import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.models.cost import cost
from epochal.models.encoder_decoder import encoder_decoder
from epochal.models.head import find
from epochal.models.small_dense import SmallDenseNet, small_dense_net


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (50, 64), (61, 35)])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_gets_an_answer(size: tuple[int, int], channels: int) -> None:
    """Logits have the image's size, odd sides included, for one image in training too."""
    assert small_dense_net(channels, 4, image_size=64)(torch.randn(1, channels, *size)).shape == (1, 4, *size)


def test_last_layer_makes_the_logits() -> None:
    """The layer that a prior is written into is the one that makes the logits."""
    model = small_dense_net(3, 7, image_size=64)
    assert find(model) is model.head
    assert model.head.out_channels == 7


def test_every_parameter_learns() -> None:
    """One backward pass reaches every parameter."""
    torch.manual_seed(0)
    model = SmallDenseNet(3, 4, width=8)
    labels = torch.arange(2 * 40 * 40).view(2, 40, 40) % 4
    torch.autograd.backward(nn.functional.cross_entropy(model(torch.randn(2, 3, 40, 40)), labels))
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_view_is_as_wide_as_stated() -> None:
    """A bright pixel is seen by the places whose 34 x 34 pixels hold it, and by no other."""
    model = SmallDenseNet(1, 2, width=4).eval()
    for weight in model.parameters():
        torch.nn.init.constant_(weight, 0.1)
    dark = torch.zeros(1, 1, 96, 96)
    bright = dark.clone()
    bright[:, :, 48, 48] = 1  # positive weights: whatever it reaches becomes brighter
    with torch.no_grad():
        moved = (model.body(bright) > model.body(dark)).any(1)[0].nonzero()
    near, far = 4 * moved.min().item(), 4 * moved.max().item() + 4  # the places that see pixel 48, in pixels
    assert near >= 48 - 33
    assert far <= 48 + 34
    assert far - near in {32, 36}  # 34 rounded to whole places


def test_it_is_a_small_part_of_the_network_to_come() -> None:
    """A baseline costs less than a sixth of the encoder-decoder's operations."""
    shape = (3, 192, 256)
    small = cost(small_dense_net(3, 11, image_size=256), shape).forward_flops
    assert 6 * small < cost(encoder_decoder(3, 11, image_size=256), shape).forward_flops


@pytest.mark.parametrize("sizes", [{"image_size": 31}, {"width": 0}, {"classes": 0}])
def test_impossible_sizes_are_refused(sizes: dict[str, int]) -> None:
    """Images below 32 pixels, no width, no class: each is an error at once."""
    with pytest.raises(SettingError):
        small_dense_net(3, **({"classes": 2, "image_size": 64} | sizes))
