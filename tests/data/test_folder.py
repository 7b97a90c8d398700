"""Facts about folders as a source."""

import os
from pathlib import Path

import pytest

from epochal.data.entries import Entry, Unreadable
from epochal.data.folder import FILE_LIMIT, Folder
from pictures import folder_of, png, two_classes


def test_entries_are_sorted_and_readable(tmp_path: Path) -> None:
    """Every file is listed once, sorted by key, and read whole."""
    files = two_classes()
    folder = Folder(root=folder_of(files, tmp_path / "pets"))
    assert [entry.key for entry in folder.entries()] == sorted(files)
    assert {entry.key: folder.read(entry) for entry in folder.entries()} == files
    assert folder.name == "pets"


def test_peek_gives_the_beginning(tmp_path: Path) -> None:
    """A peek reads no more than asked."""
    folder = Folder(root=folder_of({"a.png": png()}, tmp_path))
    assert folder.peek(folder.entries()[0], 8) == b"\x89PNG\r\n\x1a\n"


def test_hidden_files_are_passed_over(tmp_path: Path) -> None:
    """Dot-files and dot-folders are not listed."""
    folder = Folder(root=folder_of({".hidden/1.png": b"", "cat/.DS_Store": b"", "cat/1.png": b""}, tmp_path))
    assert [entry.key for entry in folder.entries()] == ["cat/1.png"]


def test_link_loops_end(tmp_path: Path) -> None:
    """A link to a folder above itself is not followed for ever, and the files are found once."""
    root = folder_of({"cat/1.png": b"x"}, tmp_path)
    (root / "cat" / "again").symlink_to(root)
    (root / "dog").mkdir()
    (root / "dog" / "self").symlink_to(root / "dog")
    assert [entry.key for entry in Folder(root=root).entries()] == ["cat/1.png"]


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    """Data sets made of links work."""
    store = folder_of({"cats/1.png": b"one", "2.png": b"two"}, tmp_path / "store")
    root = folder_of({"dog/3.png": b"three"}, tmp_path / "links")
    (root / "cat").symlink_to(store / "cats")
    (root / "dog" / "2.png").symlink_to(store / "2.png")
    folder = Folder(root=root)
    assert [folder.read(entry) for entry in folder.entries()] == [b"one", b"two", b"three"]


def test_broken_link_is_an_entry_with_a_problem(tmp_path: Path) -> None:
    """A link to nothing is listed, and reading it says why it cannot be."""
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    folder = Folder(root=tmp_path)
    (entry,) = folder.entries()
    with pytest.raises(Unreadable, match="broken-link"):
        folder.read(entry)


def test_odd_names(tmp_path: Path) -> None:
    """Names in other scripts, very long ones, and ones that are no text at all can be read."""
    long = "x" * 240 + ".png"
    folder_of({"猫/ä ö.png": b"1", f"{'y' * 200}/{'z' * 200}/{long}": b"2"}, tmp_path)
    invalid = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(invalid)).write_bytes(b"3")
    folder = Folder(root=tmp_path)
    assert sorted(folder.read(entry) for entry in folder.entries()) == [b"1", b"2", b"3"]
    keys = [entry.key for entry in folder.entries()]
    assert r"caf\xe9.png" in keys
    assert all(key.encode() for key in keys)


def test_file_that_vanished(tmp_path: Path) -> None:
    """A file removed after it was listed is unreadable, not fatal."""
    folder = Folder(root=folder_of({"a.png": b"1"}, tmp_path))
    (entry,) = folder.entries()
    (tmp_path / "a.png").unlink()
    with pytest.raises(Unreadable, match="unreadable"):
        folder.read(entry)


def test_absurd_size_is_not_read(tmp_path: Path) -> None:
    """A file of more than a gibibyte is refused by its size alone."""
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(FILE_LIMIT + 1)
    folder = Folder(root=tmp_path)
    with pytest.raises(Unreadable, match="too-large"):
        folder.read(folder.entries()[0])


def test_no_permission(as_nobody: Path) -> None:
    """A file and a folder without permission are problems of their own; the rest is read."""
    root = folder_of({"cat/1.png": b"1", "cat/2.png": b"2", "dog/3.png": b"3"}, as_nobody / "pets")
    (root / "cat" / "1.png").chmod(0)
    (root / "dog").chmod(0)
    folder = Folder(root=root)
    told = {entry.key: _told(folder, entry) for entry in folder.entries()}
    (root / "dog").chmod(0o755)
    assert told == {
        "cat/1.png": "no-permission: the file may not be read",
        "cat/2.png": "2",
        "dog": "no-permission: the folder may not be opened",
    }


def _told(folder: Folder, entry: Entry) -> str:
    try:
        return folder.read(entry).decode()
    except Unreadable as error:
        return str(error)


def test_single_file(tmp_path: Path) -> None:
    """Some files alone can be the source, whatever lies beside them."""
    folder_of({"a.png": b"1", "b.png": b"2"}, tmp_path)
    folder = Folder(root=tmp_path, only=("b.png",))
    assert [entry.key for entry in folder.entries()] == ["b.png"]
    assert folder.name == "b"
