"""Facts about calibration, against published definitions and programs that are calibrated by design."""

import numpy as np
import pytest
from scipy import optimize

from epochal.stats.calibration import COLDEST, HOTTEST, calibration_error, reliability, temperature
from epochal.stats.classification import nll, softmax


def _drawn(n: int, *, sharpen: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the true distribution of the labels, then sharpened."""
    source = np.random.default_rng(seed)
    logits = source.normal(0, 2, (n, 4))
    labels = (softmax(logits).cumsum(axis=1) > source.random((n, 1))).argmax(axis=1)
    return logits * sharpen, labels


@pytest.mark.parametrize("spacing", ["mass", "width"])
def test_true_probabilities_measure_near_zero(spacing: str) -> None:
    """Labels drawn from the stated probabilities leave only the error of few samples."""
    logits, labels = _drawn(20_000)
    assert calibration_error(logits, labels, spacing=spacing) < 0.4 * np.sqrt(15 / 20_000) * 1.5  # type: ignore[arg-type]


@pytest.mark.parametrize("spacing", ["mass", "width"])
def test_overconfidence_shows(spacing: str) -> None:
    """Logits three times too large measure an error far above that."""
    logits, labels = _drawn(20_000, sharpen=3.0)
    assert calibration_error(logits, labels, spacing=spacing) > 0.1  # type: ignore[arg-type]


def test_width_bins_are_guos_loop() -> None:
    """Equal-width bins give what the published loop over bins gives."""
    logits, labels = _drawn(500, sharpen=2.0)
    confidence, hits = softmax(logits).max(axis=1), logits.argmax(axis=1) == labels
    expected = 0.0
    for low, high in zip(np.linspace(0, 1, 16)[:-1], np.linspace(0, 1, 16)[1:], strict=True):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            expected += inside.mean() * abs(hits[inside].mean() - confidence[inside].mean())
    assert calibration_error(logits, labels, spacing="width") == pytest.approx(expected)


def test_mass_bins_hold_equally_many() -> None:
    """Bins of equal mass differ by one sample at most where confidences differ."""
    logits, labels = _drawn(1000)
    counts = reliability(logits, labels, bins=7).count
    assert counts.sum() == 1000
    assert counts.max() - counts.min() <= 1


def test_order_of_samples_does_not_matter() -> None:
    """Shuffled samples measure the same, also where many share one confidence."""
    logits, labels = _drawn(300)
    logits = np.round(logits)
    order = np.random.default_rng(1).permutation(300)
    assert calibration_error(logits, labels) == pytest.approx(calibration_error(logits[order], labels[order]))


@pytest.mark.parametrize("sharpen", [0.3, 1.0, 4.0])
def test_temperature_undoes_sharpening(sharpen: float) -> None:
    """The fitted temperature is the factor by which the true logits were scaled, and scipy's optimum."""
    logits, labels = _drawn(20_000, sharpen=sharpen)
    ours = temperature(logits, labels)
    best = optimize.minimize_scalar(lambda t: nll(logits / t, labels), bounds=(0.05, 20), method="bounded")
    assert ours == pytest.approx(sharpen, rel=0.05)
    assert ours == pytest.approx(float(best.x), rel=1e-3)


def test_temperature_has_ends() -> None:
    """Where all are right it goes to its cold end, where all are wrong to its hot end."""
    logits = np.array([[5.0, 0.0]] * 6)
    assert temperature(logits, np.zeros(6, dtype=int)) == pytest.approx(COLDEST, rel=1e-3)
    assert temperature(logits, np.ones(6, dtype=int)) == pytest.approx(HOTTEST, rel=1e-3)
    assert temperature(np.ones((6, 2)), np.zeros(6, dtype=int)) == 1.0


def test_no_samples_no_error() -> None:
    """Nothing measured is no gap."""
    assert calibration_error(np.zeros((0, 3)), np.zeros(0, dtype=int)) == 0.0
