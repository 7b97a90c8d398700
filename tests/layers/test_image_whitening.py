import io
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from epochal.errors import SettingError
from epochal.layers.image_whitening import MOST_NUMBERS, ImageWhitening, fit_preprocessing_
from epochal.models.resnet import fit_stem_, resnet
from epochal.stats.pca import Covariance, principal_components, whitening

SIZE = (5, 4)


def _images(n: int = 4000, *, channels: int = 2, seed: int = 0) -> torch.Tensor:
    """Images whose neighbouring pixels say nearly the same, none of them about zero."""
    g = torch.Generator().manual_seed(seed)
    noise = torch.randn(n, channels, SIZE[0] + 1, SIZE[1] + 1, generator=g)
    return 3 + noise[:, :, 1:, 1:] + noise[:, :, :-1, 1:] + noise[:, :, 1:, :-1]


def _covariance(images: torch.Tensor) -> np.ndarray:
    return np.cov(images.detach().flatten(1).double().numpy().T, bias=True)


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_what_comes_out_is_white(kind: str) -> None:
    """On the images measured, all numbers have mean 0, variance 1, and nothing to do with one another."""
    images = _images()
    layer = ImageWhitening(kind, channels=2, size=SIZE)
    fit_preprocessing_(layer, images)
    out = layer(images)
    assert out.shape == images.shape
    np.testing.assert_allclose(out.flatten(1).mean(0).numpy(), 0, atol=1e-4)
    np.testing.assert_allclose(_covariance(out), np.eye(40), atol=5e-3)  # the floor leaves the quietest a little quiet


def test_nothing_changes_before_the_measurement() -> None:
    """A fresh layer hands images through: a network without statistics is the network without whitening."""
    images = _images(3)
    torch.testing.assert_close(ImageWhitening("zca", channels=2, size=SIZE)(images), images)


def test_zca_stays_nearest_to_the_image() -> None:
    """Of the two whitenings ZCA changes images least: it is symmetric, PCA is not."""
    images = _images()
    zca, pca = (ImageWhitening(kind, channels=2, size=SIZE) for kind in ("zca", "pca"))
    for layer in (zca, pca):
        fit_preprocessing_(layer, images)
    torch.testing.assert_close(zca.matrix, zca.matrix.T, atol=1e-5, rtol=0)
    centred = images - images.mean(0)
    assert (zca(images) - centred).norm() < (pca(images) - centred).norm()


@settings(max_examples=10, deadline=None)
@given(kind=st.sampled_from(["pca", "zca"]), cuts=st.lists(st.integers(1, 499), max_size=4))
def test_streams_measure_what_one_batch_does(kind: str, cuts: list[int]) -> None:
    """However the images come in parts, the layer ends the same, and as numpy's own eigenvectors say."""
    images = _images(500)
    layer, whole = (ImageWhitening(kind, channels=2, size=SIZE) for _ in range(2))
    places = sorted({0, *cuts, 500})
    fit_preprocessing_(layer, (images[a:b] for a, b in pairwise(places)))
    found = fit_preprocessing_(whole, images)
    torch.testing.assert_close(layer.matrix, whole.matrix, atol=1e-4, rtol=1e-4)
    rows = images.flatten(1).double().numpy()
    usual = whitening(principal_components(Covariance.of(rows)), kind="zca" if kind == "zca" else "pca", eps=1e-4)
    assert found is not None
    np.testing.assert_allclose(found.matrix, usual.matrix)
    np.testing.assert_allclose(whole(images).flatten(1).numpy(), usual.apply(rows), atol=1e-4)


@pytest.mark.parametrize("kind", ["pca", "zca"])
def test_images_come_back_for_drawing(kind: str) -> None:
    """Undone, whitened images are the images (K2.10)."""
    images = _images()
    layer = ImageWhitening(kind, channels=2, size=SIZE)
    fit_preprocessing_(layer, images)
    torch.testing.assert_close(layer.undo(layer(images[:5])), images[:5], atol=1e-3, rtol=1e-4)


def test_statistics_are_saved_with_the_weights() -> None:
    """A network rebuilt by name and filled from the file prepares images to the last bit as the trained one did."""
    images = torch.randn(300, 1, 16, 16).cumsum(3)
    options = {"image_size": 16, "width": 8, "whitening": "zca"}
    model, other = (resnet(1, 3, **options) for _ in range(2))  # type: ignore[arg-type]
    assert fit_preprocessing_(model, images) is not None
    fit_stem_(model, images)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(model.eval()(images), other.eval()(images))
    assert not any(p.requires_grad for name, p in model.named_parameters() if name.startswith("whitening"))


def test_the_stem_is_fitted_to_what_it_sees() -> None:
    """Behind ZCA the stem measures whitened images: its filters are those of white noise, all equally strong."""
    images = torch.randn(2000, 1, 8, 8).cumsum(3)
    model, plain = (resnet(1, 3, image_size=8, width=8, whitening=name) for name in ("zca", "none"))
    for each in (model, plain):
        fit_preprocessing_(each, images)
        fit_stem_(each, images)
    norms, usual = (each.stem.weight.flatten(1).norm(dim=1) for each in (model, plain))
    assert float(norms.max() / norms.min()) < 1.2 < float(usual.max() / usual.min())


def test_half_precision_does_not_reach_the_matrix() -> None:
    """Under autocast the product is still of float32: quiet directions would drown in rounding."""
    images = _images()
    layer = ImageWhitening("zca", channels=2, size=SIZE)
    fit_preprocessing_(layer, images)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(images[:4]), layer(images[:4].clone()))
        low = layer(images[:4])
    assert torch.equal(low, layer(images[:4]))
    assert layer(images[:4].bfloat16()).dtype == torch.bfloat16


def test_networks_without_whitening_are_left_alone() -> None:
    """Where nothing whitens, nothing is measured, and no batch is read."""

    def never() -> torch.Tensor:
        message = "a batch was asked for"
        raise AssertionError(message)

    assert fit_preprocessing_(nn.Linear(2, 2), (never() for _ in range(1))) is None


def test_large_images_are_refused_with_the_reason() -> None:
    """Whitening a photograph of 224 pixels would take 90 GB: said when the network is built, with what to do."""
    with pytest.raises(SettingError, match=r"150,528 numbers each.*64 MB.*data.image_size=32"):
        resnet(3, 10, image_size=224, whitening="zca")
    assert MOST_NUMBERS >= 32 * 32 * 3


def test_other_shapes_and_kinds_are_refused() -> None:
    """Images of another size than those measured, and names that are none, are errors that say so."""
    with pytest.raises(SettingError, match=r"meet a whitening of \(2, 5, 4\)"):
        ImageWhitening("zca", channels=2, size=SIZE)(torch.zeros(1, 2, 4, 5))
    with pytest.raises(SettingError, match="did you mean zca"):
        ImageWhitening("zcaa", channels=2, size=SIZE)
    with pytest.raises(SettingError, match="0 rows"):
        fit_preprocessing_(ImageWhitening("zca", channels=1, size=(2, 2)), torch.zeros(0, 1, 2, 2))
