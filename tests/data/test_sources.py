"""Facts about opening what a user names."""

from pathlib import Path

import pytest

from epochal.data.archive import Archive
from epochal.data.digits import Digits
from epochal.data.folder import Folder
from epochal.data.sources import open_source
from epochal.errors import DataError
from pictures import folder_of, png, two_classes, zip_of


def test_what_is_opened(tmp_path: Path) -> None:
    """A word, a folder, a zip and a picture are each known for what they are."""
    folder = folder_of(two_classes(), tmp_path / "pets")
    packed = zip_of(two_classes(), tmp_path / "pets.zip")
    (tmp_path / "one.PNG").write_bytes(png())
    assert isinstance(open_source("digits"), Digits)
    assert isinstance(open_source(folder), Folder)
    assert isinstance(open_source(str(packed)), Archive)
    assert [entry.key for entry in open_source(tmp_path / "one.PNG").entries()] == ["one.PNG"]


def test_zip_under_another_name(tmp_path: Path) -> None:
    """A zip is known by its content where its name says nothing."""
    assert isinstance(open_source(zip_of(two_classes(), tmp_path / "pets.data")), Archive)


def test_a_folder_called_digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word digits is the built-in set; a folder of that name is reached by a path."""
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_source("digits"), Digits)
    assert isinstance(open_source("./digits"), Folder)


def test_near_matches_are_offered(tmp_path: Path) -> None:
    """A misspelt path is answered with what there is beside it."""
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"did you mean .*photos"):
        open_source(tmp_path / "photo")


def test_missing_parent_is_told(tmp_path: Path) -> None:
    """Where the folder above is missing too, that is what is said."""
    with pytest.raises(DataError, match="does not exist either"):
        open_source(tmp_path / "nowhere" / "photos")


@pytest.mark.parametrize("name", ["notes.txt", "data.tar.gz"])
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    """A file that is neither zip nor picture is refused with what to do."""
    (tmp_path / name).write_bytes(b"hello")
    with pytest.raises(DataError, match="neither a folder nor a zip"):
        open_source(tmp_path / name)


def test_corrupt_zip(tmp_path: Path) -> None:
    """A file called .zip that is none is refused when it is listed."""
    (tmp_path / "pets.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match="cut off"):
        open_source(tmp_path / "pets.zip").entries()


def test_name_too_long_for_the_system(tmp_path: Path) -> None:
    """A path that the system cannot even look up is an error of ours, not the system's."""
    with pytest.raises(DataError):
        open_source(tmp_path / ("x" * 5000))
