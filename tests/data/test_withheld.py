"""Facts about labels that are not to be seen yet."""

from pathlib import Path

import numpy as np
import pytest

from epochal.data.withheld import IGNORED, Withheld, withheld

MASKS = np.random.default_rng(0).integers(0, 11, (6, 4, 5), dtype=np.uint8)
SEALED = np.array([1, 4])


@pytest.mark.parametrize(
    ("labels", "blot"),
    [
        (np.arange(6), -1),
        (np.arange(12, dtype=np.float32).reshape(6, 2), np.nan),
        (MASKS, IGNORED),
    ],
)
def test_sealed_rows_say_nothing_and_the_others_all(labels: np.ndarray, blot: float) -> None:
    """Classes become -1, values NaN, masks 255 in the sealed rows; the other rows and the given array stay."""
    before = labels.copy()
    hidden = np.asarray(withheld(labels, SEALED))
    np.testing.assert_array_equal(hidden[SEALED], np.full_like(hidden[SEALED], blot))
    open_rows = np.setdiff1d(np.arange(6), SEALED)
    np.testing.assert_array_equal(hidden[open_rows], labels[open_rows])
    np.testing.assert_array_equal(labels, before)
    assert hidden.dtype == labels.dtype


@pytest.mark.parametrize("rows", [np.array([4, 0, 4]), slice(1, 5, 2), 4, 2, [1, 3], np.arange(6) > 2])
def test_reads_as_an_array_does(rows: object) -> None:
    """However rows are asked for, the answer is that of an array whose sealed rows were overwritten."""
    expected = MASKS.copy()
    expected[SEALED] = IGNORED
    np.testing.assert_array_equal(Withheld(MASKS, SEALED)[rows], expected[rows])  # type: ignore[call-overload]


def test_what_is_given_is_a_copy() -> None:
    """Writing into what was read changes no label."""
    hidden = Withheld(MASKS, SEALED)
    hidden[np.array([0])][:] = 9
    np.testing.assert_array_equal(hidden[0], MASKS[0])
    assert (len(hidden), hidden.shape, hidden.ndim, hidden.dtype.name) == (6, (6, 4, 5), 3, "uint8")


def test_masks_on_disk_stay_there(tmp_path: Path) -> None:
    """Masks in a file are held back without being copied, and are never written to."""
    np.save(tmp_path / "masks.npy", MASKS)
    mapped = np.load(tmp_path / "masks.npy", mmap_mode="r").view(np.ndarray)
    hidden = withheld(mapped, SEALED)
    assert isinstance(hidden, Withheld)
    assert (hidden[1] == IGNORED).all()
    np.testing.assert_array_equal(np.load(tmp_path / "masks.npy"), MASKS)


def test_the_array_below_cannot_be_reached_by_accident() -> None:
    """There is no plain name under which the sealed rows can be read."""
    hidden = Withheld(MASKS, SEALED)
    with pytest.raises(AttributeError):
        hidden.array  # type: ignore[attr-defined]  # noqa: B018 - the access is the test
    with pytest.raises(AttributeError):
        hidden.base  # type: ignore[attr-defined]  # noqa: B018
