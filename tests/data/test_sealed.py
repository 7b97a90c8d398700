"""Facts about the sealed test split."""

import numpy as np
import pytest
from PIL import Image

from epochal.data.loader import ArrayLoader
from epochal.data.scan import scan
from epochal.data.sealed import Samples, SealedSplit, divide
from epochal.data.sources import open_source
from epochal.data.split import assign_splits


def inside() -> Samples:
    """Two pictures of a test split."""
    return Samples(images=np.zeros((3, 2, 2, 1), np.uint8), labels=np.array([1, 0, 1]), index=np.array([0, 2]))


def test_nothing_is_seen_before_opening() -> None:
    """Closed, a split tells its length and offers neither pixels, labels nor rows."""
    sealed = SealedSplit(inside())
    assert len(sealed) == 2
    for name in ("images", "labels", "index", "targets"):
        with pytest.raises(AttributeError):
            getattr(sealed, name)
    with pytest.raises(AttributeError):
        sealed.openings = 0  # type: ignore[misc]


def test_openings_are_counted_and_told() -> None:
    """Each opening counts one more and tells the reason."""
    told: list[tuple[int, str]] = []
    sealed = SealedSplit(inside(), on_open=lambda count, reason: told.append((count, reason)))
    for reason in ("the final score", "again"):
        assert sealed.open(reason).targets.tolist() == [1, 1]
    assert sealed.openings == 2
    assert told == [(1, "the final score"), (2, "again")]


def test_an_opening_that_cannot_be_recorded_does_not_happen() -> None:
    """Where the record fails, nothing is handed out."""

    def full(count: int, reason: str) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        SealedSplit(inside(), on_open=full).open("the final score")


def test_labels_of_the_test_split_are_blotted_out() -> None:
    """Before opening no label of a test picture can be read anywhere; afterwards they are the true ones."""
    digits = scan(open_source("digits"), cache=False)
    table = assign_splits(digits.table, seed=0)
    splits = divide(table, digits.images.array)
    rows = table.index("test")
    for part in (splits.train, splits.val):
        assert (part.labels[rows] == -1).all()
        assert (part.targets == table.labels[part.index]).all()
        assert not set(part.index.tolist()) & set(rows.tolist())
    np.testing.assert_array_equal(splits.test.open("test").targets, table.labels[rows])
    assert Image.fromarray(splits.train.images[splits.train.index[0], ..., 0]).size == (8, 8)


@pytest.mark.parametrize(("kind", "blot"), [("values", np.nan), ("masks", 255)])
def test_values_and_masks_are_blotted_out_as_well(kind: str, blot: float) -> None:
    """Of values the sealed rows are NaN, of masks 255; opened, they are the true ones."""
    digits = scan(open_source("digits"), cache=False)
    table = assign_splits(digits.table, seed=0)
    count = len(table)
    targets: np.ndarray = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    if kind == "masks":
        targets = np.random.default_rng(0).integers(0, 9, (count, 2, 3), dtype=np.uint8)
    splits = divide(table, digits.images.array, targets=targets)
    sealed = table.index("test")
    hidden = np.asarray(splits.train.labels)
    np.testing.assert_array_equal(hidden[sealed], np.full_like(hidden[sealed], blot))
    for part in (splits.train, splits.val, splits.test.open("test")):
        np.testing.assert_array_equal(part.targets, targets[part.index])


def test_sealed_masks_cannot_be_loaded() -> None:
    """A loader over rows of the sealed split gives masks in which every pixel is to be ignored."""
    digits = scan(open_source("digits"), cache=False)
    table = assign_splits(digits.table, seed=0)
    masks = np.zeros((len(table), 8, 8), np.uint8)
    train = divide(table, digits.images.array, targets=masks).train
    rows = np.sort(np.concatenate([table.index("test")[:3], train.index[:2]]))
    loader = ArrayLoader(train.images, train.labels, rows, batch_size=5, mean=[0.0], std=[1.0])
    (batch,) = loader.epoch(0)
    ignored = (batch.labels == 255).all(dim=(1, 2)).tolist()
    assert ignored == [row in table.index("test") for row in batch.index.tolist()]
