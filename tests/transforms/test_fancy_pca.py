import numpy as np
import pytest
import torch

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.fancy_pca import FancyPCA, Scale, pca_shifted

RNG = np.random.default_rng(0)
PIXELS = RNG.uniform(0, 1, (5000, 1)) * [0.9, 0.8, 0.6] + RNG.uniform(0, 0.1, (5000, 3))
VALUES, VECTORS = np.linalg.eigh(np.cov(PIXELS.T))
STD = (0.2, 0.25, 0.3)


def _pca(*, scale: Scale = "eigenvalue", sigma: float = 0.1) -> FancyPCA:
    vectors = tuple(map(tuple, VECTORS.tolist()))
    return FancyPCA(eigenvectors=vectors, eigenvalues=tuple(VALUES.tolist()), std=STD, sigma=sigma, scale=scale)


def _batch(n: int) -> Batch:
    index = torch.arange(n)
    return Batch(images=torch.zeros(n, 3, 2, 2, dtype=torch.float64), labels=index, index=index, seed=0)


@pytest.mark.parametrize("scale", ["eigenvalue", "deviation"])
def test_shift_is_the_papers_formula(scale: Scale) -> None:
    """Each image moves by P (alpha * lambda), or by P (alpha * sqrt lambda), written out in numpy, in any layout."""
    images, alpha = torch.rand(4, 3, 5, 6, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    lengths = np.sqrt(VALUES) if scale == "deviation" else VALUES
    expected = images.numpy().copy()
    for i in range(4):
        for k in range(3):
            expected[i] += (alpha[i, k].item() * lengths[k] * VECTORS[:, k] / STD)[:, None, None]
    for given in (images, images.to(memory_format=torch.channels_last)):
        out = pca_shifted(
            given, alpha, eigenvectors=VECTORS.tolist(), eigenvalues=VALUES.tolist(), std=STD, scale=scale
        )
        np.testing.assert_allclose(out.numpy(), expected, rtol=1e-12)


def test_ten_thousand_draws_have_the_covariance_of_the_data() -> None:
    """Shifts have mean 0 and covariance sigma^2 P lambda^2 P^T; scaled by deviations, sigma^2 times the data's own."""
    for scale, power in (("eigenvalue", 2), ("deviation", 1)):
        out = _pca(scale=scale)(_batch(10_000)).images  # type: ignore[arg-type]
        assert bool((out == out[:, :, :1, :1]).all())
        shifts = out[:, :, 0, 0].numpy() * STD
        expected = 0.01 * VECTORS @ np.diag(VALUES**power) @ VECTORS.T
        np.testing.assert_allclose(np.cov(shifts.T), expected, rtol=0.1, atol=0.05 * expected.max())
        assert np.abs(shifts.mean(0)).max() < 5 * (expected.max() / 10_000) ** 0.5


def test_each_image_draws_once_a_use() -> None:
    """Another epoch gives another shift, a smaller batch the same one."""
    batch = _batch(30)
    out = _pca()(batch).images
    assert len(set(out[:, 0, 0, 0].tolist())) == 30
    assert not torch.equal(_pca()(batch.replace(epoch=1)).images, out)
    part = batch.replace(images=batch.images[7:9], labels=batch.labels[7:9], index=batch.index[7:9])
    torch.testing.assert_close(_pca()(part).images, out[7:9])


def test_eigenvalues_of_other_units_are_refused() -> None:
    """Those of 0-255 colours are 65,025 times too large, and the error says what to divide by; so are negative ones."""
    axes = ((1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0))
    with pytest.raises(SettingError, match="65025"):
        FancyPCA(eigenvectors=axes, eigenvalues=tuple(65025 * v for v in VALUES), std=STD)
    with pytest.raises(SettingError):
        FancyPCA(eigenvectors=axes, eigenvalues=(-0.1, 0.1, 0.1), std=STD)
    FancyPCA(eigenvectors=axes, eigenvalues=(0.2175, 0.0188, 0.0045), std=STD)  # published for ImageNet in [0, 1]


def test_a_pca_of_other_images_is_refused() -> None:
    """A PCA of three channels does not fit images of one, and sigma is not negative."""
    with pytest.raises(SettingError, match="1 channels"):
        pca_shifted(
            torch.zeros(1, 1, 2, 2), torch.zeros(1, 1), eigenvectors=VECTORS.tolist(), eigenvalues=[0.1] * 3, std=STD
        )
    with pytest.raises(SettingError, match="Sigma"):
        _pca(sigma=-1)
