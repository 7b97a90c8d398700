"""Facts about pairing pictures with masks by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.entries import Entry
from epochal.data.mask_layout import VOID_NAMES, Masks, meaning, meaning_of_numbers, pairs

WORDS = st.sampled_from(["images", "masks", "train", "val", "a", "b", "labels", "x_mask", "mask", "1", "2"])


@pytest.mark.parametrize(
    ("image", "mask", "split"),
    [
        ("images/1.jpg", "masks/1.png", ""),
        ("train/images/1.jpg", "train/masks/1.png", "train"),
        ("images/train/1.jpg", "labels/train/1.png", "train"),
        ("top/Train/IMG/1.jpg", "top/Train/GT/1.png", "train"),
        ("JPEGImages/2007_1.jpg", "SegmentationClass/2007_1.png", ""),
        ("img/horse.jpg", "mask/horse_mask.png", ""),
        ("images/0001_006690.png", "annotations/0001_006690_L.png", ""),
        ("images/a/1.jpg", "masks/a/1.png", ""),
    ],
)
def test_usual_layouts(image: str, mask: str, split: str) -> None:
    """Folders of pictures and masks are known by their usual names, with splits above, below or nowhere."""
    (found,) = pairs([image, mask]) or []
    assert (found.image, found.mask, found.split) == (image, mask, split)


def test_equal_names_in_different_folders_are_different() -> None:
    """A mask belongs to the picture of its own split and sub-folder."""
    keys = [f"{split}/{kind}/1.png" for split in ("train", "val") for kind in ("images", "masks")]
    found = pairs(keys) or []
    assert [(pair.image, pair.mask, pair.split) for pair in found] == [
        ("train/images/1.png", "train/masks/1.png", "train"),
        ("val/images/1.png", "val/masks/1.png", "val"),
    ]


@pytest.mark.parametrize(
    "keys",
    [
        ["cat/1.jpg", "dog/1.jpg"],
        ["images/1.jpg", "images/2.jpg"],
        ["mask/1.jpg", "no_mask/1.jpg"],
        ["images/mask/1.jpg", "images/no_mask/1.jpg"],
        ["images/1.jpg", "masks/2.png", "masks/3.png"],
        [],
    ],
)
def test_class_folders_are_none(keys: list[str]) -> None:
    """Class folders are not taken for masks, not even where a class is called mask."""
    assert pairs(keys) is None


def test_a_picture_without_a_mask_stays() -> None:
    """It is listed without one, to be named as a problem."""
    found = pairs(["images/1.jpg", "images/2.jpg", "masks/1.png"]) or []
    assert [pair.mask for pair in found] == ["masks/1.png", None]


@given(st.lists(st.lists(WORDS, min_size=2, max_size=4).map("/".join), max_size=12, unique=True))
def test_no_file_is_taken_twice(keys: list[str]) -> None:
    """Whatever the names: each picture comes once, no mask is a picture, and all are of the files given."""
    found = pairs([f"{key}.png" for key in keys]) or []
    images = [pair.image for pair in found]
    assert len(images) == len(set(images))
    assert not set(images) & {pair.mask for pair in found}
    assert set(images) <= {f"{key}.png" for key in keys}


@pytest.mark.parametrize("name", sorted(VOID_NAMES))
def test_unlabelled_classes_are_ignored(name: str) -> None:
    """A class of such a name, however written, becomes 255, and those behind it move up; the rule is told."""
    classes, meant, rule = meaning(["sky", name.title(), "road"])
    assert classes == ("sky", "road")
    assert meant[:4] == (0, 255, 1, -1)
    assert meant[255] == 255
    assert rule == f"{name.title()!r} (1) is ignored because of its name"


def test_a_list_of_names_is_taken_at_its_word() -> None:
    """Numbers behind the list have no meaning, 255 is ignored unless the list reaches it."""
    classes, meant, rule = meaning(["background", "cat"])
    assert (classes, rule) == (("background", "cat"), "")
    assert [number for number, meant_as in enumerate(meant) if meant_as == -1] == list(range(2, 255))
    assert meaning([str(number) for number in range(256)])[1][255] == 255


@pytest.mark.parametrize(
    ("numbers", "classes", "ignored"),
    [
        ([0, 1, 2], ("0", "1", "2"), False),
        ([0, 255], ("0", "255"), False),
        ([0, 1, 255], ("0", "1"), True),
        ([1, 2, 3], ("1", "2", "3"), False),
        ([0, 128, 255], ("0", "128"), True),
    ],
)
def test_numbers_without_names(numbers: list[int], classes: tuple[str, ...], *, ignored: bool) -> None:
    """Numbers found become classes in order; 255 is one of them only beside a single other."""
    found, meant, rule = meaning_of_numbers(numbers)
    assert found == classes
    assert [meant[int(name)] for name in classes] == list(range(len(classes)))
    assert bool(rule) == ignored
    if ignored:
        assert meant[255] == 255


def test_select_and_ignored() -> None:
    """Chosen masks keep the meaning; the ignored numbers can be asked for."""
    entries = tuple(Entry(key=str(number), size=1, stamp=1) for number in range(3))
    masks = Masks(entries=entries, meaning=(0, 255, 1) + (-1,) * 252 + (255,), numbers=(0, 2))
    assert [entry.key for entry in masks.select([2, 0]).entries] == ["2", "0"]
    assert masks.select([1]).ignored == (1, 255)
