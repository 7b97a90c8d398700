"""Facts about overlaps of masks, against scikit-learn, loops and populations of known truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, jaccard_score

from epochal.errors import DataError
from epochal.stats.segmentation import (
    class_iou,
    class_iou_intervals,
    frequency_weighted_iou,
    mask_confusions,
    masks_of,
    mean_iou,
    mean_iou_gain,
    mean_iou_interval,
    pixel_accuracy,
)

seeds = st.integers(0, 2**31)


def _masks(seed: int, *, classes: int = 5, shape: tuple[int, ...] = (4, 6, 7)) -> tuple[np.ndarray, np.ndarray]:
    source = np.random.default_rng(seed)
    masks = source.integers(0, source.integers(1, classes + 1), shape).astype(np.uint8)
    said = np.where(source.random(shape) < 0.6, masks, source.integers(0, classes, shape)).astype(np.uint8)
    masks[source.random(shape) < 0.2] = 255
    return said, masks


def _scenes(n: int, source: np.random.Generator) -> np.ndarray:
    """Confusions of street-like images: four classes, the last one small and seen in every third image."""
    there = source.random((n, 4)) < np.array([1, 1, 0.7, 0.3])
    sizes = source.gamma(2.0, np.array([4000, 2000, 500, 100]), (n, 4)) * there
    found = source.beta(4, 2, (n, 4))
    counts = (sizes * (1 - found))[:, :, None] * source.dirichlet(np.ones(4), (n, 4))
    counts[:, np.arange(4), np.arange(4)] += sizes * found
    return counts.round().astype(np.int64)


@given(seeds)
def test_confusions_are_those_of_each_image(seed: int) -> None:
    """Image by image they are scikit-learn's, over the pixels that are labelled."""
    said, masks = _masks(seed)
    for counts, mine, true in zip(mask_confusions(said, masks, classes=5), said, masks, strict=True):
        kept = true != 255
        expected = confusion_matrix(true[kept], mine[kept], labels=range(5)) if kept.any() else np.zeros((5, 5))
        np.testing.assert_array_equal(counts, expected)


@given(seeds)
def test_overlap_is_sklearns(seed: int) -> None:
    """Class by class it is the Jaccard index, NaN and left out where a class never occurs."""
    said, masks = _masks(seed)
    matrix, kept = mask_confusions(said, masks, classes=5).sum(axis=0), masks != 255
    ours = class_iou(matrix)
    seen = sorted({*said[kept].tolist(), *masks[kept].tolist()})
    theirs = jaccard_score(masks[kept], said[kept], labels=seen, average=None)
    np.testing.assert_allclose(ours[seen], theirs)
    assert np.isnan(np.delete(ours, seen)).all()
    assert mean_iou(matrix) == pytest.approx(theirs.mean())
    weights = np.array([(masks[kept] == k).sum() for k in seen])
    assert frequency_weighted_iou(matrix) == pytest.approx((theirs * weights).sum() / weights.sum())
    assert pixel_accuracy(matrix) == pytest.approx((said == masks)[kept].mean())


def test_many_matrices_are_judged_at_once() -> None:
    """A stack gives what its members give one by one."""
    matrices = _scenes(6, np.random.default_rng(0))
    assert mean_iou(matrices).tolist() == [float(mean_iou(each)) for each in matrices]
    assert pixel_accuracy(matrices).tolist() == [float(pixel_accuracy(each)) for each in matrices]


def test_nothing_labelled_is_unknown() -> None:
    """Without pixels there is no figure, no warning, and an interval that says nothing."""
    nothing = np.zeros((3, 2, 2), np.int64)
    assert np.isnan(mean_iou(nothing[0]))
    assert np.isnan(pixel_accuracy(nothing[0]))
    assert np.isnan(frequency_weighted_iou(nothing[0]))
    for found in (mean_iou_interval(nothing), *class_iou_intervals(nothing), mean_iou_interval(nothing[:0])):
        assert (found.low, found.high) == (0.0, 1.0)
        assert np.isnan(found.value)


@pytest.mark.parametrize(("said", "label"), [(0, 3), (3, 0)])
def test_foreign_classes_are_named(said: int, label: int) -> None:
    """A label or a prediction beyond the classes is an error that says in which image."""
    with pytest.raises(DataError, match="in image 1 is 3"):
        mask_confusions(np.array([[[0]], [[said]]]), np.array([[[0]], [[label]]]), classes=3)


def test_masks_are_the_likeliest_classes() -> None:
    """Bytes of the largest logit, the first of equals; no image gives no mask."""
    outputs = np.random.default_rng(0).normal(size=(3, 4, 5, 6))
    assert masks_of(outputs).dtype == np.uint8
    np.testing.assert_array_equal(masks_of(outputs), outputs.argmax(axis=1))
    assert masks_of(outputs[:0]).shape == (0, 5, 6)


def test_pooled_draws_are_drawn_images() -> None:
    """The interval follows from pooling images drawn again: a loop over draws gives nearly the same."""
    images, source = _scenes(200, np.random.default_rng(0)), np.random.default_rng(1)
    drawn = [float(mean_iou(images[source.integers(0, 200, 200)].sum(axis=0))) for _ in range(2000)]
    found = mean_iou_interval(images)
    assert found.value == pytest.approx(float(mean_iou(images.sum(axis=0))))
    np.testing.assert_allclose((found.low, found.high), np.quantile(drawn, [0.025, 0.975]), atol=0.002)


@pytest.mark.parametrize("n", [8, 40])
def test_intervals_hold_the_truth_as_often_as_they_say(n: int) -> None:
    """Of 150 small splits of a known population, nine in ten intervals or more hold its overlap."""
    source = np.random.default_rng(0)
    truth = float(mean_iou(_scenes(50_000, source).sum(axis=0)))
    found = [mean_iou_interval(_scenes(n, source), draws=400) for _ in range(150)]
    held = np.mean([not each.excludes(truth) for each in found])
    assert 0.9 <= held <= 0.99


def test_class_intervals_are_wider_where_few_images_speak() -> None:
    """A class that every third image shows is, for its overlap, less certain than one that all show."""
    sure, *_, rare = class_iou_intervals(_scenes(60, np.random.default_rng(0)))
    assert sure.low < sure.value < sure.high
    assert (rare.high - rare.low) / rare.value > 2 * (sure.high - sure.low) / sure.value


def test_gain_is_paired() -> None:
    """A small gain on every image is certain, though each model's own interval is far wider; swapped it is a loss."""
    present = _scenes(50, np.random.default_rng(0))
    better = present.copy()
    for k in range(4):
        moved = present[:, k, (k + 1) % 4] // 10
        better[:, k, (k + 1) % 4] -= moved
        better[:, k, k] += moved
    gain, loss = mean_iou_gain(better, present), mean_iou_gain(present, better)
    alone = mean_iou_interval(present)
    assert gain.value == pytest.approx(float(mean_iou(better.sum(axis=0)) - mean_iou(present.sum(axis=0))))
    assert 0 < gain.low < gain.value < gain.high < alone.high - alone.low
    assert loss.high < 0
    assert mean_iou_gain(present, present).low == mean_iou_gain(present, present).high == 0
