"""Facts about zips as a source."""

import struct
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epochal.data import archive
from epochal.data.archive import Archive
from epochal.data.entries import Unreadable
from epochal.errors import DataError
from pictures import two_classes, zip_of

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("method", METHODS)
def test_members_equal_zipfile(tmp_path: Path, method: int) -> None:
    """Every member reads as the standard library reads it, however it is packed."""
    files = two_classes() | {"empty.png": b""}
    path = zip_of(files, tmp_path / "pets.zip", method=method)
    source = Archive(path=path)
    assert {entry.key: source.read(entry) for entry in source.entries()} == files
    assert [entry.key for entry in source.entries()] == sorted(files)
    assert source.name == "pets"


@given(st.binary(max_size=300), st.binary(max_size=1200).filter(lambda data: len(data) % 4 == 0))
def test_extra_fields_do_not_shift_the_data(data: bytes, extra: bytes) -> None:
    """Where a member's data begin is read from its own header, whatever stands in the extra field."""
    info = zipfile.ZipInfo("a" * 100)
    info.extra = struct.pack("<HH", 0xCAFE, len(extra)) + extra
    with tempfile.TemporaryDirectory() as top:
        path = Path(top) / "a.zip"
        with zipfile.ZipFile(path, "w") as file:
            file.writestr(info, data)
        source = Archive(path=path)
        assert source.read(source.entries()[0]) == data


def test_threads_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Many threads reading at once get each its own member."""
    files = {f"{number}.bin": bytes([number % 256]) * (1000 + number) for number in range(300)}
    source = Archive(path=zip_of(files, tmp_path / "a.zip", method=zipfile.ZIP_DEFLATED))
    with ThreadPoolExecutor(8) as pool:
        found = dict(
            zip((entry.key for entry in source.entries()), pool.map(source.read, source.entries()), strict=True)
        )
    assert found == files


def test_clutter_is_passed_over(tmp_path: Path) -> None:
    """What macOS adds, dot-files and folders are not listed; backslashes are read as slashes."""
    path = tmp_path / "a.zip"
    zip_of({"__MACOSX/cat/._1.png": b"x", "cat/.DS_Store": b"x", "cat/": b"", "cat\\1.png": b"yes"}, path)
    source = Archive(path=path)
    assert [entry.key for entry in source.entries()] == ["cat/1.png"]
    assert source.read(source.entries()[0]) == b"yes"


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    """A member whose checksum does not agree is unreadable, and only that one."""
    path = zip_of({"a.bin": b"first member", "b.bin": b"second member"}, tmp_path / "a.zip")
    path.write_bytes(path.read_bytes().replace(b"first member", b"First member"))
    source = Archive(path=path)
    first, second = source.entries()
    with pytest.raises(Unreadable, match="checksum"):
        source.read(first)
    assert source.read(second) == b"second member"


def test_zip_bomb_by_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that claims more than the limit is refused unread."""
    monkeypatch.setattr(archive, "MEMBER_LIMIT", 1000)
    source = Archive(path=zip_of({"a.png": bytes(5000)}, tmp_path / "a.zip", method=zipfile.ZIP_DEFLATED))
    with pytest.raises(Unreadable, match="too-large: the zip claims 5,000 bytes"):
        source.read(source.entries()[0])


def test_zip_bomb_by_lie(tmp_path: Path) -> None:
    """A member that unpacks to more than it claims is cut off at its claim and refused."""
    path = zip_of({"a.png": bytes(10_000_000)}, tmp_path / "a.zip", method=zipfile.ZIP_DEFLATED)
    path.write_bytes(path.read_bytes().replace(struct.pack("<L", 10_000_000), struct.pack("<L", 100)))
    source = Archive(path=path)
    (entry,) = source.entries()
    assert entry.size == 100
    with pytest.raises(Unreadable, match="checksum"):
        source.read(entry)


def test_encrypted(tmp_path: Path) -> None:
    """A zip in which every member needs a password is refused; among others such a member is a problem."""
    data = zip_of({"a.png": b"1", "b.png": b"2"}, tmp_path / "a.zip").read_bytes()
    directory = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", directory + 1)
    one = bytearray(data)
    one[directory + 8] |= 1
    (tmp_path / "one.zip").write_bytes(one)
    source = Archive(path=tmp_path / "one.zip")
    with pytest.raises(Unreadable, match="encrypted"):
        source.read(source.entries()[0])
    assert source.read(source.entries()[1]) == b"2"
    both = bytearray(one)
    both[second + 8] |= 1
    (tmp_path / "both.zip").write_bytes(both)
    with pytest.raises(DataError, match="encrypted"):
        Archive(path=tmp_path / "both.zip").entries()


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_cut_off_zip(tmp_path: Path, keep: float) -> None:
    """A zip without its end, as after a broken download, is refused in plain words."""
    path = zip_of(two_classes(), tmp_path / "a.zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(DataError, match="cannot be read as a zip"):
        Archive(path=path).entries()


def test_zip_with_a_hole(tmp_path: Path) -> None:
    """Members that lie where bytes were overwritten are unreadable, the others are read."""
    files = two_classes()
    path = zip_of(files, tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    data[: len(data) // 4] = bytes(len(data) // 4)
    path.write_bytes(data)
    source = Archive(path=path)
    outcomes = []
    for entry in source.entries():
        try:
            outcomes.append(source.read(entry) == files[entry.key])
        except Unreadable:
            outcomes.append(False)
    assert 0 < sum(outcomes) < len(files)
