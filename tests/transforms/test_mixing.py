import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.batch import Batch
from epochal.errors import SettingError
from epochal.losses.classification import cross_entropy
from epochal.transforms.mixing import Cutmix, Mixup, blended, mixed_labels, one_hot, partners, patched


def _batch(images: torch.Tensor, labels: torch.Tensor, *, seed: int = 0, epoch: int = 0) -> Batch:
    return Batch(images=images, labels=labels, index=torch.arange(len(images)) * 7, seed=seed, epoch=epoch)


@given(rows=st.lists(st.integers(0, 10_000), min_size=2, max_size=40, unique=True), seed=st.integers(0, 1000))
def test_partners_are_a_ring(rows: list[int], seed: int) -> None:
    """Everyone is a partner once and nobody his own, also among an odd number; the order of the batch is no matter."""
    index = torch.tensor(rows)
    ring = partners(index, seed=seed, epoch=0, stream="s")
    assert sorted(ring.tolist()) == list(range(len(rows)))
    assert not bool((ring == torch.arange(len(rows))).any())
    turned = partners(index.flip(0), seed=seed, epoch=0, stream="s")
    assert torch.equal(index.flip(0)[turned].flip(0), index[ring])


def test_one_sample_is_its_own_partner() -> None:
    """A batch of one is mixed with itself, that is not at all; an empty one stays empty."""
    batch = _batch(torch.rand(1, 3, 4, 4), torch.tensor([1]))
    for mix in (Mixup(classes=2), Cutmix(classes=2)):
        out = mix(batch)
        torch.testing.assert_close(out.images, batch.images)
        torch.testing.assert_close(out.labels, torch.tensor([[0.0, 1.0]]))
        assert mix(_batch(torch.rand(0, 3, 4, 4), torch.zeros(0).long())).labels.shape == (0, 2)


def test_images_and_labels_are_mixed_by_the_same_share() -> None:
    """With images that show their label in every pixel, the picture and the soft label agree, sample by sample."""
    labels = torch.arange(9) % 3
    images = one_hot(labels, 3)[:, :, None, None].expand(9, 3, 10, 10).contiguous()
    for mix in (Mixup(classes=3, alpha=1.0), Cutmix(classes=3)):
        out = mix(_batch(images, labels))
        torch.testing.assert_close(out.images.mean((2, 3)), out.labels, atol=1e-6, rtol=0)
        torch.testing.assert_close(out.labels.sum(1), torch.ones(9))
        assert len(set(map(tuple, out.labels.tolist()))) > 3  # shares differ within the batch


@given(n=st.integers(1, 5), seed=st.integers(0, 2**31))
def test_blends_are_the_formula(n: int, seed: int) -> None:
    """Images and labels equal the loop over samples, in float64 to the last digits."""
    g = torch.Generator().manual_seed(seed)
    images, shares = torch.rand(n, 2, 3, 3, generator=g, dtype=torch.float64), torch.rand(n, generator=g)
    others, labels = torch.randperm(n, generator=g), torch.randint(0, 4, (n,), generator=g)
    out = blended(images, others, shares=shares)
    soft = mixed_labels(labels, others, shares=shares, classes=4)
    for i in range(n):
        s, j = float(shares[i]), int(others[i])
        np.testing.assert_allclose(out[i], s * images[i] + (1 - s) * images[j], atol=1e-7)
        expected = np.zeros(4)
        expected[int(labels[i])] += s
        expected[int(labels[j])] += 1 - s
        np.testing.assert_allclose(soft[i], expected, atol=1e-6)


def test_shares_of_patches_are_counted() -> None:
    """The share kept is the share of own pixels, whatever hangs over the edge; pixels come from the same place."""
    own, other = torch.rand(2, 1, 4, 5)
    images = torch.stack((own, other))
    out, shares = patched(images, torch.tensor([1, 0]), regions=torch.tensor([[-2, 1, 3, 9], [2, 2, 2, 4]]))
    expected = own.clone()
    expected[:, 1:, :3] = other[:, 1:, :3]
    assert torch.equal(out[0], expected)
    assert torch.equal(out[1], other)
    assert shares.tolist() == [1 - 9 / 20, 1.0]


def test_patches_have_the_drawn_area() -> None:
    """With alpha 1 the area before cutting is even in [0, 1]: its mean is a half, its middle anywhere."""
    batch = _batch(torch.zeros(5000, 1, 100, 100), torch.zeros(5000).long())
    left, top, right, bottom = Cutmix(classes=1).regions(batch).double().unbind(1)
    area = (right - left) * (bottom - top) / 100**2
    assert abs(float(area.mean()) - 0.5) < 5 * (1 / 12 / 5000) ** 0.5 + 0.01
    assert abs(float((left + right).mean()) / 2 - 49.5) < 3


def test_chance_leaves_the_others_alone() -> None:
    """About the asked share of samples is mixed; the labels of the others are certain, their images untouched."""
    labels = torch.arange(2000) % 10
    images = torch.rand(2000, 1, 8, 8)
    for mix in (Mixup(classes=10, alpha=1.0, chance=0.3), Cutmix(classes=10, chance=0.3)):
        out = mix(_batch(images, labels))
        same = (out.images == images).all(3).all(2).all(1)
        assert 0.6 < same.double().mean().item() < 0.8
        assert torch.equal(out.labels[same].argmax(1), labels[same])
        assert bool((out.labels[same].amax(1) == 1).all())


def test_mixing_twice_and_the_loss() -> None:
    """Soft labels can be mixed again, still sum to 1, and the loss of even logits is log C whatever they are."""
    batch = _batch(torch.rand(7, 3, 8, 8), torch.arange(7) % 4)
    out = Cutmix(classes=4)(Mixup(classes=4)(batch))
    torch.testing.assert_close(out.labels.sum(1), torch.ones(7))
    torch.testing.assert_close(cross_entropy(torch.zeros(7, 4), out.labels), torch.full((7,), 4.0).log())


def test_epochs_and_seeds_differ() -> None:
    """Another epoch or seed mixes otherwise; the same one the same."""
    batch = _batch(torch.rand(16, 3, 8, 8), torch.arange(16))
    for mix in (Mixup(classes=16), Cutmix(classes=16)):
        assert torch.equal(mix(batch).labels, mix(batch).labels)
        assert not torch.equal(mix(batch).labels, mix(batch.replace(epoch=1)).labels)
        assert not torch.equal(mix(batch).labels, mix(batch.replace(seed=1)).labels)


def test_labels_of_other_classes_are_refused() -> None:
    """A label that is no class, a distribution over others, alpha 0 and chances that are none are errors."""
    with pytest.raises(SettingError, match="0 to 3"):
        one_hot(torch.tensor([0, 3]), 3)
    with pytest.raises(SettingError, match="4 classes"):
        one_hot(torch.rand(2, 4), 3)
    with pytest.raises(SettingError):
        Mixup(classes=3, alpha=0)
    with pytest.raises(SettingError):
        Cutmix(classes=3, chance=-1)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_masks_are_cut_with_their_images(dtype: torch.dtype) -> None:
    """Every pixel brings its own label along, whichever image it comes from."""
    masks = torch.randint(0, 9, (30, 12, 10)).to(dtype)
    batch = _batch(masks[:, None].float(), torch.zeros(30).long()).replace(labels=masks)
    out = Cutmix(classes=9)(batch)
    assert out.labels.dtype == dtype
    assert torch.equal(out.labels.float(), out.images[:, 0])
    assert not torch.equal(out.labels, masks)


def test_rows_are_blended_as_they_are() -> None:
    """Values and several labels become the same mixture as their images: `s y + (1 - s) y_other`, column by column."""
    values = torch.rand(50, 2) * 100
    batch = _batch(values[:, :, None, None].expand(50, 2, 4, 4), torch.zeros(50).long()).replace(labels=values)
    out = Mixup(classes=2, alpha=1.0)(batch)
    torch.testing.assert_close(out.labels, out.images[:, :, 0, 0])
    assert not torch.allclose(out.labels, values)


def test_what_cannot_be_mixed_is_refused() -> None:
    """Two classes in one pixel, two sets of boxes or points in one image: errors that name another transform."""
    batch = _batch(torch.rand(3, 1, 4, 4), torch.arange(3))
    with pytest.raises(SettingError, match="Mixup received masks"):
        Mixup(classes=3)(batch.replace(labels=torch.zeros(3, 4, 4, dtype=torch.uint8)))
    for mix in (Mixup(classes=3), Cutmix(classes=3)):
        with pytest.raises(SettingError, match="boxes or points"):
            mix(batch.replace(boxes=torch.zeros(3, 1, 4)))
        with pytest.raises(SettingError, match="boxes or points"):
            mix(batch.replace(keypoints=torch.zeros(3, 1, 2)))
