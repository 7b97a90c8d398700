import copy
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from epochal.errors import SettingError
from epochal.models.decoder import DECODERS
from epochal.models.encoder_decoder import EncoderDecoder, encoder_decoder, fit_stem_, padded
from epochal.models.head import find, log_prior, set_prior_bias_
from epochal.models.networks import build

HEADS = sorted(DECODERS)
SIZES = [(32, 32), (33, 47), (48, 64), (61, 40), (96, 128)]


def network(head: str, *, classes: int = 5, image_size: int = 64) -> EncoderDecoder:
    torch.manual_seed(0)
    return encoder_decoder(3, classes, image_size=image_size, width=8, head=head)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("size", SIZES)
def test_every_head_answers_for_every_pixel(head: str, size: tuple[int, int]) -> None:
    """Images of any size from 32 pixels up get logits of that size, odd sides included."""
    assert network(head, image_size=max(size)).eval()(torch.randn(2, 3, *size)).shape == (2, 5, *size)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("image_size", [32, 64, 128, 256])
def test_one_small_image_trains(head: str, image_size: int) -> None:
    """A single image of the least size trains, whatever the size the network was made for: no map is too small."""
    model = network(head, image_size=image_size).train()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dilations wider than the map
        out = model(torch.randn(1, 3, 32, 32))
    torch.autograd.backward(out.square().mean())
    assert out.isfinite().all()


@pytest.mark.parametrize("head", HEADS)
def test_gradients_reach_every_trained_parameter(head: str) -> None:
    """One backward pass reaches all but the frozen stem and the scales of the encoder's norms."""
    model = network(head)
    labels = torch.arange(2 * 64 * 64).view(2, 64, 64) % 5
    torch.autograd.backward(nn.functional.cross_entropy(model(torch.randn(2, 3, 64, 64)), labels))
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert name == "encoder.stem.weight" or (name.startswith("encoder.levels") and parameter.ndim == 1), name
        else:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("head", HEADS)
def test_first_answer_is_the_prior(head: str) -> None:
    """With the prior in the last layer's bias, the first loss is nearly the entropy of the classes (K2.4, K2.5)."""
    model = network(head, classes=3)
    assert find(model) is model.head
    set_prior_bias_(model, [700, 200, 100])
    said = model(torch.randn(2, 3, 64, 64)).log_softmax(1).mean((0, 2, 3))
    torch.testing.assert_close(said, log_prior([700, 200, 100]), atol=0.15, rtol=0)


@pytest.mark.parametrize("head", HEADS)
def test_bfloat16_and_channels_last_change_rounding_alone(head: str) -> None:
    """Under autocast in channels_last the logits are float32 and contiguous, and differ by bfloat16's rounding."""
    model = network(head).eval()
    images = torch.randn(2, 3, 64, 64)
    plain = model(images)
    fast = copy.deepcopy(model).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
    with torch.autocast("cpu", torch.bfloat16):
        out = fast(images.contiguous(memory_format=torch.channels_last))
    assert out.dtype is torch.float32
    assert out.is_contiguous()
    assert (out - plain).abs().max() < 0.05 * plain.abs().max()


@pytest.mark.parametrize("head", HEADS)
def test_maps_stay_channels_last(head: str) -> None:
    """What a convolution hands on lies channels_last from the first layer to the last, in training too."""
    model = network(head).to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
    strays: list[str] = []

    def note(layer: nn.Module, _: object, out: torch.Tensor) -> None:
        if out.shape[2] * out.shape[3] > 1 and not out.is_contiguous(memory_format=torch.channels_last):
            strays.append(names[layer])

    names = {layer: name for name, layer in model.named_modules()}
    for layer in names:
        if isinstance(layer, nn.Conv2d | nn.BatchNorm2d):
            layer.register_forward_hook(note)
    model(torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last))
    assert not strays


def test_neighbours_do_not_matter_in_use() -> None:
    """In evaluation an image's logits do not depend on the other images of the batch."""
    model = network("fpn").eval()
    images = torch.randn(3, 3, 64, 64)
    torch.testing.assert_close(model(images)[:1], model(images[:1]), rtol=1e-4, atol=1e-5)


def test_padding_repeats_the_border_and_leaves_whole_sizes_alone() -> None:
    """Rows and columns are repeated below and to the right; images of whole strides pass as they are."""
    images = torch.randn(1, 2, 33, 64)
    out = padded(images, 32)
    assert out.shape == (1, 2, 64, 64)
    assert torch.equal(out[:, :, :33], images)
    assert torch.equal(out[:, :, 33:], images[:, :, -1:].expand(-1, -1, 31, -1))
    assert padded(out, 32) is out


def test_a_place_answers_where_it_is() -> None:
    """A change in one corner of the image moves the logits there and leaves far corners of a skip decoder nearly so."""
    model = network("none", image_size=256).eval()
    images = torch.randn(1, 3, 128, 256)
    changed = images.clone()
    changed[:, :, :8, :8] += 3
    moved = (model(changed) - model(images)).abs().amax(1)[0]
    assert moved[:16, :16].max() > 20 * moved[-32:, -32:].max()


@pytest.mark.parametrize("head", HEADS)
def test_network_learns_a_scene_by_heart(head: str) -> None:
    """Eighty steps fit the masks of two images of coloured quarters: capacity and gradients are sound (K2.8)."""
    torch.manual_seed(0)
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    labels[0, :32], labels[1, :, :32], labels[:, 40:, 40:] = 1, 2, 3
    images = labels[:, None] * torch.tensor([0.3, -0.2, 0.1])[:, None, None] + 0.1 * torch.randn(2, 3, 64, 64)
    model = network(head, classes=4)
    fit_stem_(model, images)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(model(images), labels))
        optimizer.step()
    assert (model(images).argmax(1) == labels).double().mean() > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_export_gives_the_same_logits(head: str, tmp_path: Path) -> None:
    """A network that went through torch.export and a file answers as before, for any batch size."""
    model = network(head).eval()
    images = torch.randn(2, 3, 64, 96)
    program = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2").module()
    more = torch.randn(5, 3, 64, 96)
    torch.testing.assert_close(loaded(more), model(more), rtol=1e-4, atol=1e-5)


def test_an_unknown_head_names_the_nearest() -> None:
    """A misspelt head is refused with the one that was probably meant."""
    with pytest.raises(SettingError, match="did you mean aspp") as caught:
        encoder_decoder(3, 2, image_size=64, head="apss")
    assert "fpn, ppm, aspp, pan, spp, none" in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"norm": "group"}, {"norm": "layer_per_pixel"}, {"activation": "leaky_relu"}, {"initialization": "he"},
        {"initialization": "data-dependent"}, {"dropout": 0.5}, {"spatial_dropout": 0.2}, {"drop_path": 0.2},
        {"separable": True}, {"pool": "late"}, {"depth": 2},
    ],
)  # fmt: skip
@pytest.mark.parametrize("head", ["fpn", "aspp"])
def test_parts_are_chosen_by_name(head: str, options: dict[str, Any]) -> None:
    """With each part that a recipe names, one image passes in training and its gradient reaches the first level."""
    torch.manual_seed(0)
    model = encoder_decoder(3, 4, image_size=64, width=8, head=head, **options)
    images = torch.randn(2, 3, 64, 64)
    fit_stem_(model, images)
    torch.autograd.backward(model(images[:1]).square().mean())
    first = next(p for p in model.encoder.levels.parameters() if p.requires_grad and p.ndim > 1)
    assert first.grad is not None
    assert first.grad.isfinite().all()
    assert first.grad.abs().sum() > 0


@pytest.mark.parametrize("head", HEADS)
def test_instance_norm_is_refused_where_nothing_is_left_of_it(head: str) -> None:
    """Heads that pool to one place refuse it when they are made; the others train with it."""
    if head in {"ppm", "aspp", "pan"}:
        with pytest.raises(SettingError, match="What to do: group"):
            encoder_decoder(3, 4, image_size=64, width=8, head=head, norm="instance")
    else:
        model = encoder_decoder(3, 4, image_size=64, width=8, head=head, norm="instance")
        assert model(torch.randn(1, 3, 64, 64)).isfinite().all()


@pytest.mark.parametrize("sizes", [{"image_size": 31}, {"width": 4}, {"width": 12}, {"depth": 0}])
def test_impossible_sizes_are_refused(sizes: dict[str, int]) -> None:
    """Images below 32 pixels, widths that are no multiple of 8, no depth: each is an error at once."""
    with pytest.raises(SettingError):
        build("encoder-decoder", 3, 10, **({"image_size": 64} | sizes))
