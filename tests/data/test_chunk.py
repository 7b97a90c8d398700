"""Facts about decoding and measuring a run of files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from epochal.data.chunk import Way, decode_chunk, shares, spread
from epochal.data.folder import Folder
from pictures import folder_of, mask, pixels, png

shapes = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))


@given(arrays.arrays(np.uint8, shapes))
def test_spread_equals_numpy(images: np.ndarray) -> None:
    """Mean, standard deviation and extremes of each picture are those that numpy computes one by one."""
    found = spread(images)
    for number, image in enumerate(images / 255):
        np.testing.assert_allclose(found.means[number], image.mean((0, 1)), atol=1e-12)
        np.testing.assert_allclose(found.stds[number], image.std((0, 1)), atol=1e-12)
        np.testing.assert_array_equal(found.lows[number], images[number].min((0, 1)))
        np.testing.assert_array_equal(found.highs[number], images[number].max((0, 1)))


@pytest.mark.parametrize("value", [0, 1, 200, 255])
def test_constant_pictures_have_no_spread(value: int) -> None:
    """A flat picture has a standard deviation of exactly nothing."""
    assert spread(np.full((2, 224, 224, 3), value, np.uint8)).stds.tolist() == [[0.0] * 3] * 2


def test_a_bad_file_leaves_zeros_and_its_reason(tmp_path: Path) -> None:
    """The others come through, in their order."""
    folder = Folder(root=folder_of({"a.png": png(1), "b.png": b"no", "c.png": b"", "d.png": png(2)}, tmp_path))
    way = Way(size=(16, 16), channels=3, pixel_limit=10_000)
    chunk = decode_chunk(folder, folder.entries(), start=0, way=way)
    np.testing.assert_array_equal(chunk.pixels[[0, 3]], [pixels(1), pixels(2)])
    assert not chunk.pixels[1:3].any()
    problems = [one.problem and one.problem.split(":")[0] for one in chunk.found]
    assert problems == [None, "not-an-image", "empty", None]
    assert [one.file_bytes for one in chunk.found] == [len(png(1)), 2, 0, len(png(2))]


@given(
    arrays.arrays(
        np.uint8,
        st.tuples(st.integers(1, 4), st.integers(1, 6), st.integers(1, 6)),
        elements=st.sampled_from([0, 1, 2, 255]),
    )
)
def test_shares_count_what_is_known(masks: np.ndarray) -> None:
    """Shares of the classes are those of the pixels that are not ignored; nothing known, no shares."""
    for mask_numbers, found in zip(masks, shares(masks, classes=3), strict=True):
        known = mask_numbers[mask_numbers != 255]
        expected = [(known == label).mean() if len(known) else 0.0 for label in range(3)]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_masks_are_read_beside_their_pictures(tmp_path: Path) -> None:
    """Each picture has its mask; a bad picture or a bad mask leaves 255 throughout and its reason."""
    numbers = np.random.default_rng(0).integers(0, 2, (16, 16))
    files = {"a.png": png(1), "b.png": b"no", "c.png": png(2), "d.png": png(3)}
    files |= {f"m/{name}.png": mask(numbers) for name in "abd"} | {"m/c.png": mask(numbers[:4])}
    folder = Folder(root=folder_of(files, tmp_path))
    way = Way(size=(16, 16), channels=3, pixel_limit=10_000, meaning=(1, 0) + (-1,) * 254, classes=2)
    entries = folder.entries()
    chunk = decode_chunk(folder, entries[:4], start=0, way=way, masks=entries[4:])
    assert chunk.masks is not None
    assert chunk.shares is not None
    np.testing.assert_array_equal(chunk.masks[[0, 3]], np.stack([1 - numbers] * 2))
    assert (chunk.masks[1:3] == 255).all()
    problems = [one.problem and one.problem.split(":")[0] for one in chunk.found]
    assert problems == [None, "not-an-image", "mask-size", None]
    assert chunk.shares[0, 1] == pytest.approx((numbers == 0).mean())
