"""Facts about the losses of masks by name."""

import numpy as np
import pytest
import torch

from epochal.errors import SettingError
from epochal.losses.balancing import effective_number, inverse_frequency
from epochal.losses.mask_choice import CLASS_WEIGHTS, MASK_LOSSES, MaskLoss, mask_class_weights
from epochal.losses.masks import image_cross_entropy, image_focal, median_frequency
from epochal.losses.segmentation import dice
from epochal.stats.mask_counts import count_masks, dice_of_constant

COUNTS: dict[str, list[float]] = {
    "shares": [0.6, 0.3, 0.1],
    "pixels": [600, 300, 100],
    "where_present": [1000, 1000, 250],
    "images": [9, 9, 2],
}


def _case() -> tuple[torch.Tensor, torch.Tensor]:
    source = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 3, (4, 6, 8), generator=source)
    masks[torch.rand(masks.shape, generator=source) < 0.3] = 255
    masks[3] = 255
    return torch.randn(4, 3, 6, 8, generator=source), masks


def test_names_are_those_of_the_formulas() -> None:
    """Each name gives its loss, the sum of two where it says so, with the options handed on."""
    logits, masks = _case()
    weights = (0.5, 1.0, 2.0)
    entropy = image_cross_entropy(logits, masks, weights=weights, smoothing=0.1)
    expected = {
        MaskLoss(weights=weights, smoothing=0.1): entropy,
        MaskLoss(name="dice"): dice(logits, masks),
        MaskLoss(name="cross-entropy+dice", weights=weights, smoothing=0.1): entropy + dice(logits, masks),
        MaskLoss(name="focal", weights=weights, gamma=3.0): image_focal(logits, masks, gamma=3.0, weights=weights),
    }
    assert {loss.name for loss in expected} == set(MASK_LOSSES)
    for loss, value in expected.items():
        torch.testing.assert_close(loss(logits, masks), value)


@pytest.mark.parametrize("name", MASK_LOSSES)
@pytest.mark.parametrize("weights", [None, (0.5, 1.0, 2.0)])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_expected_losses_are_measured(name: str, weights: tuple[float, ...] | None, smoothing: float) -> None:
    """A network that says the same shares everywhere measures exactly what was promised, unlabelled images included."""
    if (name == "dice" and weights) or (smoothing and "cross-entropy" not in name):
        with pytest.raises(SettingError, match="Expected"):
            MaskLoss(name=name, weights=weights, smoothing=smoothing)
        return
    _, masks = _case()
    found, said = count_masks(masks.numpy().astype(np.uint8), classes=3), np.array([0.5, 0.3, 0.2])
    loss = MaskLoss(name=name, weights=weights, smoothing=smoothing)
    measured = loss(torch.from_numpy(np.log(said))[None, :, None, None].expand(4, 3, 6, 8).contiguous(), masks).mean()
    overlap = dice_of_constant(found.per_image, said=said, smooth=1.0)
    assert loss.expected_at_init(found.shares, said=said, dice=overlap) == pytest.approx(float(measured))


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
def test_weights_have_mean_one_over_pixels(name: str) -> None:
    """All but "none" keep the size of the loss, and weigh the rare class more than the common one."""
    weights = mask_class_weights(name, **COUNTS)
    if name == "none":
        assert weights is None
        return
    assert weights is not None
    assert np.dot(weights, COUNTS["shares"]) == pytest.approx(1)
    assert weights[2] > weights[0]


def test_weights_are_those_of_the_formulas() -> None:
    """By shares, by frequency where present, by the number of images, up to the size."""
    raw = {
        "balanced": inverse_frequency(COUNTS["shares"]),
        "median-frequency": median_frequency(COUNTS["pixels"], where_present=COUNTS["where_present"]),
        "effective-number": effective_number(COUNTS["images"]),
    }
    for name, each in raw.items():
        weights = mask_class_weights(name, **COUNTS)
        assert weights is not None
        ratios = np.array(weights) / np.array(each)
        np.testing.assert_allclose(ratios, ratios[0])


def test_unknown_names_are_answered_with_the_nearest() -> None:
    """A slip of the pen in a loss or a weighting is told what was probably meant."""
    with pytest.raises(SettingError, match="did you mean dice"):
        MaskLoss(name="dise")
    with pytest.raises(SettingError, match="did you mean median-frequency"):
        mask_class_weights("median", **COUNTS)


@pytest.mark.parametrize("name", MASK_LOSSES)
def test_smaller_logits_are_refused_by_each(name: str) -> None:
    """A network that answers at half the resolution is told to enlarge its logits."""
    with pytest.raises(SettingError, match="enlarging its logits"):
        MaskLoss(name=name)(torch.zeros(1, 3, 4, 4), torch.zeros(1, 8, 8).long())
