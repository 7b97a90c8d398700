"""Facts about telling pictures from other files."""

from pathlib import Path

import pytest

from epochal.data.catalogue import catalogue
from epochal.data.sources import open_source
from epochal.errors import DataError
from pictures import folder_of, jpeg, png, two_classes, zip_of


def test_other_files_are_ignored_and_named(tmp_path: Path) -> None:
    """Text beside pictures is named as ignored, clutter of the system is not, and neither makes a class."""
    files = two_classes() | {"classes.txt": b"cat", "notes/readme.md": b"x", "cat/Thumbs.db": b"x"}
    found = catalogue(open_source(folder_of(files, tmp_path)))
    assert found.classes == ("cat", "dog")
    assert found.ignored == ("classes.txt", "notes/readme.md")


def test_pictures_without_an_ending_are_known_by_content(tmp_path: Path) -> None:
    """The first bytes tell a picture whose name does not."""
    files = {"cat/1": png(), "cat/2.dat": jpeg(), "dog/3": png(1), "dog/4": b"no picture", "dog/5": b""}
    found = catalogue(open_source(folder_of(files, tmp_path)))
    assert [entry.key for entry in found.entries] == ["cat/1", "cat/2.dat", "dog/3"]
    assert found.ignored == ("dog/4", "dog/5")


def test_folder_and_zip_agree(tmp_path: Path) -> None:
    """The same files give the same classes, labels and splits from a folder and from a zip with a folder on top."""
    files = two_classes(top="train/") | two_classes(2, top="test/")
    folder = catalogue(open_source(folder_of(files, tmp_path / "pets")))
    packed = catalogue(open_source(zip_of({f"pets/{key}": data for key, data in files.items()}, tmp_path / "p.zip")))
    assert (folder.classes, folder.labels, folder.splits) == (packed.classes, packed.labels, packed.splits)


def test_unlabelled_takes_every_picture(tmp_path: Path) -> None:
    """For prediction the folders mean nothing, and one picture is enough."""
    found = catalogue(open_source(folder_of({"a.png": png(), "x/y/b.png": png(1)}, tmp_path)), labelled=False)
    assert [entry.key for entry in found.entries] == ["a.png", "x/y/b.png"]
    assert found.labels == (-1, -1)


def test_empty_folder(tmp_path: Path) -> None:
    """An empty folder is refused with what was expected."""
    with pytest.raises(DataError, match="no images") as caught:
        catalogue(open_source(tmp_path))
    assert "one folder for each class" in caught.value.expected


def test_fingerprint_sees_pictures_alone(tmp_path: Path) -> None:
    """A picture that is added changes the fingerprint, a note does not."""
    folder_of(two_classes(), tmp_path)
    before = catalogue(open_source(tmp_path)).fingerprint()
    folder_of({"notes.txt": b"x"}, tmp_path)
    assert catalogue(open_source(tmp_path)).fingerprint() == before
    folder_of({"cat/new.png": png(9)}, tmp_path)
    assert catalogue(open_source(tmp_path)).fingerprint() != before


def test_select_keeps_things_together() -> None:
    """Chosen pictures keep their own labels."""
    digits = catalogue(open_source("digits"))
    chosen = digits.select([1796, 0])
    assert [entry.key.split("/")[0] for entry in chosen.entries] == ["9", "0"]
    assert chosen.labels == (9, 0)
