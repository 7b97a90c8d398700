"""A zip file as a source: members are read where they lie, nothing is unpacked."""

import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from epochal.data.entries import Entry, Unreadable
from epochal.errors import DataError

# A member that claims more than this is not unpacked.
MEMBER_LIMIT = 1 << 30
# Fixed part of a member's own header and where the lengths of its name and extra field stand (APPNOTE.TXT 4.3.7).
LOCAL_HEADER, LENGTHS_AT, LOCAL_MAGIC = 30, 26, b"PK\x03\x04"
ENCRYPTED = 0x1


@dataclass(frozen=True, kw_only=True)
class Archive:
    """Files inside a zip, as a `Source`; read with one system call each, from any number of threads.

    `__MACOSX`, dot-files and folders are passed over. A member that claims an absurd size, or that unpacks to more
    than it claims, is refused before it fills the memory.

    Raises: DataError if the file is no zip, is damaged, or every member is encrypted.  Source: PKWARE APPNOTE.TXT.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as top:
    ...     with zipfile.ZipFile(Path(top) / "pets.zip", "w") as file:
    ...         file.writestr("pets/cat/1.txt", "purr")
    ...     pets = Archive(path=Path(top) / "pets.zip")
    ...     [(entry.key, pets.read(entry)) for entry in pets.entries()]
    [('pets/cat/1.txt', b'purr')]
    """

    path: Path

    @property
    def name(self) -> str:
        """The zip's name without its ending."""
        return self.path.stem

    @property
    def where(self) -> str:
        """The zip as the user gave it."""
        return str(self.path)

    def entries(self) -> Sequence[Entry]:
        """Every visible file in the zip, sorted by key; listed once."""
        return self._listed[0]

    def read(self, entry: Entry) -> bytes:
        """All bytes of a member, checked against its CRC-32."""
        info = self._listed[1][entry.key]
        data = self._unpacked(entry, info.file_size)
        if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
            raise Unreadable("damaged: the checksum in the zip does not agree")
        return data

    def peek(self, entry: Entry, count: int) -> bytes:
        """The first bytes of a member."""
        return self._unpacked(entry, count)

    def _unpacked(self, entry: Entry, wanted: int) -> bytes:
        if entry.problem is not None:
            raise Unreadable(entry.problem)
        info = self._listed[1][entry.key]
        try:
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                return self._unpacked_by_zipfile(info, wanted)
            packed = self._packed(info)
            if info.compress_type == zipfile.ZIP_STORED:
                return packed[:wanted]
            # One byte more than promised, so that a member that unpacks to more is told from an honest one.
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, wanted + 1)[: wanted + 1]
        except (zlib.error, zipfile.BadZipFile, struct.error, NotImplementedError, EOFError, OSError) as error:
            raise Unreadable(f"damaged: inside the zip, {error}") from None

    def _packed(self, info: zipfile.ZipInfo) -> bytes:
        # Name and extra field seldom need more than 512 bytes; where they do, a second read fetches the rest.
        slack = len(info.orig_filename) * 4 + 512
        file = self._file
        raw = file.at(info.header_offset, LOCAL_HEADER + slack + info.compress_size)
        if raw[:4] != LOCAL_MAGIC:
            raise zipfile.BadZipFile("a member is not where the directory says")
        name, extra = struct.unpack_from("<HH", raw, LENGTHS_AT)
        start = LOCAL_HEADER + name + extra
        if name + extra > slack:
            return file.at(info.header_offset + start, info.compress_size)
        return raw[start : start + info.compress_size]

    def _unpacked_by_zipfile(self, info: zipfile.ZipInfo, wanted: int) -> bytes:
        with zipfile.ZipFile(self.path) as file, file.open(info) as member:
            return member.read(wanted)

    @cached_property
    def _file(self) -> "Positioned":
        return Positioned(self.path)

    @cached_property
    def _listed(self) -> tuple[list[Entry], dict[str, zipfile.ZipInfo]]:
        infos: dict[str, zipfile.ZipInfo] = {}
        for info in _directory(self.path):
            key = info.filename.replace("\\", "/").removeprefix("./")
            if not info.is_dir() and not _hidden(key):
                infos[key] = info  # of two members with one name the later counts, as when unpacking
        entries = [_entry(key, info) for key, info in sorted(infos.items())]
        if entries and all(info.flag_bits & ENCRYPTED for info in infos.values()):
            raise DataError(
                f"{self.path} is encrypted.",
                expected="a zip without a password.",
                remedy="unpack it and give the folder, or pack it again without a password.",
            )
        return entries, infos


class Positioned:
    """A file that threads read at positions of their own, without sharing a cursor."""

    def __init__(self, path: Path) -> None:
        """Open `path` for as long as this object lives."""
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()

    def at(self, position: int, count: int) -> bytes:
        """Up to `count` bytes from `position` on."""
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), count, position)
        with self._lock:
            self._file.seek(position)
            return self._file.read(count)

    def __del__(self) -> None:
        file = getattr(self, "_file", None)
        if file is not None:
            file.close()


def _directory(path: Path) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(path) as file:
            return file.infolist()
    except PermissionError:
        raise DataError(
            f"{path} may not be read.", expected="a readable zip.", remedy="give yourself permission to read it."
        ) from None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise DataError(
            f"{path} cannot be read as a zip ({error}).",
            expected="a whole zip file.",
            remedy="fetch or make it again; a download that was cut off looks like this.",
        ) from None


def _hidden(key: str) -> bool:
    path = "/" + key
    return "/." in path or "/__MACOSX/" in path


def _entry(key: str, info: zipfile.ZipInfo) -> Entry:
    problem = None
    if info.flag_bits & ENCRYPTED:
        problem = "encrypted: this member of the zip needs a password"
    elif max(info.file_size, info.compress_size) > MEMBER_LIMIT:
        problem = f"too-large: the zip claims {info.file_size:,} bytes for it"
    return Entry(key=key, size=info.file_size, stamp=info.CRC, problem=problem)
