"""Facts about reading splits and classes from paths."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data.layout import arrange
from epochal.errors import DataError

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8)


@pytest.mark.parametrize("top", ["", "pets/", "a/b/pets/"])
@pytest.mark.parametrize(
    ("folders", "split"),
    [("", ""), ("train/", "train"), ("Training/", "train")],
)
def test_shared_folders_are_passed_over(top: str, folders: str, split: str) -> None:
    """Folders that all files share hide neither classes nor a split."""
    layout = arrange([f"{top}{folders}{name}/{number}.png" for name in ("cat", "dog") for number in (1, 2)], where="it")
    assert layout.classes == ("cat", "dog")
    assert layout.labels == (0, 0, 1, 1)
    assert set(layout.splits) == {split}


@pytest.mark.parametrize("val", ["val", "valid", "Validation", "dev"])
@pytest.mark.parametrize("test", ["test", "TESTING"])
def test_split_names(val: str, test: str) -> None:
    """The usual names of split folders are understood, in any case."""
    keys = [f"{folder}/{name}/1.png" for folder in ("train", val, test) for name in ("a", "b")]
    assert arrange(keys, where="it").splits == ("train", "train", "val", "val", "test", "test")


def test_a_class_of_trains() -> None:
    """A folder called train beside folders of other classes is a class."""
    layout = arrange(["train/1.png", "bus/1.png", "test/1.png"], where="vehicles")
    assert layout.classes == ("bus", "test", "train")
    assert set(layout.splits) == {""}


def test_folders_beside_the_splits_are_stray() -> None:
    """Beside train and test with classes inside, another folder is left out and named."""
    layout = arrange(["train/a/1.png", "train/b/1.png", "unsorted/x/1.png", "train/2.png"], where="it")
    assert layout.stray == ("unsorted/x/1.png", "train/2.png")
    assert layout.labels == (0, 1, -1, -1)


def test_deeper_folders_belong_to_their_class() -> None:
    """Folders inside a class do not make classes."""
    assert arrange(["cat/a/1.png", "cat/b/c/2.png", "dog/3.png"], where="it").labels == (0, 0, 1)


def test_class_only_in_test_counts() -> None:
    """Classes are those of all splits together, so that their numbers agree."""
    assert arrange(["train/a/1.png", "train/b/1.png", "test/c/1.png"], where="it").classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([], "no images"),
        (["cat/1.png"], "single image"),
        (["1.png", "2.png"], "no class folders"),
        (["train/1.png", "test/2.png"], "no class folders"),
        (["cat/1.png", "cat/2.png"], "one class only, cat"),
        (["train/cat/1.png", "train/cat/2.png"], "one class only, cat"),
    ],
)
def test_what_cannot_be_learned_is_refused(keys: list[str], message: str) -> None:
    """No images, one image, no folders, and one class are told apart."""
    with pytest.raises(DataError, match=message):
        arrange(keys, where="pets")


@given(st.dictionaries(names, st.integers(1, 4), min_size=2, max_size=6))
def test_labels_count_sorted_classes(sizes: dict[str, int]) -> None:
    """Every file gets the number of its folder among the sorted folders."""
    keys = [f"{name}/{number}.png" for name, count in sizes.items() for number in range(count)]
    layout = arrange(keys, where="it")
    if set(layout.splits) == {""}:
        assert [layout.classes[label] for label in layout.labels] == [key.split("/")[0] for key in keys]
        assert layout.classes == tuple(sorted(sizes))
