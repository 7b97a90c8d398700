import numpy as np
import pytest
import torch

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.transforms.color import ColorJitter
from epochal.transforms.normalize import denormalized, normalized
from epochal.transforms.policy import NARROW, OPERATIONS, WIDE, RandAugment, Reach, Simulated, TrivialAugment, operated
from epochal.transforms.tone import equalized, posterized, sharpened, solarized, stretched

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
SMOOTH = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 4), size=(24, 24), mode="bicubic").clamp(0, 1)


def _batch(images: torch.Tensor, *, seed: int = 0, epoch: int = 0, first: int = 0) -> Batch:
    index = torch.arange(first, first + len(images))
    return Batch(images=images, labels=index, index=index, seed=seed, epoch=epoch)


def _one(colors: torch.Tensor, name: str, strength: float, reach: Reach = NARROW) -> torch.Tensor:
    out = operated(
        normalized(colors, mean=MEAN, std=STD), torch.full((len(colors),), OPERATIONS.index(name)),
        strengths=torch.full((len(colors),), strength), reach=reach, mean=MEAN, std=STD,
    )  # fmt: skip
    return denormalized(out, mean=MEAN, std=STD)


@pytest.mark.parametrize("name", [each for each in OPERATIONS if each not in {"autocontrast", "equalize"}])
def test_no_strength_changes_nothing(name: str) -> None:
    """At strength 0 every operation that has a strength leaves the image, white included."""
    colors = torch.randint(0, 256, (2, 3, 9, 9)) / 255
    colors[0, :, 0, 0] = 1
    torch.testing.assert_close(_one(colors, name, 0.0), colors, atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", OPERATIONS[1:-2])
@pytest.mark.parametrize("side", [-1, 1])
def test_strength_is_monotone(name: str, side: int) -> None:
    """The stronger an operation, the further the image moves from what it was: posterising too."""
    far = [float((_one(SMOOTH, name, side * k / 10) - SMOOTH).square().mean()) for k in (0, 2, 4, 6)]
    assert far == sorted(far)
    assert far[-1] > 1e-6


def test_signs_are_opposite_ways() -> None:
    """A negative strength turns, shifts, leans and brightens the other way."""
    mirrored = SMOOTH.flip(3)
    for name in ("shear-x", "translate-x", "rotate"):
        torch.testing.assert_close(_one(mirrored, name, -0.5).flip(3), _one(SMOOTH, name, 0.5), atol=1e-4, rtol=0)
    assert (
        float(_one(SMOOTH, "brightness", 0.5).mean())
        > float(SMOOTH.mean())
        > float(_one(SMOOTH, "brightness", -0.5).mean())
    )


def test_each_operation_is_the_function_of_its_name() -> None:
    """Strengths become the parameters of the published table: bits, thresholds, factors, degrees, shares."""
    colors = torch.randint(0, 256, (1, 3, 24, 24)) / 255
    full = torch.ones(1)
    expected = {
        "posterize": posterized(colors, torch.tensor([4])), "solarize": solarized(colors, 0.5 * full),
        "autocontrast": stretched(colors), "equalize": equalized(colors), "sharpness": sharpened(colors, 1.45 * full),
        "identity": colors, "brightness": (1.45 * colors).clamp(0, 1),
    }  # fmt: skip
    for name, image in expected.items():
        strength = 1.0 if name == "posterize" else 0.5
        torch.testing.assert_close(_one(colors, name, strength), image, atol=1e-5, rtol=0)
    moved = _one(colors, "translate-x", 1.0, Reach(shift=0.25))
    torch.testing.assert_close(moved[..., 6:], colors[..., :-6], atol=1e-4, rtol=0)
    torch.testing.assert_close(moved[0, :, 3, 3], torch.tensor(MEAN), atol=1e-5, rtol=0)
    turned = _one(colors, "rotate", 1.0, Reach(degrees=90))
    np.testing.assert_allclose(turned[0].numpy(), np.rot90(colors[0].numpy(), axes=(1, 2)), atol=1e-4)
    assert WIDE.degrees > NARROW.degrees


def test_groups_are_put_back_in_their_places() -> None:
    """A batch of all operations equals each image done alone, in either memory layout; the input stays."""
    n = 2 * len(OPERATIONS)
    images = normalized(torch.rand(n, 3, 12, 12), mean=MEAN, std=STD)
    before, kinds = images.clone(), torch.arange(n) % len(OPERATIONS)
    strengths = torch.linspace(-1, 1, n)
    out = operated(images, kinds, strengths=strengths, reach=WIDE, mean=MEAN, std=STD)
    last = images.to(memory_format=torch.channels_last)
    torch.testing.assert_close(operated(last, kinds, strengths=strengths, reach=WIDE, mean=MEAN, std=STD), out)
    for i in range(n):
        alone = operated(
            images[i : i + 1], kinds[i : i + 1], strengths=strengths[i : i + 1], reach=WIDE, mean=MEAN, std=STD
        )
        torch.testing.assert_close(alone[0], out[i], atol=1e-5, rtol=1e-5)
    assert torch.equal(images, before)


@pytest.mark.parametrize("policy", [RandAugment(mean=MEAN, std=STD), TrivialAugment(mean=MEAN, std=STD)])
def test_each_sample_draws_for_itself(policy: RandAugment | TrivialAugment) -> None:
    """Equal images become many different ones, the same ones in a smaller batch, others in another epoch."""
    images = normalized(SMOOTH, mean=MEAN, std=STD).repeat(64, 1, 1, 1)
    out = policy(_batch(images)).images
    assert len({tuple(image.flatten().tolist()) for image in out}) > 40
    torch.testing.assert_close(policy(_batch(images[:9], first=20)).images, out[20:29], atol=1e-5, rtol=1e-5)
    assert not torch.equal(policy(_batch(images, epoch=1)).images, out)
    assert policy(_batch(images[:0])).images.shape == (0, 3, 24, 24)


def test_greys_and_half_precision() -> None:
    """Policies take images of one channel, and keep half precision."""
    for policy in (RandAugment(mean=(0.5,), std=(0.25,)), TrivialAugment(mean=(0.5,), std=(0.25,))):
        grey = policy(_batch(torch.randn(28, 1, 8, 8).half())).images
        assert grey.dtype == torch.float16
        assert bool(grey.isfinite().all())


def test_a_simulator_fills_its_share_and_no_more() -> None:
    """About the asked share is handed over, with its own index and labels; all others stay the very same."""
    images = torch.rand(2000, 1, 2, 2)
    seen: list[int] = []

    def simulate(part: Batch) -> Batch:
        seen.extend(part.index.tolist())
        return part.replace(images=-part.images, labels=part.labels + 5000)

    out = Simulated(simulate=simulate, share=0.3)(_batch(images))
    made = torch.zeros(2000).bool()
    made[seen] = True
    assert abs(len(seen) / 2000 - 0.3) < 5 * (0.21 / 2000) ** 0.5
    assert torch.equal(out.images, torch.where(made[:, None, None, None], -images, images))
    assert torch.equal(out.labels, torch.arange(2000) + 5000 * made)


def test_any_transform_may_take_the_place_of_a_simulator() -> None:
    """What is drawn for a sample does not depend on who else was chosen: the result is that of the transform alone."""
    images = torch.rand(40, 3, 4, 4)
    jitter = ColorJitter(mean=MEAN, std=STD)
    whole, some = jitter(_batch(images)).images, Simulated(simulate=jitter, share=0.5)(_batch(images)).images
    changed = (some != images).flatten(1).any(1)
    assert 5 < int(changed.sum()) < 35
    torch.testing.assert_close(some[changed], whole[changed])
    none = _batch(images)
    assert Simulated(simulate=jitter, share=0.0)(none) is none


def test_what_does_not_fit_is_refused() -> None:
    """Wrong numbers, magnitudes and shares are errors, and so is a simulator whose images have another size or type."""
    with pytest.raises(SettingError, match="13"):
        operated(torch.rand(1, 3, 4, 4), torch.tensor([14]), strengths=torch.ones(1), reach=WIDE, mean=MEAN, std=STD)
    with pytest.raises(SettingError):
        RandAugment(mean=MEAN, std=STD, magnitude=31)
    with pytest.raises(SettingError):
        RandAugment(mean=MEAN, std=STD, number=0)
    with pytest.raises(SettingError):
        Simulated(simulate=lambda part: part, share=1.5)
    too_few = Simulated(simulate=lambda part: part.replace(images=part.images[:, :, :3]), share=1.0)
    with pytest.raises(SettingError, match="simulator made images"):
        too_few(_batch(torch.rand(4, 3, 4, 4)))
