"""A folder of files as a source. Only ever read."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from epochal.data.entries import Entry, Unreadable

# Folders inside folders beyond this are not followed: class folders lie one to three deep.
DEPTH_LIMIT = 24
# A picture file larger than this is not read into memory.
FILE_LIMIT = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Folder:
    r"""Files under a folder, or some of them given by name (`only`), as a `Source`.

    Hidden files and folders are passed over. Links are followed, a link to a folder above itself is not, and a broken
    one is an entry with a problem. Names that are no valid text are shown with `\x` escapes.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as top:
    ...     _ = (Path(top) / "note.txt").write_text("hello")
    ...     folder = Folder(root=Path(top))
    ...     [(entry.key, folder.read(entry)) for entry in folder.entries()]
    [('note.txt', b'hello')]
    """

    root: Path
    only: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The folder's own name."""
        return Path(self.only[0]).stem if self.only else self.root.resolve().name

    @property
    def where(self) -> str:
        """The folder as the user gave it."""
        return str(self.root / self.only[0]) if self.only and len(self.only) == 1 else str(self.root)

    def entries(self) -> Sequence[Entry]:
        """Every visible file under the folder, sorted by key; listed once."""
        return self._listed[0]

    def read(self, entry: Entry) -> bytes:
        """All bytes of a file."""
        return self._bytes(entry, FILE_LIMIT)

    def peek(self, entry: Entry, count: int) -> bytes:
        """The first bytes of a file."""
        return self._bytes(entry, count)

    def _bytes(self, entry: Entry, limit: int) -> bytes:
        if entry.problem is not None:
            raise Unreadable(entry.problem)
        if limit == FILE_LIMIT < entry.size:
            raise Unreadable(f"too-large: {entry.size:,} bytes, more than a picture file may have")
        try:
            # Unbuffered: one system call for the whole file.
            with Path(self._listed[1].get(entry.key, os.fspath(self.root / entry.key))).open("rb", buffering=0) as file:
                return file.read(limit)
        except PermissionError:
            raise Unreadable("no-permission: the file may not be read") from None
        except OSError as error:
            raise Unreadable(f"unreadable: {error.strerror or error}") from None

    @cached_property
    def _listed(self) -> tuple[list[Entry], dict[str, str]]:
        """The entries, and the true path of each file whose name had to be escaped."""
        found: list[Entry] = []
        odd: dict[str, str] = {}
        paths = [(name, os.fspath(self.root / name)) for name in self.only] if self.only else _walk(self.root)
        for raw, path in paths:
            key = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            if key != raw:
                odd[key] = path
            entry = _entry(key, path)
            if entry is not None:
                found.append(entry)
        return sorted(found, key=lambda entry: entry.key), odd


def _is_folder(child: os.DirEntry[str]) -> bool:
    try:
        return child.is_dir()
    except OSError:  # a link to itself
        return False


def _entry(key: str, path: str) -> Entry | None:
    try:
        facts = os.stat(path)  # noqa: PTH116 - 55,000 Path objects cost more than the calls
    except OSError as error:
        kind = "broken-link" if os.path.islink(path) else "unreadable"  # noqa: PTH114 - as above
        return Entry(key=key, size=0, stamp=0, problem=f"{kind}: {error.strerror or error}")
    if not stat.S_ISREG(facts.st_mode):
        return None if not stat.S_ISDIR(facts.st_mode) else _closed(key)
    return Entry(key=key, size=facts.st_size, stamp=facts.st_mtime_ns)


def _closed(key: str) -> Entry:
    return Entry(key=key, size=0, stamp=0, problem="no-permission: the folder may not be opened")


def _walk(root: Path) -> Iterator[tuple[str, str]]:
    """Pairs of key and path; a folder that cannot be opened is yielded itself."""
    pending: list[tuple[str, str, tuple[tuple[int, int], ...]]] = [("", os.fspath(root), ())]
    while pending:
        prefix, path, above = pending.pop()
        try:
            facts = os.stat(path)  # noqa: PTH116 - as above
            identity = (facts.st_dev, facts.st_ino)
            if identity in above or len(above) > DEPTH_LIMIT:
                continue  # a link that leads back up
            with os.scandir(path) as listing:
                children = [child for child in listing if not child.name.startswith(".")]
        except OSError:
            yield prefix.rstrip("/") or ".", path
            continue
        for child in children:
            key = prefix + child.name
            if _is_folder(child):
                pending.append((key + "/", child.path, (*above, identity)))
            else:
                yield key, child.path
