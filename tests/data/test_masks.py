"""Facts about reading masks."""

import numpy as np
import pytest
from PIL import Image

from epochal.data.entries import Entry, Source, Unreadable
from epochal.data.masks import class_numbers, numbers_in, read_mask
from epochal.data.sources import open_source
from pictures import encoded, folder_of, mask, png

NUMBERS = np.random.default_rng(0).integers(0, 12, (6, 8), dtype=np.uint8)
PLAIN = (*range(12), *(-1,) * 244)


@pytest.mark.parametrize("mode", ["L", "P"])
def test_numbers_are_read_never_colours(mode: str) -> None:
    """Grey values and indices into a palette of odd colours both come back as the numbers written."""
    np.testing.assert_array_equal(class_numbers(mask(NUMBERS, mode=mode)), NUMBERS)


def test_other_kinds_of_files() -> None:
    """Black and white, grey with transparency, colour with equal channels and 16 bits hold numbers as well."""
    np.testing.assert_array_equal(class_numbers(encoded(Image.fromarray(NUMBERS > 5))), NUMBERS > 5)
    grey = Image.fromarray(NUMBERS)
    np.testing.assert_array_equal(class_numbers(encoded(grey.convert("RGB"))), NUMBERS)
    np.testing.assert_array_equal(class_numbers(encoded(grey.convert("LA"))), NUMBERS)
    np.testing.assert_array_equal(class_numbers(encoded(Image.fromarray(NUMBERS.astype(np.uint16)))), NUMBERS)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"hello", "not-an-image"),
        (mask(NUMBERS)[:60], "truncated"),
        (png(3), "bad-mask: it is a colour picture"),
        (encoded(Image.fromarray(NUMBERS.astype(np.uint16) + 300)), "bad-mask: its values are no numbers"),
        (encoded(Image.fromarray(NUMBERS / np.float32(7)), "TIFF"), "bad-mask: its values are no numbers"),
    ],
)
def test_what_is_no_mask(data: bytes, said: str) -> None:
    """Files that are no pictures, colours, fractions and large numbers are told apart."""
    with pytest.raises(Unreadable, match=said):
        class_numbers(data)


def test_mask_moves_as_its_picture() -> None:
    """At another size each pixel is that of the file which lies in the same place of the cut picture."""
    numbers = np.kron(np.arange(12).reshape(3, 4), np.ones((10, 10), int)).astype(np.uint8)
    found = read_mask(mask(numbers), meaning=PLAIN, size=(6, 8), picture=(30, 40))
    np.testing.assert_array_equal(found, np.kron(np.arange(12).reshape(3, 4), np.ones((2, 2), int)))
    square = read_mask(mask(numbers), meaning=PLAIN, size=(6, 6), picture=(30, 40))
    np.testing.assert_array_equal(square, numbers[2::5, 7:33:5])


def test_numbers_get_their_meaning_before_they_are_cut() -> None:
    """Numbers become classes, the ignored ones 255."""
    meaning = (255, 1, 0) + (-1,) * 253
    found = read_mask(mask(np.array([[0, 1], [2, 2]])), meaning=meaning, size=(2, 2), picture=(2, 2))
    assert found.tolist() == [[255, 1], [0, 0]]


@pytest.mark.parametrize(
    ("numbers", "picture", "said"),
    [
        ([[0, 1]], (2, 1), "mask-size: the mask has 2 x 1 pixels, the picture 1 x 2"),
        ([[0, 7], [9, 7]], (2, 2), r"mask-class: 75\.00% of the mask's pixels are 7, 9, which no class has"),
        ([[3, 3]], (1, 2), "empty-mask: every pixel is to be ignored"),
    ],
)
def test_masks_that_cannot_be_used(numbers: list[list[int]], picture: tuple[int, int], said: str) -> None:
    """Another size than the picture's, numbers without a class, and nothing to learn from are told."""
    meaning = (0, 1, 2, 255) + (-1,) * 252
    with pytest.raises(Unreadable, match=said):
        read_mask(mask(np.array(numbers)), meaning=meaning, size=(4, 4), picture=picture)


def test_numbers_in_all_masks(tmp_path: object) -> None:
    """Every number of any mask is found, whatever the threads; broken files are passed over."""
    files = {f"{number}.png": mask(np.full((3, 3), number)) for number in (0, 4, 255)} | {"bad.png": b"x"}
    source: Source = open_source(folder_of(files, tmp_path))  # type: ignore[arg-type]
    entries: list[Entry] = list(source.entries())
    for threads in (1, 3):
        assert numbers_in(source, entries, threads=threads) == [0, 4, 255]
