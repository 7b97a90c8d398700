"""How alike two small pictures are once one is shifted onto the other."""

import numpy as np
from jaxtyping import Float32, Int64

# Pixels that a picture may be shifted each way; the border of that width is what the comparison leaves out.
REACH = 4
_TINY = 1e-9


def aligned_correlation(
    ones: Float32[np.ndarray, "p h w c"], others: Float32[np.ndarray, "p h w c"], *, reach: int = REACH
) -> tuple[Float32[np.ndarray, " p"], Int64[np.ndarray, "p 2"]]:
    """The greatest correlation of the middle of one picture with the other at any shift, and that shift.

    Each channel of each window has its own mean taken away, so brightness and contrast do not matter; flat windows
    correlate with nothing. Every shift is tried at once, by the Fourier transform.

    Shapes: p pairs of pictures.  Units: -1 to 1; pixels down and across.  Source: Lewis 1995.

    >>> noise = np.random.default_rng(0).random((1, 16, 16, 3), dtype=np.float32)
    >>> alike, shift = aligned_correlation(noise, np.roll(noise, (1, -2), axis=(1, 2)) * 0.5 + 0.2)
    >>> round(float(alike[0]), 3), shift.tolist()
    (1.0, [[1, -2]])
    """
    height, width = ones.shape[1:3]
    assert 2 * reach < min(height, width)
    inner = (slice(None), slice(reach, height - reach), slice(reach, width - reach))
    middle = np.zeros_like(ones)
    middle[inner] = ones[inner] - ones[inner].mean(axis=(1, 2), keepdims=True)
    spectrum = np.conj(np.fft.rfft2(middle, axes=(1, 2))) * np.fft.rfft2(others, axes=(1, 2))
    products = np.fft.irfft2(spectrum.sum(axis=3), s=(height, width), axes=(1, 2))
    steps = np.arange(-reach, reach + 1)
    products = products[:, steps[:, None], steps[None, :]]
    energy = _window_energy(others, reach=reach)
    scale = np.sqrt((middle.astype(np.float64) ** 2).sum(axis=(1, 2, 3))[:, None, None] * energy)
    alike = np.divide(products, scale, out=np.zeros_like(products), where=scale > _TINY).reshape(len(ones), -1)
    best = alike.argmax(axis=1)
    shift = np.stack(np.divmod(best, len(steps)), axis=1) - reach
    return np.clip(alike[np.arange(len(ones)), best], -1, 1).astype(np.float32), shift.astype(np.int64)


def _window_energy(pictures: Float32[np.ndarray, "p h w c"], *, reach: int) -> np.ndarray:
    """Sum of squares about its mean of each window that the middle can be laid upon."""
    pixels = pictures.astype(np.float64)
    down, across = (side - 2 * reach for side in pictures.shape[1:3])

    def windows(values: np.ndarray) -> np.ndarray:
        sums = np.pad(values.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0), (0, 0)))
        below, above = sums[:, down:], sums[:, :-down]
        total: np.ndarray = below[:, :, across:] - below[:, :, :-across] - above[:, :, across:] + above[:, :, :-across]
        return total

    energy: np.ndarray = (windows(pixels**2) - windows(pixels) ** 2 / (down * across)).sum(axis=3)
    positive: np.ndarray = np.maximum(energy, 0)
    return positive
