"""A trained network in a new place sees its pictures as it did, gets a new head, and keeps still where it is frozen."""

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.models.adapted import FEATURES, MOST_FEATURES, Adapted, Sight, hold_frozen_
from epochal.models.finetuning import freeze_
from epochal.models.head import find
from epochal.models.resnet import resnet
from epochal.models.simple import SmallConvNet

COLOUR = Sight(side=32, mean=(0.49, 0.48, 0.45), std=(0.25, 0.24, 0.26))
GREY = Sight(side=32, mean=(0.4,), std=(0.2,))


def _adapted(sight: Sight = COLOUR, *, channels_in: int = 3, outputs: int = 4, cut: str = "") -> Adapted:
    torch.manual_seed(0)
    network = resnet(sight.channels, 10, image_size=sight.side, width=8)
    return Adapted(network, sight=sight, channels_in=channels_in, outputs=outputs, cut=cut)


def _normalised(pixels: torch.Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> torch.Tensor:
    return (pixels - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)


def test_pictures_are_seen_as_in_training() -> None:
    """However the new pictures are normalised, the network gets the pixels normalised as its own were."""
    model, pixels = _adapted(), torch.rand(2, 3, 32, 32)
    model.rescale_((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    seen = model.seen(_normalised(pixels, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)))
    torch.testing.assert_close(seen, _normalised(pixels, COLOUR.mean, COLOUR.std), rtol=1e-4, atol=1e-5)


def test_grey_pictures_become_colour() -> None:
    """A network for colour sees a grey picture as the same picture with three equal channels."""
    model, pixels = _adapted(channels_in=1), torch.rand(2, 1, 32, 32)
    model.rescale_((0.3,), (0.4,))
    expected = _normalised(pixels.expand(-1, 3, -1, -1), COLOUR.mean, COLOUR.std)
    torch.testing.assert_close(model.seen(_normalised(pixels, (0.3,), (0.4,))), expected, rtol=1e-4, atol=1e-5)


def test_colour_pictures_become_grey() -> None:
    """A network for grey pictures sees the luminance, weighted as Pillow weighs it."""
    model, pixels = _adapted(GREY), torch.rand(2, 3, 32, 32)
    model.rescale_((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    luma = (pixels * torch.tensor([0.299, 0.587, 0.114]).view(-1, 1, 1)).sum(1, keepdim=True)
    seen = model.seen(_normalised(pixels, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)))
    torch.testing.assert_close(seen, _normalised(luma, GREY.mean, GREY.std), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [8, 32, 50])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_any_size_are_taken(size: int, channels: int) -> None:
    """Smaller and larger pictures are brought to the side that the network knows; those of that side are untouched."""
    model = _adapted(channels_in=channels).eval()
    images = torch.randn(2, channels, size, size)
    assert model.seen(images).shape == (2, 3, 32, 32)
    assert model(images).shape == (2, 4)


def test_features_are_what_the_head_reads() -> None:
    """The head applied to the last features gives the outputs; each stage gives at most as many numbers as said."""
    model = _adapted().eval()
    nn.init.normal_(model.head.weight)
    images = torch.randn(3, 3, 32, 32)
    features = model.features(images)
    torch.testing.assert_close(model.head(features[FEATURES]), model(images))
    assert [*features] == [*(stage.name for stage in model.anatomy.stages), FEATURES]
    assert all(values.shape[1] <= MOST_FEATURES for values in features.values())


def test_the_new_head_says_nothing_yet() -> None:
    """The first outputs are zero, whatever the image, and the head is found as the last layer."""
    model = _adapted().eval()
    assert find(model) is model.head
    assert not model(torch.randn(2, 3, 32, 32)).any()


@pytest.mark.parametrize("stage", ["rectify", "stages.1", "stages.3"])
def test_a_cut_network_reads_the_stage(stage: str) -> None:
    """Cut at a stage, the head reads exactly the features of that stage, and what lies behind is left out."""
    whole, images = _adapted().eval(), torch.randn(2, 3, 32, 32)
    cut = _adapted(cut=stage).eval()
    cut.load_state_dict({k: v for k, v in whole.state_dict().items() if k in cut.state_dict()}, strict=False)
    nn.init.normal_(cut.head.weight)
    torch.testing.assert_close(cut(images), cut.head(whole.features(images)[stage]))
    torch.testing.assert_close(cut.features(images)[FEATURES], whole.features(images)[stage])
    assert find(cut) is cut.head
    assert sum(p.numel() for p in cut.parameters()) < sum(p.numel() for p in whole.parameters())


def test_frozen_norms_keep_their_statistics() -> None:
    """The trap: steps of training leave the statistics of frozen norms alone, and move those that learn."""
    model = _adapted()
    freeze_(model, upto=3)
    model.train()
    before = {name: value.clone() for name, value in model.named_buffers() if name.endswith("running_mean")}
    model(torch.randn(8, 3, 32, 32) + 2).sum().backward()
    moved = {name for name, value in model.named_buffers() if name in before and not torch.equal(value, before[name])}
    assert moved
    assert all(model.depth(name.replace("running_mean", "bias")) >= 3 for name in moved)


def test_frozen_features_are_the_same_while_training() -> None:
    """In training mode the frozen part gives what it gives in evaluation mode, dropout included."""
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(0.5), nn.Flatten(), nn.Linear(288, 2))
    frozen = nn.Sequential(network[0], network[1], network[2])
    model = nn.Sequential(frozen, network[3], network[4])
    frozen.requires_grad_(requires_grad=False)
    model.train()
    hold_frozen_(model)
    images = torch.randn(4, 3, 8, 8)
    assert torch.equal(frozen(images), frozen(images))
    assert model[2].training


def test_evaluation_mode_holds_everywhere() -> None:
    """Evaluation mode is that of every module, frozen or not."""
    model = _adapted()
    freeze_(model, upto=2)
    assert not any(module.training for module in model.train().eval().modules())


def test_weights_survive_the_round_trip() -> None:
    """The state of an adapted network, its scaling included, makes another one equal."""
    one, other = _adapted(channels_in=1), _adapted(channels_in=1)
    one.rescale_((0.2,), (0.3,))
    nn.init.normal_(one.head.weight)
    other.load_state_dict(one.state_dict())
    images = torch.randn(2, 1, 20, 20)
    assert torch.equal(one.eval()(images), other.eval()(images))


@pytest.mark.parametrize("cut", ["", "stages.1"])
def test_an_adapted_network_can_be_exported(cut: str) -> None:
    """torch.export keeps the outputs for any batch size, whole or cut: a pass that ends early is no obstacle."""
    model = _adapted(channels_in=1, cut=cut).eval()
    nn.init.normal_(model.head.weight)
    example = torch.randn(2, 1, 24, 24)
    program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim("n", min=1)},))
    images = torch.randn(5, 1, 24, 24)
    torch.testing.assert_close(program.module()(images), model(images), rtol=1e-4, atol=1e-5)


def test_sizes_that_cannot_work_are_refused() -> None:
    """Two channels, scales of another number of channels, and a head that is no linear layer are told."""
    with pytest.raises(SettingError, match="2 channels"):
        _adapted(channels_in=2)
    with pytest.raises(SettingError, match="1 means"):
        _adapted().rescale_((0.5,), (0.5,))
    convolutional = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.Flatten())
    with pytest.raises(SettingError, match="last layer"):
        Adapted(convolutional, sight=COLOUR, channels_in=3, outputs=2)


def test_small_network_is_adapted_too() -> None:
    """The baseline's network can be begun from as well."""
    network = SmallConvNet(channels_in=3, classes=10, image_size=32)
    model = Adapted(network, sight=COLOUR, channels_in=3, outputs=2, cut="body.8")
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 2)
