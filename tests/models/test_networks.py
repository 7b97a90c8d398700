import pytest
import torch

from epochal.errors import SettingError
from epochal.models.encoder_decoder import EncoderDecoder
from epochal.models.networks import NETWORKS, build, fit_stem_
from epochal.models.resnet import ResNet
from epochal.models.simple import LinearClassifier

DENSE = {"small-dense", "encoder-decoder", "linear-pixels"}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_name_builds_a_network(name: str) -> None:
    """Each name makes a network whose outputs have the size asked for: per image, or per pixel."""
    out = build(name, 3, 5, image_size=32).eval()(torch.randn(2, 3, 32, 32))
    assert out.shape == ((2, 5, 32, 32) if name in DENSE else (2, 5))


def test_options_reach_the_builder() -> None:
    """An option changes the network as its builder says."""
    narrow, wide = (build("encoder-decoder", 3, 5, image_size=32, width=width) for width in (8, 16))
    assert isinstance(narrow, EncoderDecoder)
    assert isinstance(wide, EncoderDecoder)
    assert narrow.encoder.shape.widths == (8, 16)
    assert wide.encoder.shape.widths == (16, 32)


@pytest.mark.parametrize(
    ("name", "options", "meant"),
    [("encoder_decoder", {}, "encoder-decoder"), ("resnt", {}, "resnet"), ("resnet", {"widht": 8}, "width")],
)
def test_a_misspelt_name_is_answered_with_the_nearest(name: str, options: dict[str, int], meant: str) -> None:
    """Unknown networks and options are refused, with what was probably meant."""
    with pytest.raises(SettingError, match=f"did you mean {meant}"):
        build(name, 3, 2, image_size=32, **options)


def test_a_name_like_none_is_answered_with_the_list() -> None:
    """Where nothing is near, the remedy guesses nothing; a network without options takes none."""
    with pytest.raises(SettingError, match="What to do: choose"):
        build("xyzzy", 3, 2, image_size=32)
    with pytest.raises(SettingError, match="option of the network linear is 'width'"):
        build("linear", 3, 2, image_size=32, width=8)


def test_stems_are_fitted_where_there_are_any() -> None:
    """Frozen first filters change with the images; other networks are left as they are."""
    images = torch.randn(4, 3, 32, 32)
    for name in ("resnet", "encoder-decoder"):
        model = build(name, 3, 2, image_size=32)
        assert isinstance(model, ResNet | EncoderDecoder)
        stem = model.stem if isinstance(model, ResNet) else model.encoder.stem
        before = stem.weight.clone()
        assert fit_stem_(model, images)
        assert not torch.equal(stem.weight, before)
    plain = LinearClassifier(channels_in=3, classes=2, image_size=32)
    assert not fit_stem_(plain, images)
